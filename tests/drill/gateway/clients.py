"""Real Kafka clients, in the few words the tests need."""

from __future__ import annotations

import time
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message, Producer


def consumer(bootstrap: str, **settings: Any) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "fulfilment",
            "auto.offset.reset": "earliest",
            "log_level": 0,
            **settings,
        }
    )


def read(kafka: Consumer, count: int, timeout_s: float = 90.0) -> list[Message]:
    messages: list[Message] = []
    deadline = time.monotonic() + timeout_s
    while len(messages) < count and time.monotonic() < deadline:
        message = kafka.poll(0.2)
        if message is not None and message.error() is None:
            messages.append(message)
    return messages


def produced(bootstrap: str, values: list[bytes], **settings: Any) -> list[KafkaError | None]:
    """Writes records to the topic orders; what became of each, those that became nothing left out."""
    outcomes: list[KafkaError | None] = []
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "log_level": 0, **settings})
    for number, value in enumerate(values):
        producer.produce("orders", value, partition=number % 4, on_delivery=lambda error, _: outcomes.append(error))
    producer.flush(20)
    return outcomes
