"""The simulated table answers as moto's does, to what the ledger and Powertools ask of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from simulation.aws.dynamodb import Table
from simulation.aws.errors import ApiError

Item = dict[str, Any]
TABLE = {"TableName": "ledger"}
SORTS = ("state", "signal#east#a", "signal#east#b", "signal#west#a")


def _key(chance: random.Random) -> Item:
    return {"pk": {"S": "plan#orders"}, "sk": {"S": chance.choice(SORTS)}}


def _claim(chance: random.Random) -> tuple[str, Item]:
    values = {
        ":epoch": {"N": str(chance.randint(1, 4))},
        ":seen": {"N": str(chance.randint(0, 3))},
        ":holder": {"S": "orders-1-failover"},
        ":active": {"S": chance.choice(("east", "west"))},
    }
    return "UpdateItem", {
        "Key": _key(chance),
        "UpdateExpression": "SET epoch = :epoch, holder = :holder, active = if_not_exists(active, :active)"
        " REMOVE superseded",
        "ConditionExpression": "(attribute_not_exists(epoch) OR epoch = :seen) AND attribute_not_exists(holder)",
        "ExpressionAttributeValues": values,
    }


def _release(chance: random.Random) -> tuple[str, Item]:
    return "UpdateItem", {
        "Key": _key(chance),
        "UpdateExpression": "REMOVE holder, denial",
        "ConditionExpression": "holder = :holder AND epoch = :epoch",
        "ExpressionAttributeValues": {
            ":holder": {"S": "orders-1-failover"},
            ":epoch": {"N": str(chance.randint(1, 4))},
        },
    }


def _end(chance: random.Random) -> tuple[str, Item]:
    """Whose end is to be announced joins a set, and leaves it."""
    verb = chance.choice(("REMOVE holder ADD", "DELETE"))
    return "UpdateItem", {
        "Key": _key(chance),
        "UpdateExpression": f"{verb} unannounced :names",
        "ExpressionAttributeValues": {":names": {"SS": [chance.choice(("a", "b"))]}},
    }


def _count(chance: random.Random) -> tuple[str, Item]:
    return "UpdateItem", {
        "Key": _key(chance),
        "UpdateExpression": "SET #status = :status ADD calls :one",
        "ExpressionAttributeNames": {"#status": "status"},
        "ExpressionAttributeValues": {":status": {"S": "done"}, ":one": {"N": "1"}},
    }


def _put_if_newer(chance: random.Random) -> tuple[str, Item]:
    at = {"S": f"{chance.randint(1, 9):09}"}
    item = _key(chance) | {"at": at, "says_lost": {"BOOL": chance.random() < 0.5}}
    return "PutItem", {
        "Item": item,
        "ConditionExpression": "attribute_not_exists(#at) OR #at < :at",
        "ExpressionAttributeNames": {"#at": "at"},
        "ExpressionAttributeValues": {":at": at},
    }


def _extend(chance: random.Random) -> tuple[str, Item]:
    return "UpdateItem", {
        "Key": _key(chance),
        "UpdateExpression": "SET #at = :at",
        "ConditionExpression": "#says_lost = :says_lost AND #at < :at AND #at >= :oldest",
        "ExpressionAttributeNames": {"#at": "at", "#says_lost": "says_lost"},
        "ExpressionAttributeValues": {
            ":at": {"S": f"{chance.randint(1, 9):09}"},
            ":oldest": {"S": "000000003"},
            ":says_lost": {"BOOL": True},
        },
    }


def _tell_once(chance: random.Random) -> tuple[str, Item]:
    """As Powertools' idempotency does."""
    names = {"#id": "pk", "#expiry": "expires", "#in_progress_expiry": "in_progress", "#status": "status"}
    return "PutItem", {
        "Item": _key(chance) | {"expires": {"N": str(chance.randint(1, 9))}, "status": {"S": "INPROGRESS"}},
        "ConditionExpression": "attribute_not_exists(#id) OR #expiry < :now OR (#status = :inprogress AND"
        " attribute_exists(#in_progress_expiry) AND #in_progress_expiry < :now_in_millis)",
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": {
            ":now": {"N": "5"},
            ":now_in_millis": {"N": "5000"},
            ":inprogress": {"S": "INPROGRESS"},
        },
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def _get(chance: random.Random) -> tuple[str, Item]:
    return "GetItem", {"Key": _key(chance), "ConsistentRead": True}


def _delete(chance: random.Random) -> tuple[str, Item]:
    return "DeleteItem", {"Key": _key(chance)}


def _query(chance: random.Random) -> tuple[str, Item]:
    limit = {"Limit": chance.randint(1, 3)} if chance.random() < 0.5 else {}
    return "Query", limit | {
        "KeyConditionExpression": "pk = :pk AND begins_with(sk, :prefix)",
        "ExpressionAttributeValues": {":pk": {"S": "plan#orders"}, ":prefix": {"S": "signal#"}},
        "ScanIndexForward": chance.random() < 0.5,
        "ConsistentRead": True,
    }


ASKED: tuple[Callable[[random.Random], tuple[str, Item]], ...] = (
    _claim,
    _release,
    _count,
    _put_if_newer,
    _extend,
    _tell_once,
    _get,
    _query,
    _delete,
)
METHODS = {
    "GetItem": "get_item",
    "PutItem": "put_item",
    "UpdateItem": "update_item",
    "DeleteItem": "delete_item",
    "Query": "query",
}


def _of_simulation(table: Table, operation: str, asked: Item) -> Item:
    try:
        return table.call(operation, TABLE | asked)
    except ApiError as error:
        return {"error": error.code, "item": error.fields.get("Item")}


def _of_moto(client: Any, operation: str, asked: Item) -> Item:
    try:
        answer = dict(getattr(client, METHODS[operation])(**TABLE | asked))
    except ClientError as error:
        response: Any = error.response
        return {"error": response["Error"]["Code"], "item": response.get("Item")}
    return {name: answer[name] for name in ("Item", "Items", "Count", "LastEvaluatedKey") if name in answer}


@pytest.mark.parametrize("seed", range(4))
def test_a_sequence_of_calls_is_answered_as_by_moto(deployed: Callable[..., Any], seed: int) -> None:
    chance, table, client = random.Random(seed), Table(lambda *_: None), deployed("dynamodb")
    for _ in range(60):
        operation, asked = chance.choice(ASKED)(chance)
        assert _of_simulation(table, operation, asked) == _of_moto(client, operation, asked), (operation, asked)


def test_a_set_whose_members_join_and_leave_is_answered_as_by_moto(deployed: Callable[..., Any]) -> None:
    chance, table, client = random.Random(1), Table(lambda *_: None), deployed("dynamodb")
    for _ in range(12):
        for ask in (_end, _get):
            operation, asked = ask(chance)
            asked["Key"]["sk"] = {"S": "state"}
            answers = [_of_simulation(table, operation, asked), _of_moto(client, operation, asked)]
            for answer in answers:
                answer.get("Item", {}).get("unannounced", {"SS": []})["SS"].sort()
            assert answers[0] == answers[1], (operation, asked)
