"""Telling people, once: the only effect that can't be looked at, so Powertools Idempotency guards it, in the ledger."""

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

from failover.aws import client, is_transient
from failover.errors import ServiceUnavailable

ONE_CALL_MS = 20_000
KEPT_S = 14 * 86_400
SUBJECT_LIMIT = 100


def notify_once(*, key: str, subject: str, message: dict[str, Any]) -> None:
    """Publish to the notification topic, at most once for each key within 14 days (the redrive window).

    Raises:
        ServiceUnavailable: if SNS does not answer.
    """
    _publisher()(notification={"key": key, "subject": subject, "message": message})


class _OneCall(LambdaContext):
    """Tells Powertools when an attempt must be dead: a function's own timeout later, another may publish."""

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return ONE_CALL_MS


@functools.cache
def _publisher() -> Callable[..., bool]:
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
    publish: Callable[..., bool] = idempotent_function(
        _publish, data_keyword_argument="notification", persistence_store=store, config=config
    )
    return publish


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
