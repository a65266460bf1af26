"""DynamoDB's promise on items, kept for moto, whose threads see items half written and check conditions on them."""

from __future__ import annotations

import threading
from typing import Any

from moto.dynamodb.responses import DynamoHandler

_ONE_REQUEST = threading.Lock()
_call_action = DynamoHandler.call_action


def install() -> None:
    """From now on each request to this process's DynamoDB happens before or after another, never in the middle of it
    (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html#transaction-isolation)."""
    DynamoHandler.call_action = _one_at_a_time  # type: ignore[method-assign]


def _one_at_a_time(handler: DynamoHandler) -> Any:
    with _ONE_REQUEST:
        return _call_action(handler)
