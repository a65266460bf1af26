"""`failover start practice` and `failover practices`: a switchover and back, and the evidence of those that were."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

import typer

from command.choice import By, Yes, chosen_plan, confirm, person
from command.controller import connected
from command.errors import NotDone
from command.output import Line, show, show_json, show_next
from command.situation import Situation
from command.start import Why, announced_approval, startable
from command.status import Json, PlanName
from command.words import moment
from failover.documents.practice import PracticeReport, PracticeWay
from failover.execution.runs import start_run
from failover.plan.model import Plan
from failover.readiness.practice_report import practices

Stay = Annotated[
    int | None, typer.Option("--stay", min=0, max=21_600, help="Seconds that clients work at the other site.")
]


def start_practice(
    context: typer.Context,
    plan: PlanName = None,
    why: Why = "",
    by: By = None,
    stay: Stay = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Practise a switchover and back: clients work at the other site for a while. The report is kept as evidence."""
    controller, of = connected(context), chosen_plan(plan)
    before = startable(controller, of, dry_run=False)
    if not as_json:
        show(_announcement(of, before))
    confirm(of.name, yes=yes)
    name = f"{of.name}-practice-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    request = {"plan": of.name, "by": person(by), "reason": why} | ({} if stay is None else {"stay_seconds": stay})
    if not start_run(name, request, controller.machine("practice")):
        raise NotDone(f"a practice {name} was started in this very second", controller.command("practices"))
    if as_json:
        show_json({"practice": name, "input": request})
        return
    show([f"{name} is started"])
    show_next(controller.command(f"status {of.name} --watch"))


def list_practices(context: typer.Context, plan: PlanName = None, as_json: Json = False) -> None:
    """Say which practices there were of a plan and how they ended; the last one first."""
    controller = connected(context)
    of = chosen_plan(plan)
    reports = practices(controller.book, of.name)
    if as_json:
        show_json(reports)
        return
    show(line for report in reports for line in _lines(report))
    if not reports:
        show([f"{of.name} was never practised by the controller"])
    show_next(controller.command(f"start practice {of.name}" if not reports else f"history {of.name}"))


def _announcement(plan: Plan, before: Situation) -> Iterator[Line]:
    """What it will do, before anybody says yes."""
    active, standby = before.state.active, before.standby
    yield f"A practice of {plan.name}: a switchover from {active} to {standby}, and back.", "bold"
    yield "Clients stand still twice, for the length of a fence; nothing is lost. What is in doubt stands down."
    seconds = plan.policy.failback_after_seconds
    if active == plan.home and seconds:
        yield f"They are led back once mirrors at {active} have trailed by little for {seconds} s."
    yield from before.unready_lines()
    yield from announced_approval(plan)


def _lines(report: PracticeReport) -> Iterator[Line]:
    style = {"succeeded": "green", "failed": "red"}.get(report["outcome"], "yellow")
    who = report["started_by"] or ("the schedule" if report["scheduled"] else "nobody named")
    yield f"{moment(report['ended_at'])}  {report['practice']}  {report['outcome']}, started by {who}", style
    yield f"  {report['why']}"
    for way in (report["there"], report["back"]):
        if way is not None:
            yield f"  {_way(way)}"


def _way(way: PracticeWay) -> str:
    fenced = "not known for how long" if way["fenced_seconds"] is None else f"for {way['fenced_seconds']:.1f} s"
    lost = "not known" if way["lost_records"] is None else str(way["lost_records"])
    approved = f", approved by {way['approved_by']}" if way["approved_by"] else ""
    return f"to {way['to']} in {way['recovery_seconds']:.0f} s, fenced {fenced}, lost: {lost}{approved}"
