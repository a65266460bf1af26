"""The items of one DynamoDB table, as plain values: each belongs to a plan and has a sort key. No transactions."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from failover.aws.errors import aws_errors, error_code
from failover.errors import LedgerRejected, LedgerUnavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]
DELETED_SIDE_BY_SIDE: Final = 8


class ItemTable:
    """One table. Reads are strongly consistent, and find nothing that has expired: TTL takes days, and not every table
    has one.

    Every method raises `LedgerUnavailable` when DynamoDB does not answer, throttles, or is at the same item in another
    region. `prefix`: what stands before a plan's name in the partition key.
    """

    def __init__(self, dynamodb: DynamoDBClient, table: str, *, prefix: str = "plan#") -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._prefix = prefix

    def get(self, plan: str, sort: str) -> Item | None:
        """One item, or None."""
        answer = _call(self._dynamodb.get_item, **self._on(plan, sort), ConsistentRead=True)
        item = _plain(answer["Item"]) if "Item" in answer else None
        return item if item and _lasts(item) else None

    def query(self, plan: str, prefix: str) -> Iterator[Item]:
        """The items whose sort key begins so, in the order of their keys."""
        return self._query(plan, prefix, {})

    def newest(self, plan: str, prefix: str, most: int) -> list[Item]:
        """So many items whose sort key begins so, the last key first."""
        return list(islice(self._query(plan, prefix, {"ScanIndexForward": False, "Limit": most}), most))

    def _query(self, plan: str, prefix: str, how: Item) -> Iterator[Item]:
        start: Item = {}
        while True:
            answer = _call(
                self._dynamodb.query,
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
                ExpressionAttributeValues=_values({":pk": f"{self._prefix}{plan}", ":prefix": prefix}),
                ConsistentRead=True,
                **how,
                **start,
            )
            yield from filter(_lasts, map(_plain, answer["Items"]))
            if "LastEvaluatedKey" not in answer:
                return
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def put(
        self, plan: str, sort: str, values: Item, condition: str | None = None, placeholders: Item | None = None
    ) -> bool:
        """Put an item, if the condition holds; says whether it did. `given`: the values of the condition, by name."""
        item = _values({"pk": f"{self._prefix}{plan}", "sk": sort} | values)
        return _conditional_write(
            self._dynamodb.put_item, TableName=self._table, Item=item, **_conditional(condition, placeholders)
        )

    def update(
        self, plan: str, sort: str, expression: str, placeholders: Item | None = None, condition: str | None = None
    ) -> bool:
        """Update an item, if the condition holds; says whether it did. `given`: the values of both, by name.

        A name that DynamoDB reserves is written `#name`.
        """
        write = _conditional(condition, placeholders, expression)
        return _conditional_write(
            self._dynamodb.update_item, **self._on(plan, sort), UpdateExpression=expression, **write
        )

    def delete_expired(self, now: float) -> Iterator[int]:
        """Delete what has expired, in all of the table; gives how many items of each page were deleted."""
        past = {"ConditionExpression": "#expires < :now", "ExpressionAttributeNames": {"#expires": "expires"}}
        placeholders = {"ExpressionAttributeValues": _values({":now": int(now)})}

        def delete(key: Item) -> bool:
            """Unless it was renewed meanwhile."""
            return _conditional_write(
                self._dynamodb.delete_item, TableName=self._table, Key=key, **past, **placeholders
            )

        start: Item = {}
        with ThreadPoolExecutor(max_workers=DELETED_SIDE_BY_SIDE) as pool:
            while True:
                answer = _call(
                    self._dynamodb.scan,
                    TableName=self._table,
                    ProjectionExpression="pk, sk",
                    FilterExpression=past["ConditionExpression"],
                    ExpressionAttributeNames=past["ExpressionAttributeNames"],
                    **placeholders,
                    **start,
                )
                yield sum(pool.map(delete, answer["Items"]))
                if "LastEvaluatedKey" not in answer:
                    return
                start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def _on(self, plan: str, sort: str) -> Item:
        return {"TableName": self._table, "Key": _values({"pk": f"{self._prefix}{plan}", "sk": sort})}


def _lasts(item: Item) -> bool:
    expires = item.get("expires")
    return expires is None or expires > time.time()


def sortable(seconds: float) -> str:
    """Seconds since 1970 as text whose order is the order of the times, to the microsecond."""
    return f"{seconds:018.6f}"


def _conditional(condition: str | None, placeholders: Item | None, expression: str = "") -> Item:
    names = {f"#{name}": name for name in re.findall(r"#(\w+)", f"{expression} {condition or ''}")}
    return (
        ({"ConditionExpression": condition} if condition else {})
        | ({"ExpressionAttributeNames": names} if names else {})
        | ({"ExpressionAttributeValues": _values(placeholders)} if placeholders else {})
    )


def _call(call: Callable[..., Any], **arguments: Any) -> Any:
    with aws_errors("the ledger", transient=LedgerUnavailable, final=LedgerRejected):
        return call(**arguments)


def _conditional_write(write: Callable[..., Any], **arguments: Any) -> bool:
    try:
        _call(write, **arguments)
    except LedgerRejected as error:
        if error_code(error) == "ConditionalCheckFailedException":
            return False
        raise
    return True


def _values(item: Item) -> Item:
    return {key: _typed(value) for key, value in item.items()}


def _typed(value: object) -> Item:
    match value:
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case str():
            return {"S": value}
        case bytes():
            return {"B": value}
        case frozenset():
            return {"SS": sorted(value)}
    raise TypeError(f"the ledger keeps no {type(value).__name__}")


def _plain(item: Item) -> Item:
    return {key: _untyped(value) for key, value in item.items()}


def _untyped(value: Item) -> Any:
    ((kind, content),) = value.items()
    match kind:
        case "N":
            return int(content)
        case "SS":
            return frozenset(content)
    return content
