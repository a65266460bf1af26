"""Telling people and systems, at least once: the only effects that can't be looked at. Powertools Idempotency keeps in
the ledger which message was told, by its key, so that a call made again tells nothing twice; only a call that ends
between the telling and its record has it told again.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
    IdempotencyInconsistentStateError,
    IdempotencyPersistenceLayerError,
)
from aws_lambda_powertools.utilities.typing import LambdaContext

from failover.aws.clients import CONNECT_S, READ_S, client
from failover.aws.console import board_links
from failover.aws.errors import AWS_ERRORS, aws_errors, cause_of
from failover.aws.events import SIZE_LIMIT, put_event, sized_json
from failover.container import remembered
from failover.errors import LedgerRejected, LedgerUnavailable, ServiceRejected, ServiceUnavailable
from failover.message import SUBJECT_LIMIT, Message, one_line

REMEMBERED_S: Final = 14 * 86_400
"""The redrive window of Step Functions."""
ATTEMPT_MS: Final = (CONNECT_S + READ_S) * 1000
"""The longest that one attempt to tell takes. A call that was killed meanwhile holds the next up for so long."""
DEFAULT_STACK: Final = "failover"
"""Of which the command line speaks if it is told no other."""
LOOK_AGAIN_S: Final = (0.2, 0.3, 0.5)
FOR_MACHINES: Final = ("sqs", "lambda", "firehose")
"""Protocols of a topic's subscribers that nobody reads
(https://docs.aws.amazon.com/sns/latest/dg/sns-send-custom-platform-specific-payloads-mobile-devices.html)."""

_CLAUSES: Final = re.compile(r"[:;,] ")
Document = dict[str, Any]


def notify_at_least_once(*, key: str, message: Message, document: Document, again_after_s: int = REMEMBERED_S) -> None:
    """Publish to the notification topic, unless a message with this key was in the last 14 days, or `again_after_s`
    seconds. What has to be told again before, as by the redrive of an execution, needs another key: name the attempt in
    it. Machines get another key each time it is told again.

    People get the message as text, and queues and functions that are subscribed the document as JSON, with `key`,
    `subject`, `text` and `needs_somebody` beside it.

    Raises:
        LedgerUnavailable, ServiceUnavailable: it is not known to be told; call again.
        LedgerRejected, ServiceRejected: this stack may not tell.
    """
    text = replace(message, links=(*message.links, *board_links())).text(_where())
    notification = {"key": key, "subject": subject_line(message.subject), "text": text}
    of_machines = key if again_after_s == REMEMBERED_S else f"{key}:{int(time.time() // again_after_s)}"
    machines = notification | {"key": of_machines, "needs_somebody": message.needs_somebody} | document
    _tell(_publish, notification | {"document": machines}, again_after_s)


def put_event_at_least_once(*, key: str, detail_type: str, detail: Document) -> None:
    """Put an event on the bus, unless one with this key was in the last 14 days; the key is in its detail.

    Raises:
        LedgerUnavailable, ServiceUnavailable: it is not known to be told; call again.
        LedgerRejected, ServiceRejected: this stack may not tell.
    """
    _tell(_put_event, {"key": key, "detail_type": detail_type, "detail": {"key": key, **detail}})


def subject_line(text: str) -> str:
    """A subject that SNS takes, and that a phone shows whole: one line without a control character
    (https://docs.aws.amazon.com/sns/latest/api/API_Publish.html). What is too long for it loses its last clauses, which
    the text has, before it is cut."""
    line = one_line(text, max(len(text), SUBJECT_LIMIT)).strip()
    while len(line) > SUBJECT_LIMIT and len(clauses := list(_CLAUSES.finditer(line))) > 1:
        line = line[: clauses[-1].start()]
    return one_line(line, SUBJECT_LIMIT) or "Failover controller"


def _where() -> str:
    """What a command of `failover` needs to find this controller."""
    region, stack = os.environ.get("AWS_REGION"), os.environ.get("STACK_NAME", "")
    return (f" --stack {stack}" if stack not in ("", DEFAULT_STACK) else "") + (f" --region {region}" if region else "")


def _tell(effect: Callable[..., bool], notification: Document, again_after_s: int = REMEMBERED_S) -> None:
    for pause in (*LOOK_AGAIN_S, None):
        try:
            _tell_once(effect, notification, again_after_s)
        except (IdempotencyAlreadyInProgressError, IdempotencyInconsistentStateError):
            if pause is None:
                raise ServiceUnavailable(
                    f"another call is telling {notification['key']!r}, or was ended while it did: call again"
                ) from None
            time.sleep(pause)
        else:
            return


def _tell_once(effect: Callable[..., bool], notification: Document, again_after_s: int) -> None:
    of = f"the ledger, for whether {notification['key']!r} was told"
    delivered: list[str] = []
    with aws_errors(of, transient=LedgerUnavailable, final=LedgerRejected):
        try:
            _guarded(effect, again_after_s)(notification=notification, delivered=delivered)
        except IdempotencyPersistenceLayerError as error:
            if delivered:  # Only its record is missing: at worst it is told again.
                return
            if isinstance(cause := cause_of(error), AWS_ERRORS):
                raise cause from None
            raise LedgerUnavailable(f"{of}: {cause}") from error


class _OneAttempt(LambdaContext):
    """Tells Powertools when an attempt must be dead, so that another may tell."""

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return ATTEMPT_MS


@remembered
def _guarded(effect: Callable[..., bool], again_after_s: int) -> Callable[..., bool]:
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
        expires_after_seconds=again_after_s,
        hash_function="sha256",
        raise_on_no_idempotency_key=True,
        lambda_context=_OneAttempt(),
    )
    # By itself Powertools keys by the Lambda function, too: judge would tell again what conclude has told.
    guarded: Callable[..., bool] = idempotent_function(
        effect,
        data_keyword_argument="notification",
        persistence_store=store,
        config=config,
        key_prefix=effect.__name__,
    )
    return guarded


def _publish(notification: Document, delivered: list[str]) -> bool:
    of = f"SNS, for the notification {notification['key']!r}"
    with aws_errors(of, transient=ServiceUnavailable, final=ServiceRejected):
        client("sns", attempts=1).publish(
            TopicArn=os.environ["NOTIFICATION_TOPIC_ARN"],
            Subject=notification["subject"],
            MessageStructure="json",
            Message=_by_protocol(notification["text"], notification["document"]),
        )
    delivered.append(notification["key"])
    return True


def _by_protocol(text: str, document: Document) -> str:
    # A text within JSON is at most twice as long: its quotes are escaped.
    for_machines = sized_json(document, limit=(SIZE_LIMIT - 2 * len(text.encode())) // (2 * len(FOR_MACHINES)))
    return json.dumps({"default": text, **dict.fromkeys(FOR_MACHINES, for_machines)})


def _put_event(notification: Document, delivered: list[str]) -> bool:
    put_event(notification["detail_type"], notification["detail"])
    delivered.append(notification["key"])
    return True
