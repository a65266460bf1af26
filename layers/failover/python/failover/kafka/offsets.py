"""Offsets over the Kafka protocol: where partitions end, and what consumer groups have committed.

A cluster answers for each partition apart, says -1 or -1001 where it knows nothing, and leaves out what the asker may
not describe. A part is never given for the whole here: every partition that was asked for is either told or named with
the reason why it is not.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from confluent_kafka import ConsumerGroupTopicPartitions, IsolationLevel, KafkaError, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

from failover.errors import KafkaUnauthorized, KafkaUnavailable
from failover.kafka.client import (
    LONGEST_S,
    Admin,
    Client,
    GroupReader,
    Settings,
    failed,
    is_authorization,
    result,
)

Spot = tuple[str, int]
"""Topic and partition."""
TIMEOUT_S: Final = 3.0
_RESULT_S: Final = TIMEOUT_S + 0.5
_LATEST: Final = OffsetSpec.latest()  # type: ignore[no-untyped-call]
_MAY_PASS: Final = {
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._TIMED_OUT,
    KafkaError._TRANSPORT,
}
"""Of a partition's row, whose error never says itself whether it is retriable."""
_NO_ROW: Final = "the answer leaves it out"
_IN_USE: Final = {KafkaError.UNKNOWN_MEMBER_ID, KafkaError.ILLEGAL_GENERATION, KafkaError.REBALANCE_IN_PROGRESS}


@dataclass(frozen=True)
class Offsets:
    """An offset of each partition that was asked for, or why there is none."""

    by_partition: dict[Spot, int] = field(default_factory=dict)
    unknown: dict[Spot, str] = field(default_factory=dict)
    """Of partitions that were not told, and may be when asked again: why not."""
    refused: dict[Spot, str] = field(default_factory=dict)
    """Of partitions that the asker may not look at: why not."""


def in_words(spot: Spot) -> str:
    """A partition, as Kafka's own tools write it in prose."""
    return f"{spot[0]}[{spot[1]}]"


def log_ends(chosen: Settings, spots: Iterable[Spot], *, stable: bool = False) -> Offsets:
    """The end of each partition's log; if `stable` the last stable offset, where readers of committed records stand:
    below the end while a transaction is open.

    Raises:
        KafkaUnauthorized: if the credentials are refused, or every partition is.
        KafkaUnavailable: if the cluster tells of no partition at all.
    """
    specs = {TopicPartition(topic, partition): _LATEST for topic, partition in spots}
    if not specs:
        return Offsets()
    admin, deadline, what = Admin(chosen), time.monotonic() + _RESULT_S, "told no log ends"
    level = IsolationLevel.READ_COMMITTED if stable else IsolationLevel.READ_UNCOMMITTED
    answers = admin.client.list_offsets(specs, isolation_level=level, request_timeout=TIMEOUT_S)
    offsets: dict[Spot, int] = {}
    unknown = {(partition.topic, partition.partition): _NO_ROW for partition in specs}
    refused: dict[Spot, str] = {}
    errors: list[KafkaUnavailable] = []
    for partition, answer in answers.items():
        spot = partition.topic, partition.partition
        try:
            offset = int(result(admin, answer, what, deadline).offset)
        except KafkaUnavailable as error:
            errors.append(error)
            unknown[spot] = str(error)
            if isinstance(error, KafkaUnauthorized):
                refused[spot] = unknown.pop(spot)
            continue
        if offset < 0:
            unknown[spot] = f"the cluster told {offset}, which is no offset"
        else:
            offsets[spot] = offset
            del unknown[spot]
    if errors and not offsets:
        raise errors[0]
    return Offsets(offsets, unknown, refused)


def leader_epochs(chosen: Settings, spots: Iterable[Spot]) -> dict[Spot, int]:
    """The leader epoch at the end of each partition's log; not of those of which the cluster does not tell it.

    Raises:
        KafkaUnauthorized: if the credentials are refused, or every partition is.
        KafkaUnavailable: if the cluster tells of no partition at all.
    """
    specs = {TopicPartition(topic, partition): _LATEST for topic, partition in spots}
    if not specs:
        return {}
    admin, deadline, what = Admin(chosen), time.monotonic() + _RESULT_S, "told no leader epochs"
    epochs: dict[Spot, int] = {}
    errors: list[KafkaUnavailable] = []
    for partition, answer in admin.client.list_offsets(specs, request_timeout=TIMEOUT_S).items():
        try:
            epoch = result(admin, answer, what, deadline).leader_epoch
        except KafkaUnavailable as error:
            errors.append(error)
            continue
        if epoch is not None:
            epochs[partition.topic, partition.partition] = int(epoch)
    if len(errors) == len(specs):
        raise errors[0]
    return epochs


def committed(chosen: Settings, group: str, spots: Iterable[Spot]) -> Offsets:
    """What the group has committed for these partitions; those it has nothing for are in neither part.

    Raises:
        KafkaUnauthorized: if the credentials are refused, or the group is.
        KafkaUnavailable: if the cluster does not answer.
    """
    rows = [TopicPartition(topic, partition) for topic, partition in spots]
    if not rows:
        return Offsets()
    reader, what = GroupReader(chosen, group), f"told no offsets of group {group}"
    answered = reader.committed(rows, what)
    _raise_if_refused(reader, answered, what)
    errors = [(_spot(row), row.error) for row in answered if row.error is not None]
    absent = {_spot(row) for row in rows} - {_spot(row) for row in answered}
    return Offsets(
        {_spot(row): row.offset for row in answered if row.error is None and row.offset >= 0},
        dict.fromkeys(absent, _NO_ROW) | {spot: str(error) for spot, error in errors if not is_authorization(error)},
        {spot: str(error) for spot, error in errors if is_authorization(error)},
    )


@dataclass(frozen=True)
class Commit:
    """What became of a commit for a group without members."""

    refused: str = ""
    """Why the cluster will not take it however often it is asked."""
    retry: str = ""
    """Why it did not take it now, and may when asked again."""


def commit(chosen: Settings, group: str, offsets: Mapping[Spot, int]) -> Commit:
    """Commit offsets for a group that has no members.

    Raises:
        KafkaUnauthorized: if the credentials are refused, or the group is.
        KafkaUnavailable: if the cluster does not answer.
    """
    rows = [TopicPartition(topic, partition, offset) for (topic, partition), offset in offsets.items()]
    admin, deadline, what = Admin(chosen), time.monotonic() + _RESULT_S, f"took no offsets of group {group}"
    request = [ConsumerGroupTopicPartitions(group, rows)]
    answer = admin.client.alter_consumer_group_offsets(request, request_timeout=LONGEST_S)[group]
    answered = result(admin, answer, what, deadline).topic_partitions
    _raise_if_refused(admin, answered, what)
    errors = [(row, row.error) for row in answered if row.error is not None]
    if any(error.code() in _IN_USE for _, error in errors):
        return Commit(refused=f"group {group} has active members on this cluster already; they commit for themselves")
    refused = [f"{row.topic}[{row.partition}] {error}" for row, error in errors if error.code() not in _MAY_PASS]
    retry = [f"{row.topic}[{row.partition}] {error}" for row, error in errors if error.code() in _MAY_PASS]
    return Commit(
        f"group {group}: {', '.join(refused)}" if refused else "", f"group {group}: {', '.join(retry)}" if retry else ""
    )


def _spot(row: TopicPartition) -> Spot:
    return row.topic, row.partition


def _raise_if_refused(client: Client[Any], answered: Sequence[TopicPartition], what: str) -> None:
    errors = [row.error for row in answered if row.error is not None]
    if len(errors) == len(answered) and (refused := next(filter(is_authorization, errors), None)):
        raise failed(client, what, refused)
