"""Telling of readiness that changed: an event for each check, a message to people for what became worse; each once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter

from failover.message import Message
from failover.readiness.store import Change


def publish_changes(plan: str, changes: Iterable[Change]) -> None:
    """Tell them.

    Raises:
        LedgerUnavailable, ServiceUnavailable: not all are known to be told; the next call goes on.
    """
    for revision, of_round in groupby(changes, attrgetter("revision")):
        _tell_round(plan, revision, list(of_round))


def _tell_round(plan: str, revision: int, changes: list[Change]) -> None:
    # Seldom does anything change, and it is slow to import: a look does not wait for it.
    from failover.aws.notify import notify_at_least_once, put_event_at_least_once

    for change in changes:
        put_event_at_least_once(key=change.key, detail_type="Readiness changed", detail=dict(change.as_detail()))
    worse = sorted((change for change in changes if change.worse), key=attrgetter("weight"), reverse=True)
    if worse:
        named = ", ".join(f"{change.check} {change.after}" for change in worse)
        notify_at_least_once(
            key=f"readiness:{plan}:{revision}",
            message=Message(
                subject=f"Readiness of {plan}: {_in_short(worse)}",
                what_happened=f"A failover of {plan} can count on less than before: {named}.",
                clients="they feel nothing of it; they would, on the day of a failover",
                to_do="do what each line says, and look anew",
                commands=(f"check {plan} --now",),
                evidence=[f"{change.check}: {'; '.join(change.evidence)}. Do: {change.remedy}" for change in worse],
            ),
            document={"plan": plan, "worse": [change.as_detail() for change in worse]},
        )


def _in_short(worse: Sequence[Change]) -> str:
    first, *more = worse
    return f"{first.check} {first.after}" + (f" and {len(more)} more" if more else "")
