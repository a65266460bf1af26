"""Why an execution stopped, what clients feel of it, and for how long it stood: in words. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass

from failover.documents.execution import ExecutionReport, Stop
from report.wording import clock


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """What who reads of a stop needs first."""

    where: str
    cause: str
    remedy: str
    clients: str
    """Empty: nothing is known of them by it."""


def stopped(report: ExecutionReport) -> Stopped:
    """Why it stopped, as the last stop has it; reports of before have only the error of a state."""
    stops = report.get("stops") or []
    error = str((report["error"] or {}).get("Error", "no error was told"))
    if not stops:
        where = f"At {report['stopped_at'] or 'its end'}: {error}"
        return Stopped(where=where, cause=_cause(report), remedy="", clients=_clients(report))
    stop = stops[-1]
    remedy = stop["remedy"]
    return Stopped(
        where=f"{_refusal(stop)}: {stop['error']}",
        cause=stop["why"],
        remedy=f"{remedy[:1].upper()}{remedy[1:]}; then redrive it.",
        clients=_clients(report),
    )


def stopped_step(report: ExecutionReport) -> str:
    """The step that it stopped at, or as much as is known of it."""
    stops = report.get("stops") or []
    return (stops[-1]["step"] if stops else None) or report["stopped_at"] or "its end"


def stop_facts(report: ExecutionReport) -> list[tuple[str, str]]:
    """Every stop that was gone on from: when, where, why, and when it was redriven."""
    return [
        (
            "Stopped, and redriven",
            f"stopped {clock(stop['at'])} UTC at {_step(stop)} ({stop['error']}), redriven at {clock(again)} UTC;"
            " by whom, CloudTrail's RedriveExecution tells",
        )
        for stop in report.get("stops") or []
        if (again := stop["redriven_at"]) is not None
    ]


def gaps(report: ExecutionReport) -> list[tuple[float, float, str]]:
    """From when to when it stood still, and why."""
    return [
        (stop["at"], again, f"{_refusal(stop)}: {stop['error']}")
        for stop in report.get("stops") or []
        if (again := stop["redriven_at"]) is not None
    ]


def _step(stop: Stop) -> str:
    return stop["step"] or "a step that nothing tells"


def _refusal(stop: Stop) -> str:
    return f"{_step(stop)} was refused by {stop['site']}" if stop["site"] else f"{_step(stop)} failed"


def _clients(report: ExecutionReport) -> str:
    """Only sources that said that the site is lost tell that clients can't work."""
    if report["kind"] != "failover" or any(step["step"] == "flip_dns" for step in report["steps"]):
        return ""
    if report["votes"]:
        return f"Clients can't work: they are still led to {report['from']}, which does not answer."
    return f"Clients are still led to {report['from']}; whether they can work there is not known."


def _cause(report: ExecutionReport) -> str:
    """The words of the error that it stopped with, without a function's trace."""
    cause = str((report["error"] or {}).get("Cause", ""))
    try:
        return str(json.loads(cause)["errorMessage"])
    except (ValueError, KeyError, TypeError):
        return cause
