"""An item of DynamoDB is never seen half written, and of many conditional writes at once one is carried out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.drill.aws.conftest import Aws

KEY = {"pk": {"S": "plan#orders"}, "sk": {"S": "state"}}
TABLE = "items"

pytestmark = pytest.mark.slow


@pytest.fixture
def dynamodb(aws: Aws) -> Iterator[Any]:
    client = aws.client("dynamodb")
    client.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    )
    yield client
    client.delete_table(TableName=TABLE)


def test_an_update_is_seen_whole_or_not_at_all(aws: Aws, dynamodb: Any) -> None:
    names = [f"a{number}" for number in range(60)]
    over = threading.Event()

    def read() -> list[dict[str, Any]]:
        client, seen = aws.client("dynamodb"), []
        while not over.is_set():
            seen.append(client.get_item(TableName=TABLE, Key=KEY, ConsistentRead=True).get("Item", {}))
        return seen

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        for round_ in range(40):
            if round_ % 2 == 0:
                dynamodb.delete_item(TableName=TABLE, Key=KEY)
            dynamodb.update_item(
                TableName=TABLE,
                Key=KEY,
                UpdateExpression="SET " + ", ".join(f"{name} = :value" for name in names),
                ExpressionAttributeValues={":value": {"N": str(round_)}},
            )
        over.set()
        items = [item for reader in readers for item in reader.result()]
    assert len(items) > 10
    for item in items:
        assert len(item) in (0, len(names) + len(KEY))
        assert len({value["N"] for key, value in item.items() if key in names}) <= 1


def test_of_many_who_take_a_free_lease_at_once_one_has_it(dynamodb: Any) -> None:
    def take(holder: str) -> bool:
        try:
            dynamodb.update_item(
                TableName=TABLE,
                Key=KEY,
                UpdateExpression="SET holder = :holder",
                ConditionExpression="attribute_not_exists(holder)",
                ExpressionAttributeValues={":holder": {"S": holder}},
            )
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ConditionalCheckFailedException"
            return False
        return True

    for _ in range(10):
        dynamodb.delete_item(TableName=TABLE, Key=KEY)
        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(take, [f"execution-{number}" for number in range(8)])) == 1
