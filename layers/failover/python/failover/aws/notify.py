"""Telling people and systems, once: the only effects that can't be looked at, so Powertools Idempotency guards them, in
the ledger."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from failover.aws.clients import client, is_transient
from failover.errors import ServiceUnavailable

ONE_CALL_MS = 20_000
KEPT_S = 14 * 86_400
SUBJECT_LIMIT = 100


def notify_once(*, key: str, subject: str, message: dict[str, Any]) -> None:
    """Publish to the notification topic, at most once for each key within 14 days (the redrive window).

    Raises:
        ServiceUnavailable: if SNS does not answer.
    """
    _once(_publish)(notification={"key": key, "subject": subject, "message": message})


def put_event_once(*, key: str, detail_type: str, detail: dict[str, Any]) -> None:
    """Put an event on the bus, at most once for each key within 14 days; the key is in its detail.

    Raises:
        ServiceUnavailable: if EventBridge does not answer, or does not take the event.
    """
    _once(_put_event)(notification={"key": key, "detail_type": detail_type, "detail": {"key": key, **detail}})


class _OneCall(LambdaContext):
    """Tells Powertools when an attempt must be dead: a function's own timeout later, another may publish."""

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return ONE_CALL_MS


@functools.cache
def _once(effect: Callable[..., bool]) -> Callable[..., bool]:
    store = DynamoDBPersistenceLayer(
        table_name=os.environ["LEDGER_TABLE"],
        key_attr="pk",
        sort_key_attr="sk",
        static_pk_value="notification",
        expiry_attr="expires",
        boto3_client=client("dynamodb"),
    )
    config = IdempotencyConfig(
        event_key_jmespath="key",
        expires_after_seconds=KEPT_S,
        hash_function="sha256",
        raise_on_no_idempotency_key=True,
        lambda_context=_OneCall(),
    )
    guarded: Callable[..., bool] = idempotent_function(
        effect, data_keyword_argument="notification", persistence_store=store, config=config
    )
    return guarded


def _publish(notification: dict[str, Any]) -> bool:
    try:
        client("sns").publish(
            TopicArn=os.environ["NOTIFICATION_TOPIC_ARN"],
            Subject=notification["subject"][:SUBJECT_LIMIT],
            Message=json.dumps(notification["message"], indent=2, default=str),
        )
    except (ClientError, BotoCoreError) as error:
        if is_transient(error):
            raise ServiceUnavailable(f"SNS did not take the notification {notification['key']!r}: {error}") from error
        raise
    return True


def _put_event(notification: dict[str, Any]) -> bool:
    entry = {
        "Source": "kafka.failover",
        "DetailType": notification["detail_type"],
        "Detail": json.dumps(notification["detail"], default=str),
        "EventBusName": os.environ.get("EVENT_BUS", "default"),
    }
    try:
        answer = client("events").put_events(Entries=[entry])
    except (ClientError, BotoCoreError) as error:
        if is_transient(error):
            raise ServiceUnavailable(f"EventBridge did not take the event {notification['key']!r}: {error}") from error
        raise
    if answer.get("FailedEntryCount"):
        raise ServiceUnavailable(f"EventBridge did not take the event {notification['key']!r}: {answer['Entries']}")
    return True
