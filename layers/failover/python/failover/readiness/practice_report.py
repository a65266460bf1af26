"""The evidence of a practice: kept in the ledger for years, told to people, and put on the bus."""

from __future__ import annotations

import json
import time
from typing import Any, Final, cast

from failover.aws.notify import notify_at_least_once, put_event_at_least_once
from failover.documents.practice import PracticeReport, PracticeWay
from failover.errors import FailoverError, TransientError
from failover.execution.practice import way_there, ways_back
from failover.ledger.ledger import Ledger
from failover.message import Message
from failover.readiness.practice import leg_of

RETENTION_S: Final = 3 * 366 * 86_400
_SORT: Final = "practice#"


def practice_way(book: Ledger, plan: str, execution: str) -> PracticeWay | None:
    """What a switchover of a practice is evidence of; None if it did not succeed.

    Raises:
        LedgerUnavailable
    """
    record = book.execution(plan, execution)
    if record is None or record.status != "succeeded":
        return None
    leg = leg_of(record.document)
    return {
        "execution": leg.execution,
        "from": leg.from_site,
        "to": leg.to_site,
        "ended_at": leg.ended_at,
        "recovery_seconds": leg.took_seconds,
        "fenced_seconds": leg.fenced_seconds,
        "lost_records": leg.lost_records,
        "approved_by": leg.approved_by,
    }


def practice_report(book: Ledger, report: PracticeReport) -> PracticeReport:
    """The report with its two ways, as far as they are whole.

    Raises:
        LedgerUnavailable
    """
    plan, practice = report["plan"], report["practice"]
    back = (practice_way(book, plan, name) for name in ways_back(practice))
    return {
        **report,
        "there": practice_way(book, plan, way_there(practice)),
        "back": next((way for way in back if way is not None), None),
    }


def save_report(book: Ledger, report: PracticeReport) -> PracticeReport:
    """Keep it, and answer what is kept: the first that was.

    Raises:
        LedgerUnavailable
    """
    item = {"document": json.dumps(report), "expires": int(time.time()) + RETENTION_S}
    book.put_once(report["plan"], f"{_SORT}{report['practice']}", item)
    return load_report(book, report["plan"], report["practice"]) or report


def load_report(book: Ledger, plan: str, practice: str) -> PracticeReport | None:
    """How a practice ended; None if it has not.

    Raises:
        LedgerUnavailable
    """
    item = book.item(plan, f"{_SORT}{practice}")
    return None if item is None else cast("PracticeReport", json.loads(item["document"]))


def practices(book: Ledger, plan: str) -> list[PracticeReport]:
    """Every practice of a plan that is kept, the last one first.

    Raises:
        LedgerUnavailable
    """
    reports = [cast("PracticeReport", json.loads(item["document"])) for item in book.list_items(plan, _SORT)]
    return sorted(reports, key=lambda report: -report["ended_at"])


def announce_practice(report: PracticeReport, home: str) -> None:
    """Tell people, and put an event on the bus, once.

    Raises:
        LedgerUnavailable, ServiceUnavailable: it is not known to be told; call again.
        LedgerRejected, ServiceRejected: this stack may not tell.
    """
    key, document = f"{report['practice']}:{report['outcome']}", cast("dict[str, Any]", dict(report))
    failures: list[FailoverError] = []
    try:
        notify_at_least_once(key=key, message=message_of(report, home), document=document)
    except FailoverError as error:
        failures.append(error)
    try:
        put_event_at_least_once(key=f"{key}:event", detail_type=f"Practice {report['outcome']}", detail=document)
    except FailoverError as error:
        failures.append(error)
    if failures:
        raise next((error for error in failures if isinstance(error, TransientError)), failures[0])


def message_of(report: PracticeReport, home: str) -> Message:
    """How it ended, for people."""
    plan, active, there, back = report["plan"], report["active"], report["there"], report["back"]
    ways = [_in_words(way) for way in (there, back) if way is not None]
    evidence = [f"started by {report['started_by'] or 'the schedule'}: {report['reason'] or 'no reason given'}", *ways]
    if report["outcome"] == "failed":
        lead = "failback" if active != home else "switchover"
        return Message(
            subject=f"{plan}: practice FAILED, a person is needed",
            what_happened=f"The practice of {plan} has ended, and clients were not led back: {report['why']}",
            clients=f"they are led to {active}, as far as the ledger tells",
            done="; ".join(ways) or "see the history",
            to_do=f"see where clients are; if they work on {active}, lead them back when you like",
            commands=(f"status {plan}", f"start {lead} {plan}", f"history {plan}"),
            evidence=evidence[:1],
        )
    succeeded = report["outcome"] == "succeeded"
    return Message(
        subject=f"{plan}: practised, clients are back on {active}" if succeeded else f"{plan}: practice stood down",
        what_happened=f"The practice of {plan} has ended: {report['why']}",
        clients=f"they work on {active}, as before",
        done=f"{active} is active; the report is kept as evidence" if succeeded else "clients were not led away",
        commands=(f"practices {plan}", f"history {plan}"),
        evidence=evidence,
    )


def _in_words(way: PracticeWay) -> str:
    fenced = "" if way["fenced_seconds"] is None else f", fenced for {way['fenced_seconds']:.1f} s"
    proof = "what is left behind is not known" if way["lost_records"] is None else "nothing left behind"
    who = f", approved by {way['approved_by']}" if way["approved_by"] else ""
    return f"to {way['to']} in {way['recovery_seconds']:.0f} s{fenced}, {proof}{who}"
