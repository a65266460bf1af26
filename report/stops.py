"""Why an execution stopped, what clients feel of it, and for how long it stood: in words. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from failover.documents.execution import ExecutionReport, Stop
from failover.documents.stops import error_message, on_lost_site, stop_in_words
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
        cause = error_message(str((report["error"] or {}).get("Cause", "")))
        return Stopped(where=where, cause=cause, remedy="", clients=_clients(report))
    stop = stops[-1]
    remedy = stop["remedy"]
    return Stopped(
        where=f"{stop_in_words(stop)}: {stop['error']}",
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
        (stop["at"], again, f"{stop_in_words(stop)}: {stop['error']}")
        for stop in report.get("stops") or []
        if (again := stop["redriven_at"]) is not None
    ]


def _step(stop: Stop) -> str:
    return stop["step"] or "a step that nothing tells"


def _clients(report: ExecutionReport) -> str:
    if report["kind"] != "failover" or any(step["step"] == "flip_dns" for step in report["steps"]):
        return ""
    return f"{on_lost_site(report, who='Clients')}."
