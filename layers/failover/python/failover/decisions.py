"""Decisions in the ledger: every evaluation, with one sentence why and its evidence, also those that did nothing."""

from __future__ import annotations

import gzip
import json
import os
import uuid
from dataclasses import dataclass, field
from typing import Any, Final

from aws_lambda_powertools import Logger, single_metric
from aws_lambda_powertools.metrics import MetricUnit
from botocore.exceptions import BotoCoreError, ClientError

from failover.aws import client
from failover.decision import Case, Decision
from failover.items import sortable
from failover.ledger import Ledger

logger = Logger(service="failover")
KEPT_S: Final = 90 * 86_400


@dataclass(frozen=True)
class DecisionRecord:
    """One evaluation. `at`: seconds since 1970; `by`: judge, or the execution whose `assess` it was; `on`: the sources
    whose word was the occasion; `started`: the execution that was started."""

    plan: str
    at: float
    by: str
    site: str
    decision: Decision
    on: tuple[str, ...] = ()
    started: str | None = None
    evidence: dict[str, Any] = field(default_factory=dict)

    def as_document(self) -> dict[str, Any]:
        """The form it has in an event."""
        return {
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
        }


def record_of(
    plan: str, case: Case, decision: Decision, by: str, on: tuple[str, ...] = (), started: str | None = None
) -> DecisionRecord:
    """The record of a decision that was just taken."""
    evidence = case.evidence.as_document()
    return DecisionRecord(plan, case.now, by, case.evidence.lost_site, decision, on, started, evidence)


def keep_decision(book: Ledger, record: DecisionRecord) -> None:
    """Keep it for 90 days.

    Raises:
        LedgerUnavailable
    """
    document = record.as_document() | {"evidence": record.evidence}
    packed = gzip.compress(json.dumps(document, default=str, separators=(",", ":")).encode(), mtime=0)
    sort = f"decision#{sortable(record.at)}#{uuid.uuid4().hex[:8]}"
    book.put(record.plan, sort, {"record": packed, "expires": int(record.at) + KEPT_S})


def settle(book: Ledger, record: DecisionRecord) -> None:
    """Keep a decision, count it, and tell other systems if it is another one than the last.

    The event is told once at most, by best effort: who needs every decision asks the ledger.

    Raises:
        LedgerUnavailable
    """
    last = next(iter(decisions(book, record.plan, 1)), None)
    keep_decision(book, record)
    with single_metric(name="Decisions", unit=MetricUnit.Count, value=1, namespace="Failover") as metric:
        metric.add_dimension("plan", record.plan)
        metric.add_dimension("verdict", record.decision.verdict)
        metric.add_dimension("guard", record.decision.guard or "none")
    if last is None or _gist(last) != _gist(record):
        _tell(record)


def decisions(book: Ledger, plan: str, most: int = 20) -> list[DecisionRecord]:
    """The latest decisions, the last one first.

    Raises:
        LedgerUnavailable
    """
    return [_read(item["record"]) for item in book.newest(plan, "decision#", most)]


def _gist(record: DecisionRecord) -> tuple[str | None, ...]:
    return record.by, record.site, record.decision.verdict, record.decision.guard, record.started


def _tell(record: DecisionRecord) -> None:
    entry = {
        "Source": "kafka.failover",
        "DetailType": "Failover Decision",
        "Detail": json.dumps(record.as_document()),
        "EventBusName": os.environ.get("EVENT_BUS", "default"),
    }
    try:
        client("events").put_events(Entries=[entry])
    except (ClientError, BotoCoreError) as error:
        logger.warning("the decision is kept, and not told", why=f"{type(error).__name__}: {error}")


def _read(packed: bytes) -> DecisionRecord:
    document = json.loads(gzip.decompress(packed))
    return DecisionRecord(
        document["plan"],
        document["at"],
        document["by"],
        document["site"],
        Decision(document["verdict"], document["why"], tuple(document["votes"]), document["guard"]),
        tuple(document["on"]),
        document["started"],
        document["evidence"],
    )
