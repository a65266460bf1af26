"""`failover start switchover`, `restore` and `failback`: what people start while both sites are up. Each says what it
will do, has the plan's name typed, and starts it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import typer

from command.choice import By, Yes, chosen_plan, confirm
from command.controller import Controller, connected
from command.errors import NotDone
from command.output import Line, show
from command.situation import Situation
from command.start import (
    DryRun,
    Watch,
    Why,
    announced_approval,
    loss_in_words,
    request_of,
    start_execution,
    startable,
)
from command.status import Json, PlanName
from command.words import span
from failover.ledger.records import ExecutionRecord
from failover.plan.model import Plan

Flow = Literal["switchover", "restore", "failback"]


@dataclass(frozen=True, kw_only=True)
class Start:
    """What was typed."""

    flow: Flow
    plan: str | None
    why: str
    by: str | None
    dry_run: bool
    yes: bool
    watch: bool
    as_json: bool
    discard: bool = False
    delete_topics: bool = False


def start_switchover(
    context: typer.Context,
    plan: PlanName = None,
    why: Why = "",
    by: By = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    watch: Watch = False,
    as_json: Json = False,
) -> None:
    """Have the standby take over while both sites are up: nothing is lost."""
    _start(
        context,
        Start(flow="switchover", plan=plan, why=why, by=by, dry_run=dry_run, yes=yes, watch=watch, as_json=as_json),
    )


def start_restore(
    context: typer.Context,
    plan: PlanName = None,
    why: Why = "",
    by: By = None,
    discard: Annotated[
        bool, typer.Option("--discard", help="Truncate what is stranded, though nothing saves it.")
    ] = False,
    delete_topics: Annotated[
        bool,
        typer.Option(
            "--delete-topics", help="Delete topics whose link is not bidirectional, once saved, and mirror them anew."
        ),
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    watch: Watch = False,
    as_json: Json = False,
) -> None:
    """Make the site that was lost, and is back, a mirror of the active one again."""
    _start(
        context,
        Start(
            flow="restore",
            plan=plan,
            why=why,
            by=by,
            dry_run=dry_run,
            yes=yes,
            watch=watch,
            as_json=as_json,
            discard=discard,
            delete_topics=delete_topics,
        ),
    )


def start_failback(
    context: typer.Context,
    plan: PlanName = None,
    why: Why = "",
    by: By = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    watch: Watch = False,
    as_json: Json = False,
) -> None:
    """Switch over to the plan's home site, once it is restored."""
    _start(
        context,
        Start(flow="failback", plan=plan, why=why, by=by, dry_run=dry_run, yes=yes, watch=watch, as_json=as_json),
    )


def _start(context: typer.Context, typed: Start) -> None:
    controller, plan = connected(context), chosen_plan(typed.plan)
    before = startable(controller, plan, dry_run=typed.dry_run)
    executions = controller.book.executions(plan.name)
    if typed.flow == "failback":
        _refuse_to_fail_back(controller, plan, before, executions)
    if not typed.as_json:
        show(_announcement(plan, before, executions, typed))
    if not typed.dry_run:
        confirm(plan.name, yes=typed.yes)
    request: dict[str, Any] = request_of(before, typed.by, typed.why)
    if typed.flow == "restore":
        request |= {"from": before.standby, "to": before.state.active}
    request |= {name: True for name in ("dry_run", "discard", "delete_topics") if getattr(typed, name)}
    start_execution(
        controller,
        before,
        request,
        kind="restore" if typed.flow == "restore" else "switchover",
        watch=typed.watch,
        as_json=typed.as_json,
    )


def _refuse_to_fail_back(
    controller: Controller, plan: Plan, before: Situation, executions: list[ExecutionRecord]
) -> None:
    """The home site must stand by, and be a mirror again since it was lost.

    Raises:
        NotDone: it is active, or was not restored.
    """
    if before.state.active == plan.home:
        raise NotDone(f"{plan.home} is active already", controller.command(f"status {plan.name}"))
    last = next((record for record in executions if _took_effect(record)), None)
    if last is not None and last.kind == "failover":
        raise NotDone(
            f"{plan.home} was not restored since {last.name}", controller.command(f"start restore {plan.name}")
        )


def _took_effect(record: ExecutionRecord) -> bool:
    return record.status == "succeeded" and not record.document.get("dry_run")


def _announcement(plan: Plan, before: Situation, executions: list[ExecutionRecord], typed: Start) -> Iterator[Line]:
    """What it will do, what is expected to be lost, and how long it takes, before anybody says yes."""
    active, standby = before.state.active, before.standby
    if typed.flow == "restore":
        title, steps = (
            f"restore of {plan.name}: {standby} becomes a mirror of {active}",
            _restore(typed, active, standby),
        )
    else:
        title = f"{typed.flow} of {plan.name} from {active} to {standby}"
        steps = _switchover(plan, active, standby)
    if typed.dry_run:
        yield f"A dry run of a {title}: nothing is changed.", "bold"
        return
    yield f"A {title}:", "bold"
    yield from steps
    kind = "restore" if typed.flow == "restore" else "switchover"
    yield f"Time: {_time(executions, kind)}"
    if typed.flow != "restore":
        yield f"Mirrors trail by: {loss_in_words(before)}"
    yield from before.unready_lines()
    yield from announced_approval(plan)


def _switchover(plan: Plan, active: str, standby: str) -> Iterator[Line]:
    yield "  1. precheck  both sites, every mirror, link and gateway; any doubt stands down"
    yield "  2. fence     at every gateway; clients wait, and get errors that they retry"
    yield "  3. drain     until both logs of every partition end alike"
    yield f"  4. reverse   the mirrors at {standby} are made writable, and {active} mirrors them: no way back from here"
    yield f"  5. lead over gateways and {plan.hostname} lead to {standby}; a record goes the clients' way"
    yield "Expected to be lost: nothing; what can't be drained is given up, and put back"


def _restore(typed: Start, active: str, standby: str) -> Iterator[Line]:
    yield f"  1. precheck  both sites answer, nobody reads or writes at {standby}; any doubt stands down"
    yield f"  2. keep away the gateways of {standby} lead to {active}"
    yield f"  3. measure   what {standby} holds beyond {active}, exactly"
    if typed.discard:
        yield (
            f"  4. truncate  {standby} to where {active} took over, WHATEVER IS STRANDED: no way back from here",
            "red",
        )
    else:
        yield f"  4. truncate  {standby} to where {active} took over, once all of it is saved: no way back from here"
    if typed.delete_topics:
        yield (
            f"               topics at {standby} whose link is not bidirectional are DELETED, and mirrored anew",
            "red",
        )
    yield f"  5. wait      until every topic at {standby} is an ACTIVE mirror"
    yield f"Clients work on {active} all the while."


def _time(executions: list[ExecutionRecord], kind: str) -> str:
    took = (
        record.ended_at - record.started_at
        for record in executions
        if record.kind == kind and record.ended_at and _took_effect(record)
    )
    last = next(took, None)
    return "never measured for this plan" if last is None else f"the last one took {span(last)}"
