"""What changes something: `approve`, `deny`, `abort`, `redrive`, `pause`, `resume`. Each says what it did, and what is
next."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Annotated

import typer

from command.choice import By, Yes, chosen_plan, confirm, person
from command.controller import Controller, connected
from command.errors import NotDone
from command.output import show, show_next
from command.situation import Situation, situation
from command.status import PlanName
from failover.aws.clients import client
from failover.aws.errors import aws_errors
from failover.errors import AbortRefused, ServiceRejected, ServiceUnavailable
from failover.execution.runs import run_arn


def approve(
    context: typer.Context,
    plan: PlanName = None,
    by: By = None,
    why: Annotated[str, typer.Option("--why", help="Kept with the answer.")] = "",
    yes: Yes = False,
) -> None:
    """Let the execution go on that asks a person."""
    controller = connected(context)
    of = situation(controller, chosen_plan(plan))
    _needs_question(controller, of)
    show(of.lines())
    confirm(of.plan, yes=yes)
    _answer(controller, of, answer="approve", by=by, why=why)
    show_next(controller.command(f"status {of.plan} --watch"))


def deny(
    context: typer.Context,
    plan: PlanName = None,
    why: Annotated[str, typer.Option("--why", help="Kept with the answer, and told to people.")] = "",
    by: By = None,
) -> None:
    """Have the execution stand down that asks a person. Nobody is asked again until the plan is resumed, or the site
    was seen well."""
    controller = connected(context)
    of = situation(controller, chosen_plan(plan))
    _needs_question(controller, of)
    _answer(controller, of, answer="deny", by=by, why=why)
    show_next(controller.command(f"resume {of.plan}"))


def abort(
    context: typer.Context,
    plan: PlanName = None,
    why: Annotated[str, typer.Option("--why", help="Kept with the execution.")] = "",
    by: By = None,
    stop: Annotated[bool, typer.Option("--stop", help="Stop it where it is; what it did stays done.")] = False,
    yes: Yes = False,
) -> None:
    """Have a switchover put back what it changed and stand down; with --stop, stop anything where it is."""
    controller = connected(context)
    of = situation(controller, chosen_plan(plan))
    if of.state.holder is None or of.holder == "ended":
        raise NotDone(f"nothing runs for {of.plan}", controller.command(f"status {of.plan}"))
    show(of.lines())
    confirm(of.plan, yes=yes)
    if not stop:
        _put_back(controller, of, person(by), why)
        return
    with _step_functions(f"to stop {of.state.holder}"):
        client("stepfunctions").stop_execution(
            executionArn=_arn(of), error="StoppedByHand", cause=f"{person(by)}: {why or 'no reason given'}"
        )
    show([f"{of.state.holder} is stopped; what it did stays done, and it keeps the lease of {of.plan}"])
    show_next(controller.command(f"redrive {of.plan}"))


def redrive(context: typer.Context, plan: PlanName = None) -> None:
    """Have the execution go on that stopped, from the first thing that is not as it has to be."""
    controller = connected(context)
    of = situation(controller, chosen_plan(plan))
    if of.holder in ("runs", "asks"):
        raise NotDone(f"{of.state.holder} runs: there is nothing to redrive", controller.command(f"status {of.plan}"))
    if of.state.holder is None:
        raise NotDone(f"no execution of {of.plan} stopped", controller.command(f"history {of.plan}"))
    with _step_functions(f"to redrive {of.state.holder}"):
        client("stepfunctions").redrive_execution(executionArn=_arn(of))
    show([f"{of.state.holder} goes on"])
    show_next(controller.command(f"status {of.plan} --watch"))


def pause(
    context: typer.Context,
    why: Annotated[str, typer.Option("--why", help="Kept, and shown to everybody who looks.")],
    plan: PlanName = None,
    by: By = None,
) -> None:
    """Have nothing start by itself until the plan is resumed. What runs goes on, and people may start by hand."""
    controller = connected(context)
    name = chosen_plan(plan).name
    controller.book.pause(name, f"{person(by)}: {why}")
    show([f"{name} is paused: nothing is started by itself until it is resumed"])
    show_next(controller.command(f"resume {name}"))


def resume(context: typer.Context, plan: PlanName = None) -> None:
    """End a pause, and take a denial back."""
    controller = connected(context)
    name = chosen_plan(plan).name
    controller.book.resume(name)
    show([f"{name} goes on: it is neither paused nor denied"])
    show_next(controller.command(f"status {name}"))


def _put_back(controller: Controller, of: Situation, by: str, why: str) -> None:
    try:
        controller.book.request_abort(of.plan, str(of.state.holder), by, why or "no reason given")
    except AbortRefused as error:
        raise NotDone(str(error), f"{controller.command(f'abort {of.plan} --stop')} stops it where it is") from None
    show([f"{of.state.holder} puts back what it changed, and stands down"])
    show_next(controller.command(f"status {of.plan} --watch"))


def _needs_question(controller: Controller, of: Situation) -> None:
    if of.holder != "asks":
        raise NotDone(f"no execution of {of.plan} asks a person", controller.command(f"status {of.plan}"))


def _answer(controller: Controller, of: Situation, *, answer: str, by: str | None, why: str) -> None:
    request = {"plan": of.plan, "execution": of.state.holder, "answer": answer, "by": person(by), "why": why}
    answered = controller.invoke(controller.answer_function, request)
    if not answered["now"]:
        verb = f"{answered['answer']} by {answered['by']}"
        raise NotDone(f"it was answered before: {verb}; yours changed nothing", controller.command(f"status {of.plan}"))
    show([f"{of.state.holder}: {answer} by {answered['by']}"])


def _arn(of: Situation) -> str:
    return of.state.holder_arn or run_arn(str(of.state.holder))


def _step_functions(what: str) -> AbstractContextManager[None]:
    return aws_errors(f"Step Functions, {what}", transient=ServiceUnavailable, final=ServiceRejected)
