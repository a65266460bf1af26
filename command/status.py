"""`failover status`, `check`, `decisions`, `history`: what is and what was. None of them changes anything."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated, Any

import typer

from command.choice import chosen_plan
from command.completion import complete_plan
from command.controller import Controller, connected
from command.errors import NotDone
from command.follow import follow
from command.output import Line, show, show_json, show_next, show_table
from command.situation import Situation, situation
from command.words import ago, moment, span
from failover.decision.log import DecisionRecord
from failover.decision.log import decisions as latest_decisions
from failover.documents.stops import stop_line
from failover.errors import BadPlan
from failover.ledger.records import ExecutionRecord
from failover.plan.model import Plan
from failover.plan.store import deployed_plans
from failover.readiness.last_look import last_look

PlanName = Annotated[
    str | None,
    typer.Argument(
        metavar="PLAN",
        help="The plan; not needed where there is one.",
        autocompletion=complete_plan,
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print for machines.")]
STYLES = {"pass": "green", "warn": "yellow", "unknown": "magenta", "fail": "red"}


def status(
    context: typer.Context,
    plan: PlanName = None,
    watch: Annotated[bool, typer.Option("--watch", help="Go on looking until Ctrl-C.")] = False,
    as_json: Json = False,
) -> None:
    """Say where plans stand: who is active, what runs, what is known, and what to say next.

    Exits with 0 if all is well, 1 if a site looks lost, an execution waits for a person, or a plan is not ready.
    """
    controller = connected(context)
    if watch and as_json:
        raise NotDone("--watch is for people", controller.command("status --json, as often as you like"))
    if watch:
        with suppress(KeyboardInterrupt):
            follow(controller, chosen_plan(plan))
        return
    good, refused = _plans(plan)
    situations = [situation(controller, of) for of in good]
    if as_json:
        stands = [of.as_document() | {"next": controller.command(of.next_command)} for of in situations]
        show_json({"plans": [*stands, *({"plan": name, "refused": str(error)} for name, error in refused.items())]})
    elif len(situations) == 1 and not refused:
        show(situations[0].lines())
        show_next(controller.command(situations[0].next_command))
    else:
        rows = [_row(of) for of in situations] + [
            (name, "is refused", "", f"failover status {name}") for name in refused
        ]
        show_table(rows)
        show_next(controller.command("status PLAN"))
    raise typer.Exit(int(bool(refused) or any(map(_needs_somebody, situations))))


def check(
    context: typer.Context,
    plan: PlanName = None,
    now: Annotated[
        bool, typer.Option("--now", help="Look anew, and not at what was kept; takes some seconds.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Say whether a failover would work now, and what to do about what would keep it from working.

    Exits with 0 if all is ready, 1 if not.
    """
    controller = connected(context)
    of = chosen_plan(plan)
    document = _readiness(controller, of, now=now)
    unready = [check for check in document["checks"] if check["status"] in ("fail", "unknown")]
    if as_json:
        show_json(document)
    else:
        show(_readiness_lines(controller, of.name, document))
        failing = [check for check in unready if check["status"] == "fail"] or unready
        rehearse = all(check["name"] == "dry-run" for check in failing)
        show_next(
            controller.command(f"start failover {of.name} --dry-run --watch" if rehearse else f"check {of.name} --now")
        )
    raise typer.Exit(int(bool(unready)))


def decisions(
    context: typer.Context,
    plan: PlanName = None,
    most: Annotated[int, typer.Option("--most", min=1, max=1000, help="How many.")] = 20,
    as_json: Json = False,
) -> None:
    """Say what was decided of a plan and why, also to do nothing; the last decision first."""
    controller = connected(context)
    name = chosen_plan(plan).name
    records = latest_decisions(controller.book, name, most)
    if as_json:
        show_json([record.as_document() | {"evidence": record.evidence} for record in records])
        return
    if records:
        show_table([_decision_row(record) for record in records])
    else:
        show([f"nothing was decided of {name} yet"])
    show_next(controller.command(f"status {name}"))


def history(context: typer.Context, plan: PlanName = None, as_json: Json = False) -> None:
    """Say which executions there were of a plan and how they ended; the last one first."""
    controller = connected(context)
    name = chosen_plan(plan).name
    records = controller.book.executions(name)
    if as_json:
        show_json([execution_document(record) for record in records])
        return
    if records:
        show_table([_execution_row(record) for record in records])
    else:
        show([f"{name} had no execution yet"])
    show_next(controller.command(f"report {records[0].name}" if records else f"start failover {name} --dry-run"))


def _plans(name: str | None) -> tuple[list[Plan], dict[str, BadPlan]]:
    """The plan of that name, or every deployed one; and those that are refused."""
    plans = deployed_plans() if name is None else {}
    if len(plans) < 2:
        return [chosen_plan(name)], {}
    good = [plan for plan in plans.values() if isinstance(plan, Plan)]
    return good, {of: plan for of, plan in plans.items() if isinstance(plan, BadPlan)}


def _needs_somebody(of: Situation) -> bool:
    return bool(of.lost or of.holder in ("asks", "ended", "unknown") or of.unready)


def _row(of: Situation) -> tuple[str, ...]:
    trouble = "looks lost" if of.lost else "asks" if of.holder == "asks" else of.holder_status.lower()
    ready = "never looked at" if of.readiness is None else "not ready" if of.unready else "ready"
    return of.plan, f"{of.state.active} active", ready, trouble or ("paused" if of.state.paused else "quiet")


def _readiness(controller: Controller, plan: Plan, *, now: bool) -> dict[str, Any]:
    if now:
        return dict(controller.invoke(controller.readiness_function, {"plan": plan.name}))
    active = controller.book.state(plan.name, plan.home).active
    last = last_look(controller.book, plan.name, standby=plan.other(active), now=time.time())
    if last is None:
        raise NotDone(
            f"the readiness of {plan.name} was never looked at", controller.command(f"check {plan.name} --now")
        )
    return last


def _readiness_lines(controller: Controller, plan: str, document: dict[str, Any]) -> Iterator[Line]:
    checks = sorted(document["checks"], key=lambda check: -list(STYLES).index(check["status"]))
    unready = sum(check["status"] in ("fail", "unknown") for check in checks)
    verdict = f"NOT READY, {unready} of {len(checks)} checks" if unready else f"ready, {len(checks)} checks"
    yield f"{plan}: {verdict}; looked at {ago(document['taken_at'], time.time())}", "red" if unready else "green"
    for check in checks:
        if check["status"] != "pass":
            yield f"  {check['status']:<8} {check['name']}", STYLES[check["status"]]
            yield from (f"           {fact}" for fact in check["evidence"])
            if check["remedy"]:
                yield f"           do: {controller.to_paste(check['remedy'])}", "bold"
    if passed := [check["name"] for check in checks if check["status"] == "pass"]:
        yield f"  {'pass':<8} {', '.join(passed)}", STYLES["pass"]


def _decision_row(record: DecisionRecord) -> tuple[str, ...]:
    started = f"; started {record.started}" if record.started else ""
    again = f" ({record.times} times)" if record.times > 1 else ""
    decision = record.decision
    return moment(record.at), record.by, decision.verdict, f"{decision.why}{started}{again}"


def _execution_row(record: ExecutionRecord) -> tuple[str, ...]:
    seconds = record.document.get("recovery_seconds")
    result = f"recovered in {span(seconds)}" if seconds is not None else record.document.get("why", "")
    stops = [stop_line(stop) for stop in record.document.get("stops", ())]
    dry = "dry run " if record.document.get("dry_run") else ""
    return (
        moment(record.started_at),
        record.name,
        f"{record.from_site} to {record.to_site}",
        dry + record.status,
        "; ".join(filter(None, [result, *stops])),
    )


def execution_document(record: ExecutionRecord) -> dict[str, Any]:
    """An execution, for machines."""
    return {
        "execution": record.name,
        "epoch": record.epoch,
        "kind": record.kind,
        "status": record.status,
        "started_at": record.started_at,
        "from": record.from_site,
        "to": record.to_site,
        "supersedes": record.supersedes,
        "superseded_by": record.superseded_by,
        "recovery_seconds": record.document.get("recovery_seconds"),
    }
