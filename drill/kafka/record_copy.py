"""Copies of records that keep their partitions and offsets, as far as a topic is not to be truncated."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition

COPY_S: Final = 30.0

_OF_THE_BROKER: Final = frozenset({"__consumer_offsets", "__transaction_state", "__share_group_state"})

Spot = tuple[str, int]
"""Topic and partition."""
Ends = Mapping[Spot, int]
"""The offset before which a partition's records are kept."""


class NotCopied(ValueError):
    """Records could not be read, or would not have the offsets that they have."""


def log_ends(bootstrap: str) -> dict[Spot, int]:
    """Where every partition of the cluster ends.

    Raises:
        NotCopied: a partition has lost its first records.
        KafkaException
    """
    reader = _reader(bootstrap)
    ends: dict[Spot, int] = {}
    try:
        for topic, metadata in reader.list_topics(timeout=10).topics.items():
            for partition in metadata.partitions if topic not in _OF_THE_BROKER else ():
                low, high = reader.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
                if low:
                    raise NotCopied(
                        f"{topic}-{partition} has lost its first {low} records: offsets would not be the same"
                    )
                ends[topic, partition] = high
    finally:
        reader.close()
    return ends


def truncated_ends(ends: Ends, first_truncated: Mapping[str, Sequence[int]]) -> dict[Spot, int]:
    """Where partitions end once those of the topics in `first_truncated` are truncated to an offset each."""
    return {
        (topic, partition): min(end, first_truncated[topic][partition]) if topic in first_truncated else end
        for (topic, partition), end in ends.items()
    }


def records_before(bootstrap: str, ends: Ends) -> Iterator[Message]:
    """Every record before these offsets, each partition's in order.

    Raises:
        NotCopied: an offset has no record, or they did not come in time.
        KafkaException
    """
    reader = _reader(bootstrap)
    following = {spot: 0 for spot, end in ends.items() if end}
    try:
        reader.assign([TopicPartition(topic, partition, 0) for topic, partition in sorted(following)])
        deadline = time.monotonic() + COPY_S
        while following:
            if time.monotonic() > deadline:
                raise NotCopied(f"not copied within {COPY_S:.0f} s: {sorted(following)}")
            for message in reader.consume(1000, 0.1):
                spot, offset = _spot_and_offset(message)
                if spot not in following:
                    continue
                if offset != following[spot]:
                    raise NotCopied(f"{spot[0]}-{spot[1]} has no record at {following[spot]}, and one at {offset}")
                following[spot] += 1
                if following[spot] == ends[spot]:
                    del following[spot]
                yield message
    finally:
        reader.close()


def write_alike(bootstrap: str, messages: Iterable[Message]) -> None:
    """Write records to empty partitions of the same names, and wait until all have the offsets that they had.

    Raises:
        NotCopied, KafkaException
    """
    writer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 2, "acks": "all", "log_level": 2})
    wrong: list[str] = []
    for message in messages:
        _write(writer, message, wrong)
    if writer.flush(COPY_S) or wrong:
        raise NotCopied(f"records were not taken, or got other offsets: {wrong[:5]}")


def _write(writer: Producer, message: Message, wrong: list[str]) -> None:
    (topic, partition), offset = _spot_and_offset(message)

    def delivered(error: object, report: Message) -> None:
        if error is not None or report.offset() != offset:
            wrong.append(f"{topic}-{partition}@{offset}: {error or report.offset()}")

    kind, timestamp = message.timestamp()
    while True:
        try:
            writer.produce(
                topic,
                value=message.value(),
                key=message.key(),
                partition=partition,
                timestamp=timestamp if kind else 0,
                headers=message.headers(),
                on_delivery=delivered,
            )
            writer.poll(0)
            return
        except BufferError:
            writer.poll(0.05)


def _spot_and_offset(message: Message) -> tuple[Spot, int]:
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    if message.error() is not None or topic is None or partition is None or offset is None:
        raise KafkaException(message.error())
    return (topic, partition), offset


def _reader(bootstrap: str) -> Consumer:
    settings: dict[str, Any] = {"bootstrap.servers": bootstrap, "group.id": "record-copy", "log_level": 2}
    uncommitted = {"isolation.level": "read_uncommitted", "enable.auto.commit": False}
    return Consumer(settings | uncommitted | {"auto.offset.reset": "error"})
