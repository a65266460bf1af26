"""Topics on the wire. librdkafka's mock cluster has no controller: it creates a topic when its metadata are asked for,
with as many partitions as every other, and can neither delete one nor give it more partitions."""

from __future__ import annotations

import time
from collections.abc import Mapping

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic  # type: ignore[attr-defined]

from drill.confluent.replication import SLICE_S

REPLICATION_FACTOR = 3


class TopicNotCreated(RuntimeError):
    """The brokers did not create a topic in time."""


class NotSupported(RuntimeError):
    """These brokers can't do that."""


def ensure_topics(admin: AdminClient, topics: Mapping[str, int | None], timeout_s: float = 10.0) -> dict[str, int]:
    """Make sure that the topics exist, with so many partitions (None: the brokers' default); how many they have.

    Raises:
        TopicNotCreated, KafkaException
    """
    if _has_controller(admin):
        _create(admin, topics, timeout_s)
    counts: dict[str, int] = {}
    for topic in topics:
        deadline = time.monotonic() + timeout_s
        while not (count := len(admin.list_topics(topic, timeout=5).topics[topic].partitions)):
            if time.monotonic() > deadline:
                raise TopicNotCreated(f"topic {topic} could not be created within {timeout_s} s")
            time.sleep(SLICE_S)
        counts[topic] = count
    return counts


def delete_topic(admin: AdminClient, topic: str, timeout_s: float = 5.0) -> None:
    """Delete a topic.

    Raises:
        NotSupported, KafkaException
    """
    if not _has_controller(admin):
        raise NotSupported("these brokers can't delete a topic")
    admin.delete_topics([topic], request_timeout=timeout_s)[topic].result(timeout_s)


def grow_topic(admin: AdminClient, topic: str, partitions: int, timeout_s: float = 5.0) -> None:
    """Give a topic more partitions.

    Raises:
        NotSupported, KafkaException
    """
    if not _has_controller(admin):
        raise NotSupported("these brokers can't give a topic more partitions")
    admin.create_partitions([NewPartitions(topic, partitions)], request_timeout=timeout_s)[topic].result(timeout_s)


def _create(admin: AdminClient, topics: Mapping[str, int | None], timeout_s: float) -> None:
    replicas = min(REPLICATION_FACTOR, len(admin.list_topics(timeout=5).brokers))
    new = [NewTopic(topic, count or -1, replicas) for topic, count in topics.items()]
    for answer in admin.create_topics(new, request_timeout=timeout_s).values():
        try:
            answer.result(timeout_s)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise


def _has_controller(admin: AdminClient) -> bool:
    metadata = admin.list_topics(timeout=5)
    return metadata.controller_id in metadata.brokers
