"""A canary record: written and read back, the proof that clients can work."""

from __future__ import annotations

import time
import uuid

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from failover.errors import KafkaUnauthorized, KafkaUnavailable
from failover.kafka.client import Settings, is_authorization, reporting, trouble, unauthorized

_POLL_S = 0.05


def write_and_read_back(chosen: Settings, topic: str, timeout: float = 8.0) -> tuple[int, int]:
    """Write a canary record and read that very record back; its partition and offset.

    Raises:
        KafkaUnauthorized: at once, if the credentials are refused, or the topic may not be written or read.
        KafkaUnavailable: if the record is not acknowledged, or not read back, within `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    canary = uuid.uuid4().bytes
    partition, offset = _write(chosen, topic, canary, deadline)
    errors: list[KafkaError] = []
    consumer = Consumer(
        {
            **chosen,
            "group.id": "failover-canary",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 50,
            **reporting(errors),
        }
    )
    where = f"{topic}[{partition}]@{offset}"
    unread = f"acknowledged the canary record at {where}, which was not read back"
    try:
        consumer.assign([TopicPartition(topic, partition, offset)])
        while (seconds := deadline - time.monotonic()) > 0:
            message = consumer.poll(min(seconds, _POLL_S))
            _raise_refusal(chosen, errors, unread)
            if message is None:
                continue
            error = message.error()
            if error is not None and is_authorization(error):
                raise unauthorized(f"does not let the canary be read from {topic}", error)
            if error is None and message.value() == canary:
                return partition, offset
    finally:
        consumer.close()
    raise trouble(chosen, errors, unread)


def _write(chosen: Settings, topic: str, canary: bytes, deadline: float) -> tuple[int, int]:
    """The partition and offset that acknowledge the record."""
    answers: list[tuple[KafkaError | None, Message]] = []
    errors: list[KafkaError] = []
    milliseconds = max(1, int((deadline - time.monotonic()) * 1000))
    producer = Producer({**chosen, "acks": "all", "message.timeout.ms": milliseconds, **reporting(errors)})
    producer.produce(topic, canary, on_delivery=lambda error, message: answers.append((error, message)))
    unacknowledged = f"acknowledged no canary record for {topic} in time"
    while not answers and (seconds := deadline - time.monotonic()) > 0:
        producer.poll(min(seconds, _POLL_S))
        if not answers:
            _raise_refusal(chosen, errors, unacknowledged)
    if not answers:
        raise trouble(chosen, errors, unacknowledged)
    error, message = answers[0]
    if error is not None and is_authorization(error):
        raise unauthorized(f"does not let the canary be written to {topic}", error)
    if error is not None:
        raise trouble(chosen, errors, f"refused the canary record for {topic}: {error}")
    partition, offset = message.partition(), message.offset()
    if partition is None or offset is None or offset < 0:
        raise KafkaUnavailable(f"the canary record for {topic} was acknowledged without its offset")
    return partition, offset


def _raise_refusal(chosen: Settings, errors: list[KafkaError], what: str) -> None:
    if isinstance(refusal := trouble(chosen, errors, what), KafkaUnauthorized):
        raise refusal
