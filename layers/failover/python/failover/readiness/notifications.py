"""Telling of readiness that changed: an event for each check, a message to people for what became worse; each once."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from operator import attrgetter

from aws_lambda_powertools.utilities.idempotency.exceptions import IdempotencyAlreadyInProgressError

from failover.aws.notify import notify_once, put_event_once
from failover.readiness.store import Change


def tell(plan: str, changes: Iterable[Change]) -> bool:
    """Tell them; whether all are told now. Those that another call is just telling are not known to be.

    Raises:
        ServiceUnavailable: if EventBridge or SNS does not answer; the next call goes on.
    """
    try:
        for revision, of_round in groupby(changes, attrgetter("revision")):
            _tell_round(plan, revision, list(of_round))
    except IdempotencyAlreadyInProgressError:
        return False
    return True


def _tell_round(plan: str, revision: int, changes: list[Change]) -> None:
    for change in changes:
        put_event_once(key=change.key, detail_type="Readiness changed", detail=change.as_detail())
    worse = [change for change in changes if change.worse]
    if worse:
        named = ", ".join(f"{change.check} {change.after}" for change in worse)
        notify_once(
            key=f"readiness:{plan}:{revision}",
            subject=f"Readiness of {plan}: {named}",
            message={"plan": plan, "worse": [change.as_detail() for change in worse]},
        )
