"""Large tables of the ledger: one row a topic, compressed, in as many items as DynamoDB's 400 KB an item ask for
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html).

A table is read as a whole, or not at all. Its head item holds the first part, and says in which of two slots the
others are. A new table's parts go to the slot that is not in use, and its head comes last: whoever crashes in between
has changed nothing. Every part carries the version of its table, so that parts of two tables are never taken for one.
10,000 mirrors of two partitions are ten items of some 20 KB.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Mapping
from functools import partial
from itertools import islice
from typing import Any, Final

from failover.ledger.dynamodb import Item
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger

ROWS_AN_ITEM: Final = 1000
_LOOKS: Final = 3
"""A reader whom a writer overtakes, between the head and the other parts, looks again."""


def save_execution_table(book: Ledger, execution: Execution, name: str, rows: Mapping[str, Any]) -> None:
    """Keep a table of an execution, in place of what it held before, if the lease is still held.

    Raises:
        LeaseLost, LedgerUnavailable
    """
    key = f"table#{execution.name}#{name}"
    _save(key, _packed(rows), head_of=partial(book.item, execution.plan), put=partial(book.put_fenced, execution))


def load_execution_table(book: Ledger, execution: Execution, name: str) -> dict[str, Any]:
    """A table of an execution; empty if none was kept.

    Raises:
        LedgerUnavailable
    """
    return _load(book, execution.plan, f"table#{execution.name}#{name}")


def load_table(book: Ledger, plan: str, key: str) -> dict[str, Any]:
    """A table by its key, as a report names it; empty if none was kept.

    Raises:
        LedgerUnavailable
    """
    return _load(book, plan, key)


def save_plan_table(
    book: Ledger, plan: str, name: str, rows: Mapping[str, Any], rows_an_item: int = ROWS_AN_ITEM
) -> None:
    """Keep a table of a plan, that no lease guards; the last writer wins.

    Raises:
        LedgerUnavailable
    """
    parts = _packed(rows, rows_an_item)
    _save(f"plan-table#{name}", parts, head_of=partial(book.item, plan), put=partial(book.put, plan))


def load_plan_table(book: Ledger, plan: str, name: str) -> dict[str, Any]:
    """A table of a plan; empty if none was kept.

    Raises:
        LedgerUnavailable
    """
    return _load(book, plan, f"plan-table#{name}")


def _save(
    key: str, parts: list[bytes], *, head_of: Callable[[str], Item | None], put: Callable[[str, Item], None]
) -> None:
    """A head alone is in no slot's way, and replaces what was there without looking at it."""
    first, *others = parts
    head = head_of(key) if others else None
    version = hashlib.sha256(b"".join([first, *others])).hexdigest()
    slot = "b" if head is not None and head["slot"] == "a" else "a"
    for number, part in enumerate(others, start=1):
        put(f"{key}#{slot}#{number:05}", {"version": version, "rows": part})
    put(key, {"version": version, "slot": slot, "parts": 1 + len(others), "rows": first})


def _load(book: Ledger, plan: str, key: str) -> dict[str, Any]:
    for _ in range(_LOOKS):
        head = book.item(plan, key)
        if head is None:
            return {}
        others = book.list_items(plan, f"{key}#{head['slot']}#") if head["parts"] > 1 else []
        parts = [head, *others[: head["parts"] - 1]]
        if len(parts) == head["parts"] and all(part["version"] == head["version"] for part in parts):
            return {topic: row for part in parts for topic, row in json.loads(gzip.decompress(part["rows"])).items()}
    return {}


def _packed(rows: Mapping[str, Any], rows_an_item: int = ROWS_AN_ITEM) -> list[bytes]:
    """The table in parts; an empty one is a part, too."""
    rest = iter(rows.items())
    parts = []
    while part := dict(islice(rest, rows_an_item)):
        parts.append(part)
    return [gzip.compress(json.dumps(part, separators=(",", ":")).encode(), mtime=0) for part in parts or [{}]]
