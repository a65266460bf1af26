"""The protocols of the protected groups, as they were last seen on the cluster that was active: once it is lost nobody
can tell them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

from failover.kafka.groups import Protocol
from failover.ledger.ledger import Ledger
from failover.ledger.topic_tables import load_plan_table, save_plan_table

_TABLE: Final = "group-protocols"


def save_group_protocols(book: Ledger, plan: str, protocols: Mapping[str, Protocol]) -> None:
    """Keep what was seen now; of a group that was not told of, what was seen before stays.

    Raises:
        LedgerUnavailable
    """
    before = load_group_protocols(book, plan)
    if (after := before | dict(protocols)) != before:
        save_plan_table(book, plan, _TABLE, after)


def load_group_protocols(book: Ledger, plan: str) -> dict[str, Protocol]:
    """The protocol of each group that was ever told of.

    Raises:
        LedgerUnavailable
    """
    return cast("dict[str, Protocol]", load_plan_table(book, plan, _TABLE))
