"""Offsets over the Kafka protocol: where partitions end, and what consumer groups have committed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any, Final

from confluent_kafka import ConsumerGroupTopicPartitions, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

from failover.kafka import Admin, Settings

Spot = tuple[str, int]
"""Topic and partition."""
TIMEOUT_S: Final = 5.0
_LATEST: Final = OffsetSpec.latest()  # type: ignore[no-untyped-call]
_IN_USE: Final = {KafkaError.UNKNOWN_MEMBER_ID, KafkaError.ILLEGAL_GENERATION, KafkaError.REBALANCE_IN_PROGRESS}


def log_ends(chosen: Settings, spots: Iterable[Spot]) -> dict[Spot, int]:
    """The end of each partition's log; partitions that could not be told are left out.

    Raises:
        KafkaUnauthorized: if the credentials are refused.
        KafkaUnavailable: if the cluster does not answer.
    """
    asked = {TopicPartition(topic, partition): _LATEST for topic, partition in spots}
    if not asked:
        return {}
    admin = Admin(chosen)
    answers = admin.client.list_offsets(
        asked, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=TIMEOUT_S
    )
    found: dict[Spot, int] = {}
    refused: KafkaException | None = None
    for spot, answer in answers.items():
        try:
            found[spot.topic, spot.partition] = int(answer.result(TIMEOUT_S + 1).offset)
        except KafkaException as error:
            refused = error
        except FutureTimeoutError:
            raise admin.trouble("told no log ends in time") from None
    if refused is not None and not found:
        raise admin.trouble(f"told no log ends: {refused.args[0]}") from refused
    return found


def committed(chosen: Settings, group: str, spots: Iterable[Spot]) -> dict[Spot, int]:
    """What the group has committed for these partitions; without those it has nothing for.

    Raises:
        KafkaUnauthorized: if the credentials are refused.
        KafkaUnavailable: if the cluster does not answer.
    """
    rows = [TopicPartition(topic, partition) for topic, partition in spots]
    if not rows:
        return {}
    admin = Admin(chosen)
    asked = [ConsumerGroupTopicPartitions(group, rows)]
    answer = admin.client.list_consumer_group_offsets(asked, request_timeout=TIMEOUT_S)[group]
    found = _result(admin, answer, f"told no offsets of group {group}")
    return {
        (row.topic, row.partition): row.offset
        for row in found.topic_partitions
        if row.error is None and row.offset >= 0
    }


def commit(chosen: Settings, group: str, offsets: Mapping[Spot, int]) -> str | None:
    """Commit offsets for a group that has no members; None if that was done, otherwise why it was refused.

    Raises:
        KafkaUnauthorized: if the credentials are refused.
        KafkaUnavailable: if the cluster does not answer.
    """
    rows = [TopicPartition(topic, partition, offset) for (topic, partition), offset in offsets.items()]
    admin = Admin(chosen)
    asked = [ConsumerGroupTopicPartitions(group, rows)]
    answer = admin.client.alter_consumer_group_offsets(asked, request_timeout=TIMEOUT_S)[group]
    found = _result(admin, answer, f"took no offsets of group {group}")
    errors = [row.error for row in found.topic_partitions if row.error is not None]
    if any(error.code() in _IN_USE for error in errors):
        return f"group {group} has active members on this cluster already; they commit for themselves"
    return f"group {group}: {errors[0]}" if errors else None


def _result(admin: Admin, answer: Any, what: str) -> Any:
    try:
        return answer.result(TIMEOUT_S + 1)
    except (KafkaException, FutureTimeoutError) as error:
        raise admin.trouble(f"{what}: {error or 'no answer in time'}") from error
