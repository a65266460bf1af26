"""At which step an execution stopped, whose refusal it was, and what to do about it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from failover.documents.execution import Stop
from failover.documents.stops import error_message
from failover.ledger.records import Failure, StepRecord
from failover.plan.model import Plan

_LATE: Final = " was not done in time"
_UNAUTHENTICATED, _FORBIDDEN = 401, 403


def stop_of(
    plan: Plan,
    *,
    stopped_at: str | None,
    error: Mapping[str, Any],
    steps: Sequence[StepRecord],
    failures: Sequence[Failure],
    at: float,
) -> Stop:
    """The stop of an execution, by the error that Step Functions gives and what the steps kept of what they raised."""
    why = error_message(str(error.get("Cause", "")))
    name = str(error.get("Error", ""))
    failure = _raised(name, why, failures)
    site = _refused_by(plan, failure)
    return {
        "at": at,
        "step": failure.step if failure else _unfinished(why, stopped_at, steps),
        "error": name,
        "why": why,
        "site": site,
        "remedy": _remedy(plan.sites[site].kafka.credentials if site else None, failure),
        "redriven_at": None,
    }


def with_stop(before: Sequence[Stop], stop: Stop) -> list[Stop]:
    """The stops with another one; recorded again before a redrive, it is the same one."""
    if before and before[-1]["redriven_at"] is None and before[-1] == stop | {"at": before[-1]["at"]}:
        return list(before)
    return [*before, stop]


def stopped_seconds(stops: Sequence[Stop], began: float, ended: float) -> float:
    """For how long of a time the execution was stopped."""
    spans = [(stop["at"], stop["redriven_at"]) for stop in stops]
    return sum(max(0.0, min(ended, again) - max(began, at)) for at, again in spans if again is not None)


def _raised(name: str, why: str, failures: Sequence[Failure]) -> Failure | None:
    """Whose error it was: of those of its name the one in its words, or the last."""
    alike = [failure for failure in failures if failure.error == name]
    return max(alike, key=lambda failure: (failure.why == why, failure.at), default=None)


def _unfinished(why: str, stopped_at: str | None, steps: Sequence[StepRecord]) -> str | None:
    """The step that was not done in time, or whose state it stopped at."""
    late, is_late, _ = why.partition(_LATE)
    state = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", (stopped_at or "").removeprefix("Begin")).lower()
    for step in (late if is_late else "", state):
        if at_work := [record.step for record in steps if step and record.step.partition(":")[0] == step]:
            return at_work[0] if len(at_work) == 1 else step
    return late if is_late else None


def _refused_by(plan: Plan, failure: Failure | None) -> str | None:
    cluster = failure.cluster if failure else ""
    return next((name for name, site in plan.sites.items() if cluster and site.kafka.cluster_id == cluster), None)


def _remedy(credentials: str | None, failure: Failure | None) -> str:
    """What to do, where the error tells; else its own words do."""
    if credentials is None or failure is None:
        return "mend the cause"
    if failure.status == _FORBIDDEN:
        return f"give the key in secret {credentials} ALTER on the cluster and its topics, or CloudClusterAdmin"
    if failure.status == _UNAUTHENTICATED:
        return f"put a key of this very cluster, or an OAuth client that it admits, into secret {credentials}"
    return "mend the cause"
