"""What DynamoDB promises and moto does not: items are never seen half written, and a query reads its own partition."""

from __future__ import annotations

import threading
from typing import Any

from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler

_ONE_REQUEST = threading.Lock()
_call_action = DynamoHandler.call_action
_query = Table.query


def install() -> None:
    """From now on each request to this process's DynamoDB happens before or after another, never in the middle of it
    (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html#transaction-isolation), and
    a query does not take the longer the more there is in other partitions."""
    DynamoHandler.call_action = _one_at_a_time  # type: ignore[method-assign]
    Table.query = _of_one_partition  # type: ignore[assignment,method-assign]


def _one_at_a_time(handler: DynamoHandler) -> Any:
    with _ONE_REQUEST:
        return _call_action(handler)


def _of_one_partition(table: Table, hash_key: Any, *arguments: Any, **named: Any) -> Any:
    """moto sorts the whole table first. Nobody else is at the table meanwhile: requests come one at a time."""
    items = table.items
    if not _asks_an_index(arguments, named) and hash_key in items:
        table.items = type(items)(dict, {hash_key: items[hash_key]})
    try:
        return _query(table, hash_key, *arguments, **named)
    finally:
        table.items = items


def _asks_an_index(arguments: tuple[Any, ...], named: dict[str, Any]) -> bool:
    """`index_name` is the seventh after the partition's key."""
    return bool(named.get("index_name") or (len(arguments) > 6 and arguments[6]))
