"""What people were told, as the ledger remembers it."""

from __future__ import annotations

from failover.aws.clients import client

HOUR_S = 3601


def an_hour_passes() -> None:
    """All that was told was told an hour earlier."""
    ledger = client("dynamodb")
    for item in ledger.scan(TableName="ledger")["Items"]:
        if item["pk"]["S"] == "notification":
            ledger.update_item(
                TableName="ledger",
                Key={"pk": item["pk"], "sk": item["sk"]},
                UpdateExpression="SET expires = :at",
                ExpressionAttributeValues={":at": {"N": str(int(item["expires"]["N"]) - HOUR_S)}},
            )
