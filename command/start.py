"""`failover start failover` and `failover supersede`: say what it will do, have the plan's name typed, and start it.
What is started while both sites are up is in `command.planned`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from command.choice import By, Yes, chosen_plan, confirm, person
from command.controller import Controller, connected
from command.errors import NotDone
from command.follow import follow
from command.output import Line, show, show_json, show_next
from command.situation import Situation, situation
from command.status import Json, PlanName
from command.words import span
from failover.decision.rules import PLANNED
from failover.execution.runs import start_run
from failover.ledger.execution import Kind
from failover.plan.model import Plan

app = typer.Typer(help="Start an execution by hand.", no_args_is_help=True)
Why = Annotated[str, typer.Option("--why", help="The reason; it is in every message.")]
Force = Annotated[
    bool,
    typer.Option(
        "--force", help="Leave the active site although it answers, or for mirrors that were promoted by hand."
    ),
]
Watch = Annotated[bool, typer.Option("--watch", help="Show it until it ends.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Walk the whole way, change nothing, and say what would be done.")
]


Supersede = Annotated[
    bool, typer.Option("--supersede", help="Take over from what holds the lease: it stopped, or is no failover.")
]

Back = Annotated[
    bool,
    typer.Option(
        "--back", help="Of one that takes over: lead clients back to the site that they were being led away from."
    ),
]


@app.callback()
def start() -> None:
    """Keeps `failover` a command of a group, also while it is the only one."""


@app.command("failover")
def start_failover(
    context: typer.Context,
    plan: PlanName = None,
    why: Why = "",
    by: By = None,
    dry_run: DryRun = False,
    force: Force = False,
    supersede: Supersede = False,
    back: Back = False,
    yes: Yes = False,
    watch: Watch = False,
    as_json: Json = False,
) -> None:
    """Have the standby take over from the active site. Without --force it stands down if the active site answers; with
    --supersede it goes on from where a switchover or a restore is, or from where anything stopped; with --back, too, it
    leads clients back, if the site that was to take over is lost meanwhile.

    Exits with 0 once it is started; with --watch, with 0 if it succeeded and 1 if not.
    """
    controller, of = connected(context), chosen_plan(plan)
    if back and not supersede:
        raise NotDone(
            "--back leads back from where something is that holds the lease",
            controller.command(f"start failover {of.name} --supersede --back"),
        )
    if supersede and not dry_run:
        _supersede(controller, of, why=why, by=by, force=force, back=back, yes=yes, watch=watch, as_json=as_json)
        return
    before = startable(controller, of, dry_run=dry_run)
    if not as_json:
        show(_announcement(controller, of, before, dry_run=dry_run, force=force))
    if not dry_run:
        confirm(of.name, yes=yes)
    request = request_of(before, by, why) | ({"dry_run": True} if dry_run else {}) | ({"force": True} if force else {})
    start_execution(controller, before, request, watch=watch, as_json=as_json)


def supersede(
    context: typer.Context,
    plan: PlanName = None,
    why: Why = "",
    by: By = None,
    force: Force = False,
    back: Back = False,
    yes: Yes = False,
    watch: Watch = False,
    as_json: Json = False,
) -> None:
    """Start a failover in place of what holds the lease: what stopped and can't go on, or a switchover or a restore
    whose active site dies meanwhile; or, with --back, the other one."""
    controller, of = connected(context), chosen_plan(plan)
    _supersede(controller, of, why=why, by=by, force=force, back=back, yes=yes, watch=watch, as_json=as_json)


def _supersede(
    controller: Controller,
    of: Plan,
    *,
    why: str,
    by: str | None,
    force: bool,
    back: bool,
    yes: bool,
    watch: bool,
    as_json: bool,
) -> None:
    before = situation(controller, of)
    superseded = before.state.holder or (_last_stood_down(controller, of) if back else None)
    if superseded is None:
        raise NotDone(f"no execution holds the lease of {of.name}", controller.command(f"start failover {of.name}"))
    runs = before.holder in ("runs", "asks")
    if runs and (before.record is None or before.record.kind not in PLANNED):
        raise NotDone(f"{before.state.holder} runs", controller.command(f"status {of.name} --watch"))
    if not as_json:
        show([f"{superseded} can change nothing any more from then on."])
        if runs and before.record is not None:
            dies = f"if {before.standby} dies" if back else "if its active site dies"
            show([(f"It runs still: take over from a {before.record.kind} only {dies}.", "yellow")])
        show(_way_back(before) if back else _announcement(controller, of, before, dry_run=False, force=force))
    confirm(of.name, yes=yes)
    request = request_of(before, by, why) | {"supersedes": superseded} | ({"force": True} if force else {})
    if back:
        request |= {"from": before.standby, "to": before.state.active, "force": True}
    start_execution(controller, before, request, watch=watch, as_json=as_json)


def startable(controller: Controller, plan: Plan, *, dry_run: bool) -> Situation:
    """Where the plan stands, of which an execution can be started.

    Raises:
        NotDone: another holds its lease, and this is no dry run.
    """
    before = situation(controller, plan)
    if before.state.holder is not None and not dry_run:
        raise NotDone(
            f"{before.state.holder} holds the lease of {plan.name} ({before.holder_status.lower()})",
            controller.command(before.next_command),
        )
    return before


def request_of(before: Situation, by: str | None, why: str) -> dict[str, Any]:
    """The start of what leads from the active site to the standby."""
    return {
        "plan": before.plan,
        "from": before.state.active,
        "to": before.standby,
        "by": person(by),
        "reason": why,
    }


def _announcement(
    controller: Controller, plan: Plan, before: Situation, *, dry_run: bool, force: bool
) -> Iterator[Line]:
    """What it will do, what is expected to be lost, and how long it takes, before anybody says yes."""
    state = before.state
    if dry_run:
        yield (
            f"A dry run of a failover of {plan.name} from {state.active} to {before.standby}: nothing is changed.",
            "bold",
        )
        return
    yield f"A failover of {plan.name} from {state.active} to {before.standby}:", "bold"
    yield f"  1. fence    writes to {state.active} are stopped, where its gateways can be reached"
    yield f"  2. promote  the mirrors at {before.standby} are made writable, for good: links are failed over"
    yield f"  3. route    the gateways are pointed at {plan.site(before.standby).kafka.cluster_id}"
    yield f"  4. flip     {plan.hostname} leads to {before.standby}"
    yield "  5. verify   a record goes the clients' way, and is read back"
    yield f"Expected to be stranded: {loss_in_words(before)}"
    yield f"Time: {_time(controller, plan)}"
    if not before.lost:
        begun = f", unless {state.holder} has begun to leave it" if state.holder else ""
        withheld = f"it stands down if that site answers{begun}; see --force"
        answer = "it is left all the same, by --force" if force else withheld
        yield f"Nobody says that {state.active} is lost: {answer}", "yellow"
    yield from before.unready_lines()
    yield from announced_approval(plan)


def _last_stood_down(controller: Controller, plan: Plan) -> str | None:
    """The last execution, if it took over from another and stood down: what that one left half done is so still."""
    last = next(
        (record for record in controller.book.executions(plan.name) if not record.document.get("dry_run")), None
    )
    return last.name if last and last.status == "stood-down" and last.supersedes else None


def _way_back(before: Situation) -> Iterator[Line]:
    """What leading clients back will do."""
    active, lost = before.state.active, before.standby
    yield f"A failover of {before.plan} from {lost} back to {active}, which was being left:", "bold"
    yield f"  1. fence    gateways that lead to {lost}, where they can be reached"
    yield f"  2. promote  what was reversed already, and mirrors {lost} now, is made writable at {active} again"
    yield f"  3. route    gateways and name lead to {active}"
    yield "  4. verify   a record goes the clients' way, and is read back"
    yield (
        f"What clients have written to {lost} since they were led there, and was not mirrored back, is stranded.",
        "red",
    )


def announced_approval(plan: Plan) -> Iterator[Line]:
    """What the plan says of what people start."""
    if plan.policy.by_hand == "approve":
        yield "A second person is asked before anything is changed (policy.by_hand)."
    if plan.policy.by_hand == "refuse":
        yield "The plan refuses what people start (policy.by_hand): it will stand down.", "red"


def loss_in_words(before: Situation) -> str:
    """How far the mirrors trail, as far as it is known."""
    if before.lag is None:
        return "not known; no sample of the mirrors' lag was proven fresh"
    least = f"{before.lag.records:,} records or more" if before.lag.records else "nothing was trailing when last seen"
    return f"{least}, by samples up to {span(before.now - before.lag.oldest_at)} old"


def _time(controller: Controller, plan: Plan) -> str:
    times = (record.document.get("recovery_seconds") for record in controller.book.executions(plan.name))
    last = next((seconds for seconds in times if seconds is not None), None)
    return "never measured for this plan" if last is None else f"the last one took {span(last)}"


def start_execution(
    controller: Controller,
    before: Situation,
    request: dict[str, Any],
    *,
    kind: Kind = "failover",
    watch: bool,
    as_json: bool,
) -> None:
    """Start it, and say its name; with `watch`, show it until it ends."""
    how = "dry-run" if request.get("dry_run") else "by-hand"
    flow = "" if kind == "failover" else f"-{kind}"
    name = f"{before.plan}-{how}{flow}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    if not start_run(name, request, controller.machine(kind)):
        raise NotDone(f"an execution {name} was started in this very second", controller.command("history"))
    if as_json:
        show_json({"execution": name, "input": request})
        return
    show([f"{name} is started"])
    if not watch:
        then = f"report {name}" if request.get("dry_run") else f"status {before.plan} --watch"
        show_next(controller.command(then))
        return
    follow(controller, chosen_plan(before.plan), name)
    record = controller.book.execution(before.plan, name)
    show_next(controller.command(f"report {name}"))
    raise typer.Exit(int(record is None or record.status != "succeeded"))
