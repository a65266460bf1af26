"""What changes something: `approve`, `deny`, `abort`, `redrive`, `pause`, `resume`. Each says what it did, and what is
next."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Annotated, Final

import typer

from command.choice import By, Yes, chosen_plan, confirm, person
from command.controller import Controller, connected
from command.errors import NotDone
from command.follow import follow
from command.output import show, show_json, show_next
from command.situation import Situation, situation
from command.status import Json, PlanName
from failover.aws.clients import client
from failover.aws.errors import aws_errors
from failover.errors import AbortRefused, ServiceRejected, ServiceUnavailable
from failover.execution.runs import run_arn
from failover.plan.model import Plan

_ANSWERED: Final = {"approve": "approved", "deny": "denied"}

Watch = Annotated[bool, typer.Option("--watch", help="Show it until it ends, or stops.")]


def approve(
    context: typer.Context,
    plan: PlanName = None,
    by: By = None,
    why: Annotated[str, typer.Option("--why", help="Kept with the answer.")] = "",
    yes: Yes = False,
    watch: Watch = False,
    as_json: Json = False,
) -> None:
    """Let the execution go on that asks a person."""
    controller, chosen = connected(context), chosen_plan(plan)
    of = situation(controller, chosen)
    _needs_question(controller, of)
    if not as_json:
        show(of.lines())
    confirm(of.plan, yes=yes)
    done = _answer(controller, of, answer="approve", by=by, why=why)
    _tell(controller, done, then=f"status {of.plan} --watch", watch=chosen if watch else None, as_json=as_json)


def deny(
    context: typer.Context,
    plan: PlanName = None,
    why: Annotated[str, typer.Option("--why", help="Kept with the answer, and told to people.")] = "",
    by: By = None,
    as_json: Json = False,
) -> None:
    """Have the execution stand down that asks a person. Nobody is asked again until the plan is resumed, or the site
    was seen well."""
    controller = connected(context)
    of = situation(controller, chosen_plan(plan))
    _needs_question(controller, of)
    done = _answer(controller, of, answer="deny", by=by, why=why)
    _tell(controller, done, then=f"resume {of.plan}", as_json=as_json)


def abort(
    context: typer.Context,
    plan: PlanName = None,
    why: Annotated[str, typer.Option("--why", help="Kept with the execution.")] = "",
    by: By = None,
    stop: Annotated[bool, typer.Option("--stop", help="Stop it where it is; what it did stays done.")] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Have a switchover put back what it changed and stand down; with --stop, stop anything where it is."""
    controller = connected(context)
    of = situation(controller, chosen_plan(plan))
    if of.state.holder is None or of.holder == "ended":
        raise NotDone(f"nothing runs for {of.plan}", controller.command(f"status {of.plan}"))
    if not as_json:
        show(of.lines())
    confirm(of.plan, yes=yes)
    if not stop:
        done = _put_back(controller, of, person(by), why)
        _tell(controller, done, then=f"status {of.plan} --watch", as_json=as_json)
        return
    with _step_functions(f"to stop {of.state.holder}"):
        client("stepfunctions").stop_execution(
            executionArn=_arn(of), error="StoppedByHand", cause=f"{person(by)}: {why or 'no reason given'}"
        )
    what = f"{of.state.holder} is stopped; what it did stays done, and it keeps the lease of {of.plan}"
    _tell(controller, _Done(of.plan, what, of.state.holder), then=f"redrive {of.plan}", as_json=as_json)


def redrive(context: typer.Context, plan: PlanName = None, watch: Watch = False, as_json: Json = False) -> None:
    """Have the execution go on that stopped, from the first thing that is not as it has to be."""
    controller, chosen = connected(context), chosen_plan(plan)
    of = situation(controller, chosen)
    if of.holder in ("runs", "asks"):
        raise NotDone(f"{of.state.holder} runs: there is nothing to redrive", controller.command(f"status {of.plan}"))
    if of.state.holder is None:
        raise NotDone(f"no execution of {of.plan} stopped", controller.command(f"history {of.plan}"))
    with _step_functions(f"to redrive {of.state.holder}"):
        client("stepfunctions").redrive_execution(executionArn=_arn(of))
    done = _Done(of.plan, f"{of.state.holder} goes on", of.state.holder)
    _tell(controller, done, then=f"status {of.plan} --watch", watch=chosen if watch else None, as_json=as_json)


def pause(
    context: typer.Context,
    why: Annotated[str, typer.Option("--why", help="Kept, and shown to everybody who looks.")],
    plan: PlanName = None,
    by: By = None,
    as_json: Json = False,
) -> None:
    """Have nothing start by itself until the plan is resumed. What runs goes on, and people may start by hand."""
    controller = connected(context)
    name = chosen_plan(plan).name
    controller.book.pause(name, f"{person(by)}: {why}")
    done = _Done(name, f"{name} is paused: nothing is started by itself until it is resumed")
    _tell(controller, done, then=f"resume {name}", as_json=as_json)


def resume(context: typer.Context, plan: PlanName = None, as_json: Json = False) -> None:
    """End a pause, and take a denial back."""
    controller = connected(context)
    name = chosen_plan(plan).name
    controller.book.resume(name)
    done = _Done(name, f"{name} goes on: it is neither paused nor denied")
    _tell(controller, done, then=f"status {name}", as_json=as_json)


@dataclass(frozen=True)
class _Done:
    plan: str
    what: str
    execution: str | None = None


def _tell(controller: Controller, done: _Done, *, then: str, watch: Plan | None = None, as_json: bool = False) -> None:
    """What was done and what is next; with a plan to watch, its execution until it ends."""
    if as_json:
        show_json({**asdict(done), "next": controller.command(then)})
        return
    show([done.what])
    if watch is None:
        show_next(controller.command(then))
        return
    last = follow(controller, watch, done.execution)
    mend = "mend that, then " if last.stop and last.holder == "ended" else ""
    show_next(mend + controller.command(last.next_command if last.holder == "ended" else f"report {done.execution}"))
    raise typer.Exit(int(last.record is None or last.record.status != "succeeded"))


def _put_back(controller: Controller, of: Situation, by: str, why: str) -> _Done:
    try:
        controller.book.request_abort(of.plan, str(of.state.holder), by, why or "no reason given")
    except AbortRefused as error:
        raise NotDone(str(error), f"{controller.command(f'abort {of.plan} --stop')} stops it where it is") from None
    return _Done(of.plan, f"{of.state.holder} puts back what it changed, and stands down", of.state.holder)


def _needs_question(controller: Controller, of: Situation) -> None:
    if of.holder != "asks":
        raise NotDone(f"no execution of {of.plan} asks a person", controller.command(f"status {of.plan}"))


def _answer(controller: Controller, of: Situation, *, answer: str, by: str | None, why: str) -> _Done:
    request = {"plan": of.plan, "execution": of.state.holder, "answer": answer, "by": person(by), "why": why}
    answered = controller.invoke(controller.answer_function, request)
    if not answered["now"]:
        verb = f"{answered['answer']} by {answered['by']}"
        raise NotDone(f"it was answered before: {verb}; yours changed nothing", controller.command(f"status {of.plan}"))
    return _Done(of.plan, f"{of.state.holder}: {_ANSWERED[answer]} by {answered['by']}", of.state.holder)


def _arn(of: Situation) -> str:
    return of.state.holder_arn or run_arn(str(of.state.holder))


def _step_functions(what: str) -> AbstractContextManager[None]:
    return aws_errors(f"Step Functions, {what}", transient=ServiceUnavailable, final=ServiceRejected)
