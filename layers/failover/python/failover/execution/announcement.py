"""Telling people and other systems how an execution ended, at least once; and that a start was refused.

An execution announces its own end. Who stops it in between keeps that from nobody: what is left is announced by whoever
finds it in the ledger.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

from aws_lambda_powertools import Logger

from failover.aws.notify import notify_at_least_once, put_event_at_least_once
from failover.container import remembered
from failover.documents.stops import error_message
from failover.errors import FailoverError, TransientError
from failover.execution.ending import message_of
from failover.ledger.ledger import Ledger
from failover.message import Message

HOUR_S: Final = 3600
OWN_ANNOUNCEMENT_S: Final = 20.0
"""An end that is younger is being announced by its own execution."""
TRIED_AGAIN_S: Final = 15.0

logger = Logger(service="failover")


def announce(report: Mapping[str, Any]) -> None:
    """Tell people, and put an event on the bus, once for each end: a redrive may end anew.

    A dry run is no news, however it ends: check_readiness reads it, and tells once what became of it.

    Raises:
        LedgerUnavailable, ServiceUnavailable: it is not known to be told; call again.
        LedgerRejected, ServiceRejected: this stack may not tell.
    """
    if report["dry_run"]:
        return
    failures = []
    for tell in (_notify, _put_event):
        try:
            tell(report)
        except FailoverError as error:
            failures.append(error)
    if failures:
        raise next((error for error in failures if isinstance(error, TransientError)), failures[0])


def announce_missed(book: Ledger, plan: str, executions: Iterable[str]) -> None:
    """Announce ends that their own executions did not. What can't be announced now is tried again by the next call."""
    for name in sorted(executions):
        if time.time() - _last_tries().get(name, 0.0) < TRIED_AGAIN_S:
            continue
        try:
            record = book.execution(plan, name)
            if record and record.ended_at and time.time() - record.ended_at < OWN_ANNOUNCEMENT_S:
                continue
            _last_tries()[name] = time.time()
            if record and record.document:
                announce(record.document)
            book.keep_announced(plan, name)
        except FailoverError as error:
            logger.warning("the end is not announced", execution=name, why=str(error))


@remembered
def _last_tries() -> dict[str, float]:
    """When an end was last tried to be announced, by its execution."""
    return {}


def _notify(report: Mapping[str, Any]) -> None:
    document = dict(report)
    message = message_of(document)
    if _passes(report):
        key = f"stood-down:{report['plan']}:{report['from']}:{report['guard']}"
        notify_at_least_once(key=key, message=message, document=document, again_after_s=HOUR_S)
    else:
        notify_at_least_once(key=_key(report), message=message, document=document)


def _put_event(report: Mapping[str, Any]) -> None:
    put_event_at_least_once(
        key=f"{_key(report)}:event",
        detail_type=f"{report['kind'].capitalize()} {report['outcome']}",
        detail=dict(report),
    )


def announce_refusal(execution: str, start: object, error: Mapping[str, Any]) -> None:
    """Tell people that a start was refused before it claimed anything: who started it may not be there to see. Another
    start of that name, as on another state machine, or for another reason, is told, too.

    Raises:
        LedgerUnavailable, ServiceUnavailable, LedgerRejected, ServiceRejected: as `announce`.
    """
    document = dict(start) if isinstance(start, Mapping) else {"input": start}
    kind, why = str(error.get("Error", "")), error_message(str(error.get("Cause", "")))
    digest = hashlib.sha256(json.dumps([document, kind, why], sort_keys=True).encode()).hexdigest()
    notify_at_least_once(
        key=f"{execution}:refused:{digest[:16]}",
        message=Message(
            subject=f"{document.get('plan', 'no plan')}: start refused, {kind}",
            what_happened=f"The start of {execution} was refused: {kind}: {why}",
            clients="they feel nothing of it",
            done="nothing was changed",
            to_do="mend what it says, and start again",
            commands=("status",),
            evidence=[
                f"started by {document.get('by') or '(not said)'}",
                f"reason: {document.get('reason') or 'none'}",
            ],
        ),
        document={
            "execution": execution,
            "start": document,
            "started_by": document.get("by") or "not said",
            "reason": document.get("reason") or "",
            "error": kind,
            "why": why,
            "changed": "nothing was changed",
        },
    )


def _key(report: Mapping[str, Any]) -> str:
    return f"{report['execution']}:{report['outcome']}:{report['redrives']}"


def _passes(report: Mapping[str, Any]) -> bool:
    """Whoever stands down for a reason that may pass is followed by another that looks again, each minute: people are
    told once an hour of each reason."""
    follows = report["outcome"] == "stood-down" and not (report["manual"] or report["stands_until_resumed"])
    return bool(follows and report["guard"])
