"""The controller's own account of an execution: what happened when, and what is known, and not known, of the loss."""

from __future__ import annotations

from typing import Any

from failover.execution import Execution
from failover.ledger import StepRecord
from failover.plan import Plan


def execution_report(
    plan: Plan, execution: Execution, outcome: str, why: str, steps: list[StepRecord]
) -> dict[str, Any]:
    """The report that the ledger keeps and people are sent. Times: seconds since 1970; durations: seconds."""
    assessed = next((record.observed for record in steps if record.step == "assess"), {})
    ended = max((record.reported_at for record in steps), default=execution.claimed_at)
    return {
        "plan": plan.name,
        "execution": execution.name,
        "epoch": execution.epoch,
        "kind": execution.kind,
        "from": execution.from_site,
        "to": execution.to_site,
        "dry_run": execution.dry_run,
        "outcome": outcome,
        "why": why or assessed.get("why", ""),
        "votes": assessed.get("votes", []),
        "outage_started_at": execution.outage_started_at,
        "claimed_at": execution.claimed_at,
        "ended_at": ended,
        "recovery_seconds": ended - (execution.outage_started_at or execution.claimed_at),
        "loss": estimated_loss(assessed),
        "steps": [
            {
                "step": record.step,
                "status": record.status,
                "calls": record.calls,
                "started_at": record.started_at,
                "reported_at": record.reported_at,
            }
            for record in steps
        ],
    }


def estimated_loss(assessed: dict[str, Any]) -> dict[str, Any]:
    """What can be said of the loss while the lost site is away: how far the mirrors trailed when they last saw it.

    It is an estimate, never a count: what the lost site acknowledged after the last fetch is in no figure, and a
    partition whose lag is unknown is counted as unknown, not as zero.
    """
    lag = (assessed.get("evidence") or {}).get("lag")
    if not lag:
        return {"label": "unknown", "records": None, "unknown_partitions": None}
    known = lag["partitions"] - lag["unknown_partitions"]
    return {
        "label": "estimated" if known else "unknown",
        "records": lag["records"] if known else None,
        "unknown_partitions": lag["unknown_partitions"],
        "basis": "lag of the mirrors at their last fetch; records acknowledged after it are not in it",
    }


def headline(report: dict[str, Any]) -> str:
    """One line for a notification's subject."""
    lead = "Dry run: " if report["dry_run"] else ""
    what = f"{lead}{report['plan']} {report['from']} to {report['to']}"
    match report["outcome"]:
        case "succeeded":
            return f"{what}: failed over in {report['recovery_seconds']:.0f} s"
        case "stood-down":
            return f"{what}: stood down, nothing was changed"
        case _:
            return f"{what}: FAILOVER STOPPED, a person is needed"
