"""How large the fleets were that carry clients, when they were last well: once their region is lost nobody can tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

from failover.fleets.size import Size
from failover.ledger.ledger import Ledger
from failover.ledger.topic_tables import load_plan_table, save_plan_table

_TABLE: Final = "fleet-sizes"


@dataclass(frozen=True)
class SavedSize:
    """How large a fleet was; `at`: when that was seen, in seconds since 1970."""

    size: Size
    at: float


def save_fleet_sizes(book: Ledger, plan: str, sizes: Mapping[tuple[str, str], Size], now: float) -> None:
    """Keep what was seen now, by location and fleet; of a fleet that was not seen well, what was seen before stays.

    Raises:
        LedgerUnavailable
    """
    rows = {_key(*of): asdict(size) | {"at": now} for of, size in sizes.items()}
    if rows:
        save_plan_table(book, plan, _TABLE, load_plan_table(book, plan, _TABLE) | rows)


def load_fleet_sizes(book: Ledger, plan: str, fleets: list[tuple[str, str]]) -> dict[str, SavedSize]:
    """The last size of each of these fleets, by the fleet's name, as far as any was kept.

    Raises:
        LedgerUnavailable
    """
    rows = load_plan_table(book, plan, _TABLE)
    return {
        fleet: SavedSize(Size(instances=row["instances"], zones=row["zones"]), row["at"])
        for location, fleet in fleets
        if (row := rows.get(_key(location, fleet))) is not None
    }


def _key(location: str, fleet: str) -> str:
    return f"{location}/{fleet}"
