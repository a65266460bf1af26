"""Large tables of the ledger: one row a topic, compressed, in as many items as DynamoDB's 400 KB an item ask for
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html).

A table is read and written as a whole: 10,000 mirrors of two partitions are ten items of some 20 KB.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

from failover.ledger.dynamodb import Item
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger

ROWS_AN_ITEM: Final = 1000


def save_execution_table(book: Ledger, execution: Execution, name: str, rows: Mapping[str, Any]) -> None:
    """Keep a table of an execution, in place of what it held before, if the lease is still held.

    Raises:
        LeaseLost, LedgerUnavailable
    """
    for sort, item in _items(f"table#{execution.name}#{name}", rows):
        book.put_fenced(execution, sort, item)


def load_execution_table(book: Ledger, execution: Execution, name: str) -> dict[str, Any]:
    """A table of an execution; empty if none was kept.

    Raises:
        LedgerUnavailable
    """
    return _rows(book.list_items(execution.plan, f"table#{execution.name}#{name}#"))


def save_plan_table(book: Ledger, plan: str, name: str, rows: Mapping[str, Any]) -> None:
    """Keep a table of a plan, that no lease guards; the last writer wins.

    Raises:
        LedgerUnavailable
    """
    for sort, item in _items(f"plan-table#{name}", rows):
        book.put(plan, sort, item)


def load_plan_table(book: Ledger, plan: str, name: str) -> dict[str, Any]:
    """A table of a plan; empty if none was kept.

    Raises:
        LedgerUnavailable
    """
    return _rows(book.list_items(plan, f"plan-table#{name}#"))


def _items(prefix: str, rows: Mapping[str, Any]) -> list[tuple[str, Item]]:
    left = iter(rows.items())
    parts = []
    while part := dict(islice(left, ROWS_AN_ITEM)):
        parts.append(part)
    packed = [gzip.compress(json.dumps(part, separators=(",", ":")).encode(), mtime=0) for part in parts or [{}]]
    return [(f"{prefix}#{number:05}", {"of": len(packed), "rows": rows}) for number, rows in enumerate(packed)]


def _rows(items: list[Item]) -> dict[str, Any]:
    """The rows of a table's items; those that a longer table of before left behind are not read."""
    found: dict[str, Any] = {}
    for item in items[: items[0]["of"] if items else 0]:
        found |= json.loads(gzip.decompress(item["rows"]))
    return found
