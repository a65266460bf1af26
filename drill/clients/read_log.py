"""What a cluster's log holds in the end, record by record, read raw: no group, no gateway, nothing committed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from drill.clients.record_log import Key
from drill.clients.record_number import number_of

REQUEST_S = 10.0
LONGEST_READ_S = 30.0


class ClusterUnreadable(RuntimeError):
    """A cluster's log could not be read to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRecord:
    """A record as a cluster holds it. `timestamp`: its create time, seconds since 1970."""

    topic: str
    partition: int
    offset: int
    n: int
    timestamp: float


@dataclass(frozen=True, kw_only=True)
class ClusterLog:
    """A cluster's log: its numbered records, the first and the end offset of each partition, and what was not ours."""

    records: tuple[StoredRecord, ...] = ()
    starts: Mapping[Key, int] = field(default_factory=dict)
    ends: Mapping[Key, int] = field(default_factory=dict)
    unnumbered: int = 0

    def __or__(self, other: ClusterLog) -> ClusterLog:
        """That of other topics, too."""
        return ClusterLog(
            records=self.records + other.records,
            starts={**self.starts, **other.starts},
            ends={**self.ends, **other.ends},
            unnumbered=self.unnumbered + other.unnumbered,
        )


def read_cluster(
    bootstrap: str, topics: Sequence[str], timeout_s: float = LONGEST_READ_S, *, checked: bool = True
) -> ClusterLog:
    """Read every record of the topics up to the ends the cluster reports now. A topic it does not have holds none.
    `checked`: whether checksums are, which are wrong of the markers of transactions that librdkafka's mock writes.

    Raises:
        ClusterUnreadable: if the cluster does not answer, or an end is not reached within `timeout_s` seconds.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "drill-accounting",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "check.crcs": checked,
        }
    )
    try:
        return _read(consumer, bootstrap, topics, time.monotonic() + timeout_s)
    except KafkaException as failed:
        raise ClusterUnreadable(f"the log of {bootstrap} could not be read: {failed.args[0]}") from failed
    finally:
        consumer.close()


def _read(consumer: Consumer, bootstrap: str, topics: Sequence[str], deadline: float) -> ClusterLog:
    starts, ends = _bounds(consumer, topics)
    unread = {key for key in ends if ends[key] > starts[key]}
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for topic, partition in sorted(unread)])
    records: list[StoredRecord] = []
    unnumbered = 0
    while unread:
        if time.monotonic() > deadline:
            missing = ", ".join(f"{topic}:{partition}" for topic, partition in sorted(unread))
            raise ClusterUnreadable(f"the log of {bootstrap} was not read to its end in time; left: {missing}")
        for message in consumer.consume(1000, timeout=0.2):
            if at_end := _end_of(message):
                unread.discard(at_end)
                continue
            key, offset = _place(message)
            if offset + 1 >= ends[key]:
                unread.discard(key)
            if offset >= ends[key]:
                continue
            n = number_of(message.headers())
            if n is None:
                unnumbered += 1
            else:
                records.append(
                    StoredRecord(
                        topic=key[0], partition=key[1], offset=offset, n=n, timestamp=message.timestamp()[1] / 1000
                    )
                )
    records.sort(key=lambda record: (record.topic, record.partition, record.offset))
    return ClusterLog(records=tuple(records), starts=starts, ends=ends, unnumbered=unnumbered)


def _bounds(consumer: Consumer, topics: Sequence[str]) -> tuple[dict[Key, int], dict[Key, int]]:
    """The first and the end offset of each partition."""
    starts: dict[Key, int] = {}
    ends: dict[Key, int] = {}
    for topic in topics:
        metadata = consumer.list_topics(topic, timeout=REQUEST_S).topics[topic]
        if metadata.error is not None and metadata.error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise KafkaException(metadata.error)
        for partition in metadata.partitions:
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=REQUEST_S)
            starts[topic, partition], ends[topic, partition] = low, high
    return starts, ends


def _end_of(message: Message) -> Key | None:
    """The partition whose end was come to: behind its last record there may be a marker, which nobody is given."""
    error, topic, partition = message.error(), message.topic(), message.partition()
    if error is None or error.code() != KafkaError._PARTITION_EOF or topic is None or partition is None:
        return None
    return topic, partition


def _place(message: Message) -> tuple[Key, int]:
    """Where a record lies.

    Raises:
        KafkaException: if the message stands for an error.
    """
    error = message.error()
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    if error is not None or topic is None or partition is None or offset is None:
        raise KafkaException(error)
    return (topic, partition), offset
