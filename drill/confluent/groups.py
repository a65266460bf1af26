"""Consumer groups over the Kafka protocol: which there are, what state they are in, what they committed."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from typing import Final

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from drill.confluent.replication import SLICE_S, Hurry, Spot

log = logging.getLogger(__name__)

MEMBERS: Final = frozenset(
    {KafkaError.UNKNOWN_MEMBER_ID, KafkaError.ILLEGAL_GENERATION, KafkaError.REBALANCE_IN_PROGRESS}
)
"""How a group refuses a commit from outside while it has members."""
_NO_TOPIC: Final = "__no-such-topic"


def listed_groups(admin: AdminClient, timeout_s: float) -> set[str]:
    """The groups that the brokers list; librdkafka's mock cluster lists none."""
    return {group.group_id for group in admin.list_consumer_groups(request_timeout=timeout_s).result().valid}


def state_of(admin: AdminClient, group: str, timeout_s: float) -> str:
    """The group's state, by the spec's words."""
    try:
        described = admin.describe_consumer_groups([group], request_timeout=timeout_s)[group].result(timeout_s)
        return str(described.state.name).replace("REBALANCING", "REBALANCE")
    except KafkaException as error:
        if error.args[0].code() != KafkaError._UNSUPPORTED_FEATURE:
            raise
    # The mock cluster describes no groups, but it refuses a commit to one that has, or ever had, members. A commit for
    # a topic that does not exist is refused in any case, and so changes nothing.
    row = TopicPartition(_NO_TOPIC, 0, 0)
    answer = admin.alter_consumer_group_offsets(
        [ConsumerGroupTopicPartitions(group, [row])], request_timeout=timeout_s
    )[group]
    try:
        errors = {row.error.code() for row in answer.result(timeout_s).topic_partitions if row.error is not None}
    except KafkaException as error:
        errors = {error.args[0].code()}
    return "STABLE" if errors & MEMBERS else "EMPTY"


def committed(
    admin: AdminClient, group: str, spots: Collection[Spot], timeout_s: float, hurry: Hurry = lambda: False
) -> dict[Spot, int]:
    """The group's committed offsets for these partitions; without those it has none for, empty if nobody answers.

    Partitions are named one by one because librdkafka's mock cluster answers nothing to "all of them".
    """
    if not spots:
        return {}
    rows = [TopicPartition(spot.topic, spot.partition) for spot in spots]
    try:
        answer = admin.list_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(group, rows)], request_timeout=timeout_s
        )[group]
        deadline = time.monotonic() + timeout_s + 0.25
        while not answer.done() and time.monotonic() < deadline and not hurry():
            time.sleep(min(SLICE_S, 0.005))
        if not answer.done():
            return {}
        rows_read = answer.result().topic_partitions
    except KafkaException as error:
        log.info("offsets of group %s could not be read: %s", group, error)
        return {}
    return {Spot(row.topic, row.partition): row.offset for row in rows_read if row.error is None and row.offset >= 0}
