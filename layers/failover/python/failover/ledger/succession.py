"""Which execution took the lease from which."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from failover.ledger.ledger import Ledger
from failover.ledger.records import ExecutionRecord

AT_MOST: Final = 20
"""Of those before the last."""


def succession(book: Ledger, plan: str, last: str | None) -> Iterator[tuple[str, ExecutionRecord | None]]:
    """The execution of that name with its record, the one that it took the lease from, and so on; None: none is kept.

    Raises:
        LedgerUnavailable
    """
    for _ in range(AT_MOST + 1):
        if last is None:
            return
        record = book.execution(plan, last)
        yield last, record
        last = record.supersedes if record else None
