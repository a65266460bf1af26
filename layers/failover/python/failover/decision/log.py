"""Decisions in the ledger: every evaluation, with one sentence why and its evidence, also those that did nothing.

The same decision again and again, as while a site stays lost for days, is one record for an hour, with the evidence
of the first time, how often it was taken, and until when.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aws_lambda_powertools import Logger

from failover.aws.events import put_event_at_most_once
from failover.decision.case import Case, Decision
from failover.documents import decision as documents
from failover.ledger.dynamodb import Item, sortable
from failover.ledger.ledger import Ledger

logger = Logger(service="failover")
RETENTION_S: Final = 90 * 86_400
_LAST: Final = "last-decision#"
RUN_S: Final = 3600
"""For how long the same decision is counted in one record."""


@dataclass(frozen=True, kw_only=True)
class DecisionRecord:
    """An evaluation, and the same again. `on`, `evidence` and the sentence why are of the first time."""

    plan: str
    at: float
    """When it was first taken, seconds since 1970."""
    by: str
    """The judge, or the execution whose `assess` it was."""
    site: str
    decision: Decision
    on: tuple[str, ...] = ()
    """The sources whose word was the occasion."""
    started: str | None = None
    """The execution it started."""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    times: int = 1
    until: float | None = None
    """When it was last taken, seconds since 1970."""

    def as_document(self) -> documents.Decision:
        """The form it has in an event."""
        return {
            "version": 1,
            "plan": self.plan,
            "at": self.at,
            "by": self.by,
            "site": self.site,
            "verdict": self.decision.verdict,
            "why": self.decision.why,
            "guard": self.decision.guard,
            "votes": list(self.decision.votes),
            "on": list(self.on),
            "started": self.started,
            "times": self.times,
            "until": self.at if self.until is None else self.until,
        }


def decision_record(
    plan: str, case: Case, decision: Decision, *, by: str, on: tuple[str, ...] = (), started: str | None = None
) -> DecisionRecord:
    """The record of a decision that was just taken."""
    return DecisionRecord(
        plan=plan,
        at=case.now,
        by=by,
        site=case.evidence.lost_site,
        decision=decision,
        on=on,
        started=started,
        evidence=case.evidence.as_document(),
    )


def save_decision(book: Ledger, record: DecisionRecord) -> str:
    """Keep it for 90 days; answers its sort key.

    Raises:
        LedgerUnavailable
    """
    document = {**record.as_document(), "evidence": record.evidence}
    packed = gzip.compress(json.dumps(document, default=str, separators=(",", ":")).encode(), mtime=0)
    sort = f"decision#{sortable(record.at)}#{uuid.uuid4().hex[:8]}"
    book.put(record.plan, sort, {"record": packed, "expires": int(record.at) + RETENTION_S})
    return sort


def _last_decision(book: Ledger, plan: str, by: str) -> Item:
    """What is kept of the last decision of a judge, for the next one to be compared with."""
    return book.item(plan, f"{_LAST}{by}") or {"fingerprint": "", "since": "0", "sort": "", "revision": 0}


def record_decision(book: Ledger, record: DecisionRecord) -> None:
    """Keep a decision, count it, and tell other systems if it is another one than the last of the same judge.

    The event is told once at most, by best effort: who needs every decision asks the ledger.

    Raises:
        LedgerUnavailable
    """
    place, fingerprint = f"{_LAST}{record.by}", _fingerprint(record)
    last = _last_decision(book, record.plan, record.by)
    same = last["fingerprint"] == fingerprint
    if same and record.at - float(last["since"]) < RUN_S:
        book.increment(
            record.plan, last["sort"], {"until": str(record.at), "expires": int(record.at) + RETENTION_S}, "again"
        )
    else:
        sort = save_decision(book, record)
        run = {
            "fingerprint": fingerprint,
            "since": str(record.at),
            "sort": sort,
            "expires": int(record.at) + RETENTION_S,
        }
        first = book.compare_and_swap(record.plan, place, run, last["revision"])
        if first and not same:
            _publish(record)


def decisions(book: Ledger, plan: str, most: int = 20) -> list[DecisionRecord]:
    """The latest decisions, the last one first.

    Raises:
        LedgerUnavailable
    """
    return [_record(item) for item in book.newest(plan, "decision#", most)]


def _fingerprint(record: DecisionRecord) -> str:
    """What makes it another decision; the numbers in its sentence do not."""
    decision = record.decision
    distinctive = [record.site, decision.verdict, decision.guard, sorted(decision.votes), record.started]
    return hashlib.sha256(json.dumps(distinctive).encode()).hexdigest()


def _publish(record: DecisionRecord) -> None:
    if why := put_event_at_most_once("Failover Decision", dict(record.as_document())):
        logger.warning("the decision is kept, and not told", why=why)


def _record(item: Item) -> DecisionRecord:
    document = json.loads(gzip.decompress(item["record"]))
    return DecisionRecord(
        plan=document["plan"],
        at=document["at"],
        by=document["by"],
        site=document["site"],
        decision=Decision(
            verdict=document["verdict"],
            why=document["why"],
            votes=tuple(document["votes"]),
            guard=document["guard"],
        ),
        on=tuple(document["on"]),
        started=document["started"],
        evidence=document["evidence"],
        times=1 + item.get("again", 0),
        until=float(item["until"]) if "until" in item else document["at"],
    )
