"""Plans as the ledger keeps them, good or bad: past the door that checks them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drill.deployment import plan_item


def put_plan(aws: Callable[..., Any], text: str, name: str = "orders", *, table: str = "ledger") -> None:
    """Deploy a plan's text as it is."""
    aws("dynamodb").put_item(TableName=table, Item=plan_item(name, text))


def plan_text_of(aws: Callable[..., Any], name: str = "orders") -> str:
    """The text that is deployed."""
    import gzip

    key = {name: plan_item("orders", "")[name] for name in ("pk", "sk")} | {"sk": {"S": f"deployed#{name}"}}
    return gzip.decompress(aws("dynamodb").get_item(TableName="ledger", Key=key)["Item"]["document"]["B"]).decode()
