"""The inventory of an execution: the mirrors under the plan's links when the failover was decided, and their lags."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.ledger.topic_tables import load_execution_table, save_execution_table
from failover.link import Mirror


@dataclass(frozen=True, slots=True)
class Listed:
    """One mirror of the inventory. `lags`: records by partition, None where unknown."""

    link: str
    status: str
    lags: dict[int, int | None]


Inventory = dict[str, Listed]
"""By topic."""


def listed(link: str, mirrors: Iterable[Mirror]) -> Inventory:
    """The mirrors of one link."""
    return {
        mirror.topic: Listed(link, mirror.status, {lag.partition: lag.records for lag in mirror.lags})
        for mirror in mirrors
    }


def save_inventory(book: Ledger, execution: Execution, inventory: Inventory) -> None:
    """Keep the inventory, in place of the one before.

    Raises:
        LeaseLost, LedgerUnavailable
    """
    rows: dict[str, Any] = {
        topic: [entry.link, entry.status, sorted(entry.lags.items())] for topic, entry in sorted(inventory.items())
    }
    save_execution_table(book, execution, "inventory", rows)


def inventory(book: Ledger, execution: Execution) -> Inventory:
    """The inventory; empty if none was taken.

    Raises:
        LedgerUnavailable
    """
    return {
        topic: Listed(link, status, dict(lags))
        for topic, (link, status, lags) in load_execution_table(book, execution, "inventory").items()
    }
