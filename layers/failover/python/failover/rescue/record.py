"""What a restore's own tables in the ledger say of its stranded records: measured, and saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.ledger.topic_tables import load_execution_table, save_execution_table
from failover.rescue.stranded import Saved, Spot, Stranded, StrandedRange

_STRANDED = "stranded"
_SAVED = "rescued"


def save_stranded(book: Ledger, execution: Execution, stranded: Stranded) -> None:
    """Keep what was measured, in place of what was before; also that nothing is stranded.

    Raises:
        LeaseLost, LedgerUnavailable
    """
    rows: dict[str, list[tuple[int, int, int]]] = {}
    for entry in sorted(stranded.ranges):
        rows.setdefault(entry.topic, []).append((entry.partition, entry.begin, entry.end))
    save_execution_table(book, execution, _STRANDED, rows)
    measured = {"site": stranded.site, "partitions": len(stranded.ranges)}
    book.put_fenced(execution, f"measured#{execution.name}", measured)


def load_stranded(book: Ledger, execution: Execution) -> Stranded | None:
    """What was measured; None if it was not, or is being measured anew at this moment.

    Raises:
        LedgerUnavailable
    """
    head = book.item(execution.plan, f"measured#{execution.name}")
    if head is None:
        return None
    ranges = tuple(
        StrandedRange(topic=topic, partition=partition, begin=begin, end=end)
        for topic, row in load_execution_table(book, execution, _STRANDED).items()
        for partition, begin, end in row
    )
    return Stranded(head["site"], ranges) if len(ranges) == head["partitions"] else None


def save_progress(book: Ledger, execution: Execution, saved: Mapping[Spot, Saved]) -> None:
    """Keep how far each partition is saved.

    Raises:
        LeaseLost, LedgerUnavailable
    """
    rows: dict[str, dict[str, dict[str, int]]] = {}
    for (topic, partition), progress in sorted(saved.items()):
        rows.setdefault(topic, {})[str(partition)] = asdict(progress)
    save_execution_table(book, execution, _SAVED, rows)


def load_progress(book: Ledger, execution: Execution) -> dict[Spot, Saved]:
    """How far each partition is saved; those that were not begun are left out.

    Raises:
        LedgerUnavailable
    """
    return {
        (topic, int(partition)): Saved(**row)
        for topic, rows in load_execution_table(book, execution, _SAVED).items()
        for partition, row in rows.items()
    }
