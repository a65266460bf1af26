"""A ledger in memory, for tests of some milliseconds: its table is the simulation's, which is held to moto's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from botocore.exceptions import ClientError

from failover.ledger.ledger import Ledger
from simulation.aws.dynamodb import Table
from simulation.aws.errors import ApiError

Item = dict[str, Any]
OPERATIONS: Final = {
    "get_item": "GetItem",
    "put_item": "PutItem",
    "update_item": "UpdateItem",
    "delete_item": "DeleteItem",
    "query": "Query",
    "scan": "Scan",
}


class DynamoDB:
    """Its client, as the ledger calls it. `requests`: what it was asked, by the operation's name."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, Item]] = []
        self.before: Callable[[str], None] = lambda _: None
        """Called before an operation is carried out."""
        self._table = Table(lambda *_: None)

    def __getattr__(self, method: str) -> Callable[..., Item]:
        operation = OPERATIONS[method]

        def call(**request: Any) -> Item:
            self.before(operation)
            self.requests.append((operation, request))
            try:
                return self._table.call(operation, request)
            except ApiError as error:
                raise ClientError({"Error": {"Code": error.code, "Message": error.message}}, operation) from error

        return call


def ledger_of(dynamodb: DynamoDB) -> Ledger:
    """The ledger that it holds."""
    return Ledger(cast("Any", dynamodb), "ledger")
