"""Plans as the ledger keeps them, good or bad: past the door that checks them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml

from drill.deployment import plan_item


def put_plan(aws: Callable[..., Any], text: str, name: str = "orders", *, table: str = "ledger") -> None:
    """Deploy a plan's text as it is."""
    aws("dynamodb").put_item(TableName=table, Item=plan_item(name, text))


def without_small_stack(text: str) -> str:
    """A plan's text without the alarms of its small stack."""
    plan = yaml.safe_load(text)
    for name, site in plan["sites"].items():
        own = tuple(f"failover-{plan['name']}-{name}-{service}" for service in ("kafka", "gateway"))
        site["alarms"] = [alarm for alarm in site["alarms"] if alarm not in own]
    return yaml.safe_dump(plan)


def plan_text_of(aws: Callable[..., Any], name: str = "orders") -> str:
    """The text that is deployed."""
    import gzip

    key = {name: plan_item("orders", "")[name] for name in ("pk", "sk")} | {"sk": {"S": f"deployed#{name}"}}
    return gzip.decompress(aws("dynamodb").get_item(TableName="ledger", Key=key)["Item"]["document"]["B"]).decode()
