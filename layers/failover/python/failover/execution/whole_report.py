"""All that the ledger has of an execution that has ended, in one document."""

from __future__ import annotations

from failover.documents.whole_report import WholeReport
from failover.ledger.ledger import Ledger
from failover.ledger.topic_tables import load_table


def whole_report(book: Ledger, plan: str, execution: str) -> WholeReport | None:
    """The report of an execution with its steps' evidence and its loss by partition; None: it has no report (yet).

    Raises:
        LedgerUnavailable
    """
    record = book.execution(plan, execution)
    if record is None or not record.document:
        return None
    table = (record.document.get("loss") or {}).get("table")
    rows = load_table(book, plan, table) if table else {}
    document: WholeReport = {
        "version": 1,
        "report": record.document,  # type: ignore[typeddict-item]
        "observed": {step.step: step.observed for step in book.steps_of(plan, execution)},
        "partitions": [partition for partitions in rows.values() for partition in partitions],
    }
    return document


def measured_by(book: Ledger, plan: str, execution: str) -> list[str]:
    """The failovers in whose reports a restore has put what it measured of their loss; none, of what is no restore.

    Raises:
        LedgerUnavailable
    """
    record = book.execution(plan, execution)
    if record is None or record.kind != "restore":
        return []
    losses = {other.name: other.document.get("loss") or {} for other in book.executions(plan)}
    return [name for name, loss in losses.items() if (loss.get("measured") or {}).get("execution") == execution]
