"""The controller's own account of an execution: what happened when, and what is known, and not known, of the loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Literal

from failover.documents.execution import (
    Approval,
    Consumers,
    ExecutionReport,
    FleetCapacity,
    Loss,
    Predecessor,
    Restore,
    StepTiming,
    Stop,
    Switchover,
)
from failover.execution.stops import stopped_seconds
from failover.ledger.execution import Execution
from failover.ledger.records import StepRecord
from failover.plan.model import Plan


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How an execution ended."""

    outcome: Literal["succeeded", "stood-down", "failed"]
    why: str = ""
    stopped_at: str | None = None
    """The step that failed."""
    error: dict[str, Any] | None = None
    redrives: int = 0
    predecessors: list[Predecessor] = field(default_factory=list)
    approval: Approval | None = None
    """What a person answered, if one was asked."""
    clients_at: str | None = None
    """Where it saw the client hostname lead, if it took over from another and stood down."""
    stops: list[Stop] = field(default_factory=list)


def execution_report(
    plan: Plan, execution: Execution, ending: Ending, steps: list[StepRecord], *, loss: Loss | None
) -> ExecutionReport:
    """The report that the ledger keeps and people are sent. `loss`: of an execution that promoted; None: it changed
    nothing."""
    observed = {record.step: record.observed for record in steps}
    assessed = observed.get("assess") or observed.get("precheck", {})
    recovered = ending.outcome == "succeeded" and not execution.dry_run and execution.kind != "restore"
    ended = max((record.reported_at for record in steps), default=execution.claimed_at)
    return {
        "version": 1,
        "plan": plan.name,
        "execution": execution.name,
        "arn": execution.arn,
        "epoch": execution.epoch,
        "kind": execution.kind,
        "from": execution.from_site,
        "to": execution.to_site,
        "dry_run": execution.dry_run,
        "manual": execution.manual,
        "started_by": execution.started_by,
        "reason": execution.reason,
        "outcome": ending.outcome,
        "why": ending.why or assessed.get("why", ""),
        "votes": assessed.get("votes", []),
        "guard": assessed.get("guard", ""),
        "stands_until_resumed": assessed.get("stands_until_resumed", False),
        "outage_started_at": execution.outage_started_at,
        "claimed_at": execution.claimed_at,
        "ended_at": ended,
        "recovery_seconds": ended - (execution.outage_started_at or execution.claimed_at) if recovered else None,
        "objectives": {
            "rto_seconds": plan.objectives.rto_seconds,
            "rpo_records": plan.objectives.rpo_records,
        },
        "approval": ending.approval,
        "loss": loss,
        "consumers": consumers(observed.get("check_offsets", {}), loss),
        "left_behind": observed.get("promote_mirrors", {}).get("left_behind", []),
        "capacity": capacity(observed),
        "switchover": switchover(observed) if execution.kind == "switchover" else None,
        "restore": restore(observed) if execution.kind == "restore" else None,
        "hooks": [row for name in observed if name.startswith("call_hooks:") for row in observed[name]["hooks"]],
        "steps": [_timing(record, ending.stops, dry_run=execution.dry_run) for record in steps],
        "predecessors": ending.predecessors,
        "clients_found_at": ending.clients_at,
        "stopped_at": ending.stopped_at,
        "error": ending.error,
        "redrives": ending.redrives,
        "stops": ending.stops,
    }


def _timing(record: StepRecord, stops: list[Stop], *, dry_run: bool) -> StepTiming:
    took = record.reported_at - record.started_at - stopped_seconds(stops, record.started_at, record.reported_at)
    timing: StepTiming = {
        "step": record.step,
        "status": record.status,
        "calls": record.calls,
        "started_at": record.started_at,
        "reported_at": record.reported_at,
        "took_seconds": round(took, 3),
    }
    if dry_run:
        timing["observed"] = _would(record)
    return timing


def switchover(observed: dict[str, dict[str, Any]]) -> Switchover:
    """What makes it a switchover: that nothing was left behind, by both logs of every partition, before a mirror was
    reversed; what became of offsets; whether the site that was left has a copy. `put_back`: the fleets that were led
    back, since it was given up."""
    drained, offsets = observed.get("drain_mirrors", {}), observed.get("sync_offsets", {})
    is_drained = "behind" in drained and not (drained["behind"] or drained["growing"] or drained["not_told"])
    return {
        "drained_partitions": drained["partitions"] if is_drained else None,
        "offsets": {
            "label": "measured" if offsets else "unknown",
            "compared": offsets.get("compared"),
            "committed": offsets.get("committed"),
            "refused": offsets.get("refused", []),
            "unknown": offsets.get("unknown", []),
        },
        "mirrors_back": observed.get("look_back", {}).get("mirrors_back"),
        "put_back": sorted(step.partition(":")[2] for step in observed if step.startswith("put_back:")),
    }


def restore(observed: dict[str, dict[str, Any]]) -> Restore:
    """What makes it a restore: what the returned site held beyond the active one, and what became of it."""
    measured, mirrors = observed.get("measure_divergence", {}), observed.get("restore_mirrors", {})
    rescued = observed.get("rescue_records", {})
    exact = bool(measured) and not (measured["unknown_count"] or measured["growing"])
    return {
        "diverged": measured["diverged"] if exact else None,
        "saved": rescued["saved"] + rescued["without_record"] if "saved" in rescued else None,
        "discarded": bool(mirrors.get("discarded")),
        "topics": mirrors.get("topics"),
        "by_status": mirrors.get("by_status", {}),
        "deleted": observed.get("precheck", {}).get("deleted", []),
    }


def capacity(observed: dict[str, dict[str, Any]]) -> list[FleetCapacity]:
    """How large the fleets were that clients came to."""
    steps = {step.partition(":")[2]: it["capacity"] for step, it in observed.items() if "capacity" in it}
    return [
        {
            "fleet": fleet,
            "needed": of_fleet["needed"],
            "before": of_fleet.get("before"),
            "raised_to": of_fleet.get("raised_to"),
            "short_because": of_fleet.get("short_because", ""),
        }
        for fleet, of_fleet in sorted(steps.items())
    ]


def capacity_in_words(report: Mapping[str, Any]) -> list[str]:
    """What people should know of it, a line a fleet; nothing of one that was large enough."""
    lines = []
    for row in report.get("capacity", ()):
        if row["short_because"]:
            lines.append(f"{row['fleet']} is too small for all clients: {row['short_because']}")
        elif row["needed"] is None:
            lines.append(f"how many instances {row['fleet']} needs is not known: it was left as it was")
        elif row["raised_to"]:
            lines.append(f"{row['fleet']} was raised from {row['before']} to {row['raised_to']} instances")
    return lines


def _would(record: StepRecord) -> dict[str, Any]:
    """What a step of a dry run found, and would have done; without the evidence, which is kept with the step."""
    return {key: value for key, value in record.observed.items() if key != "evidence"}


def consumers(checked: dict[str, Any], loss: Loss | None) -> Consumers:
    """What protected groups go through: how much they may read again (*bounded*: by the interval at which their offsets
    are synced, at the peak rate, beside the link's latency), and which offsets were ahead of the data (*measured*)."""
    seconds, rate = checked.get("offset_sync_seconds"), loss.get("peak_rate") if loss else None
    return {
        "groups": checked.get("groups", []),
        "read_again": {
            "label": "unknown" if seconds is None else "bounded",
            "seconds": seconds,
            "records": None if seconds is None or rate is None else ceil(seconds * rate),
        },
        "ahead": {
            "label": "measured" if checked else "unknown",
            "count": checked.get("ahead_count"),
            "offsets": checked.get("ahead", []),
            "clamped": checked.get("clamped", []),
            "refused": checked.get("refused", []),
            "unknown": checked.get("unknown", []),
        },
        "open_transactions": checked.get("open_transactions", []),
    }


def headline(report: dict[str, Any]) -> str:
    """One line for a notification's subject."""
    what = f"{report['plan']} {report['from']} to {report['to']}"
    if report["dry_run"]:
        return f"{what}: dry run {report['outcome']}, nothing was changed"
    if report.get("switchover") is not None:
        return f"{what}: {_switched(report)}"
    if report.get("restore") is not None:
        return f"{what}: {_restored(report)}"
    match report["outcome"]:
        case "succeeded":
            took = f"{report['recovery_seconds']:.0f} s{_stopped(report)}"
            return f"{what}: failed over in {took}, {_stranded(report['loss'])}"
        case "stood-down":
            return f"{what}: stood down, {leftovers(report)}"
        case _:
            return f"{what}: FAILOVER STOPPED, a person is needed"


def _stopped(report: dict[str, Any]) -> str:
    """For how much of the time it waited for a redrive, and where."""
    stops = [stop for stop in report.get("stops", ()) if stop["redriven_at"] is not None]
    if not stops:
        return ""
    steps = ", ".join(dict.fromkeys(stop["step"] or "an unknown step" for stop in stops))
    return f" ({stopped_seconds(stops, 0.0, stops[-1]['redriven_at']):.0f} s of them stopped at {steps})"


def _switched(report: dict[str, Any]) -> str:
    put_back = report["switchover"]["put_back"]
    match report["outcome"]:
        case "succeeded":
            proof = (
                "nothing left behind"
                if report["switchover"]["drained_partitions"]
                else "what is left behind is not known"
            )
            return f"switched over in {report['recovery_seconds']:.0f} s, {proof}"
        case "stood-down":
            return f"switchover {'given up, and put back' if put_back else 'stood down, nothing was changed'}"
        case _:
            return "SWITCHOVER STOPPED, a person is needed"


def _restored(report: dict[str, Any]) -> str:
    match report["outcome"]:
        case "succeeded":
            return f"{report['from']} mirrors {report['to']} again, {_diverged(report['restore'])}"
        case "stood-down":
            return "restore stood down, nothing more is truncated"
        case _:
            return "RESTORE STOPPED, a person is needed"


def _diverged(restore: dict[str, Any]) -> str:
    """What was stranded and what became of it; unknown is never none."""
    diverged, saved = restore["diverged"], restore["saved"]
    if diverged is None:
        return "what was stranded there is not known"
    if not diverged:
        return "nothing was stranded there"
    rest = "what is saved of them is not known" if saved is None else f"{saved:,} of them saved"
    return f"{diverged:,} stranded (measured), {'truncated unsaved' if restore['discarded'] and not saved else rest}"


def leftovers(report: dict[str, Any]) -> str:
    """What an execution that changed nothing leaves behind; one that it superseded may have changed something."""
    before = [predecessor["execution"] for predecessor in report.get("predecessors", ()) if predecessor["reached"]]
    if not before:
        return "nothing was changed"
    where = report.get("clients_found_at")
    clients = f"the name leads to {where}" if where else "where the name leads is not known"
    return f"nothing was changed but by {', '.join(before)} before; {clients}"


def _stranded(loss: dict[str, Any] | None) -> str:
    """The loss in a few words, which are never "0": nobody but the lost site knows it."""
    if loss is not None and loss.get("label") == "measured":
        return f"{loss['measured']['records']:,} stranded (measured)"
    records = (loss or {}).get("records")
    if loss is None or records is None:
        return "loss unknown"
    unknown = f", {loss['unknown_partitions']} partitions unknown" if loss["unknown_partitions"] else ""
    if not records["high"]:
        return f"none expected to be stranded (estimate){unknown}"
    return f"{records['low']:,} to {records['high']:,} stranded (estimate){unknown}"
