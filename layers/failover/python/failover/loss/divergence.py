"""The exact divergence: what a returned site holds beyond the offsets at which the other one took over.

Each partition's range is from the offset that a restore truncates it to, up to where its log ends on the returned site;
it is empty where nothing is stranded. It is measured before anything is truncated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import takewhile
from typing import Final

from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.ledger.records import ExecutionRecord
from failover.ledger.topic_tables import load_execution_table, save_execution_table
from failover.rescue.stranded import Spot, StrandedRange

TABLE: Final = "divergence"
SOURCE_ENDS: Final = "source-ends"
"""The table of where a switchover saw the logs of the site end that it left, behind the fence."""


def save_divergence(book: Ledger, execution: Execution, ranges: Iterable[StrandedRange]) -> None:
    """Keep every partition's range, also the empty ones: a partition that has none was not measured.

    Raises:
        LeaseLost, LedgerUnavailable
    """
    rows: dict[str, list[tuple[int, int, int]]] = {}
    for stranded in sorted(ranges):
        rows.setdefault(stranded.topic, []).append((stranded.partition, stranded.begin, stranded.end))
    save_execution_table(book, execution, TABLE, rows)


def divergence(book: Ledger, execution: Execution) -> list[StrandedRange]:
    """Every partition's range; empty if none was measured.

    Raises:
        LedgerUnavailable
    """
    return [
        StrandedRange(topic=topic, partition=int(partition), begin=int(begin), end=int(end))
        for topic, rows in load_execution_table(book, execution, TABLE).items()
        for partition, begin, end in rows
    ]


def failovers_before(book: Ledger, execution: Execution) -> list[ExecutionRecord]:
    """The failovers that a restore follows: from the returned site to the active one, since that was active last; the
    last of them first.

    Raises:
        LedgerUnavailable
    """
    return [record for record in _led_away(book, execution) if record.kind == "failover"]


def _led_away(book: Ledger, execution: Execution) -> list[ExecutionRecord]:
    """What led from the returned site to the active one since the returned one was active; the last of them first."""
    walked = (record for record in book.executions(execution.plan) if not record.document.get("dry_run"))
    since = takewhile(
        lambda record: not (record.to_site == execution.from_site and record.status == "succeeded"), walked
    )
    return [record for record in since if record.to_site == execution.to_site]


def log_ends_at_promotion(book: Ledger, execution: Execution) -> Mapping[Spot, int]:
    """Where each partition ended when it was made writable: by those failovers, of which the earliest record counts,
    later ones hold clients' own; or by a switchover, behind whose fence both logs ended alike.

    Raises:
        LedgerUnavailable
    """
    ends: dict[Spot, int] = {}
    for record in _led_away(book, execution):
        earlier = execution.model_copy(update={"name": record.name})
        rows_of: dict[str, list[tuple[int, int]]] = {}
        if record.kind == "failover":
            rows_of = load_execution_table(book, earlier, "log-ends")
        elif record.kind == "switchover" and record.status == "succeeded":
            drained = load_execution_table(book, earlier, SOURCE_ENDS)
            rows_of = {topic: row["ends"] for topic, row in drained.items()}
        for topic, rows in rows_of.items():
            for partition, end in rows:
                spot = topic, int(partition)
                ends[spot] = min(int(end), ends.get(spot, int(end)))
    return ends
