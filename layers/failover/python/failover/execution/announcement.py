"""Telling people and other systems how an execution ended, at least once; and that a start was refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from failover.aws.notify import notify_at_least_once, put_event_at_least_once
from failover.errors import FailoverError, TransientError
from failover.execution.report import headline

HOUR_S: Final = 3600


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


def _notify(report: Mapping[str, Any]) -> None:
    document = dict(report)
    notify_at_least_once(key=_people_key(report), subject=headline(document), message=document)


def _put_event(report: Mapping[str, Any]) -> None:
    put_event_at_least_once(
        key=f"{_key(report)}:event", detail_type=f"Failover {report['outcome']}", detail=dict(report)
    )


def announce_refusal(execution: str, start: object, error: Mapping[str, Any]) -> None:
    """Tell people that a start was refused before it claimed anything: who started it may not be there to see.

    Raises:
        LedgerUnavailable, ServiceUnavailable, LedgerRejected, ServiceRejected: as `announce`.
    """
    document = dict(start) if isinstance(start, Mapping) else {"input": start}
    kind, why = str(error.get("Error", "")), _message(str(error.get("Cause", "")))
    notify_at_least_once(
        key=f"{execution}:refused",
        subject=f"{document.get('plan', 'no plan')}: the start of {execution} was refused: {kind}",
        message={
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


def _people_key(report: Mapping[str, Any]) -> str:
    """Whoever stands down for a reason that may pass is followed by another that looks again, each minute: people are
    told once an hour of each reason."""
    passing = report["outcome"] == "stood-down" and not (report["manual"] or report["stands_until_resumed"])
    if not passing or not report["guard"]:
        return _key(report)
    hour = int(report["ended_at"] // HOUR_S)
    return f"stood-down:{report['plan']}:{report['from']}:{report['guard']}:{hour}"


def _message(cause: str) -> str:
    """The words of a Lambda function's error, which Step Functions gives as JSON."""
    try:
        return str(json.loads(cause)["errorMessage"])
    except (ValueError, KeyError, TypeError):
        return cause
