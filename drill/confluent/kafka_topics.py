"""Topics on the wire."""

from __future__ import annotations

import time
from collections.abc import Iterable

from confluent_kafka.admin import AdminClient

from drill.confluent.replication import SLICE_S


class TopicNotCreated(RuntimeError):
    """The brokers did not create a topic in time."""


def ensure_topics(admin: AdminClient, topics: Iterable[str], timeout_s: float = 10.0) -> dict[str, int]:
    """Make sure that the topics exist; each with its number of partitions. The mock cluster creates a topic, with as
    many partitions as every other, when its metadata are asked for.

    Raises:
        TopicNotCreated, KafkaException
    """
    counts: dict[str, int] = {}
    for topic in topics:
        deadline = time.monotonic() + timeout_s
        while not (count := len(admin.list_topics(topic, timeout=5).topics[topic].partitions)):
            if time.monotonic() > deadline:
                raise TopicNotCreated(f"topic {topic} could not be created within {timeout_s} s")
            time.sleep(SLICE_S)
        counts[topic] = count
    return counts
