"""A plan's items in the ledger, by their sort keys, and the writes on which concurrent writers agree."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from failover.ledger.dynamodb import Item, ItemTable, sortable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class PlanItems:
    """The items of plans, guarded by no lease.

    Every method raises `LedgerUnavailable` when DynamoDB does not answer or throttles.
    """

    def __init__(self, dynamodb: DynamoDBClient, table: str) -> None:
        self._items = ItemTable(dynamodb, table)

    def item(self, plan: str, sort: str) -> Item | None:
        """One item of a plan, or None."""
        return self._items.get(plan, sort)

    def list_items(self, plan: str, prefix: str) -> list[Item]:
        """The items of a plan whose sort key begins so, in the order of their keys. A prefix ends with `#`, so that it
        finds nothing that only begins alike."""
        return list(self._items.query(plan, prefix))

    def newest(self, plan: str, prefix: str, most: int) -> list[Item]:
        """So many items of a plan whose sort key begins so, the last key first."""
        return self._items.newest(plan, prefix, most)

    def put(self, plan: str, sort: str, values: Item) -> None:
        """Put an item; the last writer wins."""
        self._items.put(plan, sort, values)

    def put_once(self, plan: str, sort: str, values: Item) -> bool:
        """Put an item unless there is one that has not expired; says whether it was put."""
        free = "attribute_not_exists(pk) OR #expires < :now"
        return self._items.put(plan, sort, values=values, condition=free, placeholders={":now": int(time.time())})

    def delete_expired(self, now: float) -> Iterator[int]:
        """Delete what has expired, of whatever plan; gives how many items of each page were deleted."""
        return self._items.delete_expired(now)

    def put_if_newer(self, plan: str, sort: str, values: Item, at: float) -> bool:
        """Put an item unless one that is as new, or newer, is kept: late is never over new. Says whether it was put."""
        when = sortable(at)
        condition = "attribute_not_exists(#at) OR #at < :at"
        return self._items.put(
            plan, sort, values=values | {"at": when}, condition=condition, placeholders={":at": when}
        )

    def extend_if_unchanged(self, plan: str, sort: str, same: Item, values: Item, at: float, gap: float) -> bool:
        """Renew the time of an item that has the same and is at most `gap` seconds older, and set its values; says
        whether there was one."""
        placeholders = {f":{name}": value for name, value in (same | values).items()}
        return self._items.update(
            plan,
            sort,
            expression="SET " + ", ".join(f"#{name} = :{name}" for name in ("at", *values)),
            placeholders=placeholders | {":at": sortable(at), ":oldest": sortable(at - gap)},
            condition=" AND ".join([*(f"#{name} = :{name}" for name in same), "#at < :at", "#at >= :oldest"]),
        )

    def set_if_unchanged(self, plan: str, sort: str, same: Item, values: Item) -> bool:
        """Set fields of an item that has the same ones still; says whether it has."""
        return self._items.update(
            plan,
            sort,
            expression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
            placeholders={f":{name}": value for name, value in (same | values).items()},
            condition=" AND ".join(f"#{name} = :{name}" for name in same),
        )

    def set_once(self, plan: str, sort: str, values: Item) -> bool:
        """Add fields to an item that exists and has none of them; says whether that was done, once and for all."""
        return self._items.update(
            plan,
            sort,
            expression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
            placeholders={f":{name}": value for name, value in values.items()},
            condition=f"attribute_exists(pk) AND attribute_not_exists(#{next(iter(values))})",
        )

    def set_fields(self, plan: str, sort: str, values: Item) -> None:
        """Set fields of an item, which is made if it is not there; its other fields stay."""
        self._items.update(
            plan,
            sort,
            expression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
            placeholders={f":{name}": value for name, value in values.items()},
        )

    def increment(self, plan: str, sort: str, values: Item, counter: str) -> None:
        """Raise a counter of an item by one, and set fields of it; an item that is not there stays so."""
        self._items.update(
            plan,
            sort,
            expression="SET " + ", ".join(f"#{name} = :{name}" for name in values) + f" ADD #{counter} :one",
            placeholders={f":{name}": value for name, value in values.items()} | {":one": 1},
            condition="attribute_exists(pk)",
        )

    def compare_and_swap(self, plan: str, sort: str, values: Item, revision: int) -> bool:
        """Put an item in place of the one of that revision (0: of none); says whether it still was the one."""
        item = values | {"revision": revision + 1}
        if revision == 0:
            return self.put_once(plan, sort, item)
        return self._items.put(
            plan, sort, values=item, condition="revision = :revision", placeholders={":revision": revision}
        )
