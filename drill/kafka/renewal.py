"""Truncation, which librdkafka's mock cluster does not have: a new mock takes its place, with what is kept.

Whoever speaks to the cluster keeps its addresses, all of which are of proxies, and the cluster id that it knows.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from kio.index import load_response_schema
from kio.serial import entity_reader

from drill.kafka.codec import written
from drill.kafka.connection import Gate, Verdict
from drill.kafka.messages import METADATA, framed
from drill.network.splice import Address, Bytes

COPY_S: Final = 30.0
_TAGGED_SINCE: Final = 9
"""The first version of an answer to Metadata whose header has tags."""


class NotRenewed(ValueError):
    """What is kept could not be copied; the old mock goes on."""


@dataclass(frozen=True, kw_only=True)
class Mock:
    """A mock cluster; it ends with its client."""

    client: Producer
    cluster_id: str
    nodes: dict[int, Address]

    @property
    def bootstrap(self) -> str:
        """Where its brokers listen."""
        return ",".join(f"{host}:{port}" for host, port in self.nodes.values())


def start_mock(brokers: int) -> Mock:
    """An empty cluster."""
    client = Producer({"test.mock.num.brokers": brokers, "bootstrap.servers": "mock", "log_level": 3})
    metadata = client.list_topics(timeout=10)
    nodes = {broker.id: (broker.host, broker.port) for broker in metadata.brokers.values()}
    return Mock(client=client, cluster_id=str(metadata.cluster_id), nodes=nodes)


def truncated(mock: Mock, first_truncated: Mapping[str, Sequence[int]]) -> Mock:
    """A new mock with all records of the old one, but of the topics in `first_truncated` only those
    before an offset for each partition. Blocks.

    Raises:
        NotRenewed
    """
    new = start_mock(len(mock.nodes))
    settings: dict[str, Any] = {"bootstrap.servers": mock.bootstrap, "group.id": "renewal", "log_level": 2}
    reader = Consumer(settings | {"enable.auto.commit": False, "auto.offset.reset": "error"})
    writer = Producer({"bootstrap.servers": new.bootstrap, "linger.ms": 2, "acks": "all", "log_level": 2})
    try:
        _copy(reader, writer, first_truncated)
    except KafkaException as error:
        raise NotRenewed(str(error)) from error
    finally:
        reader.close()
    return new


def _copy(reader: Consumer, writer: Producer, first_truncated: Mapping[str, Sequence[int]]) -> None:
    ends: dict[tuple[str, int], int] = {}
    for topic, metadata in reader.list_topics(timeout=10).topics.items():
        writer.list_topics(topic, timeout=10)
        for partition in metadata.partitions:
            low, high = reader.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
            if low:
                raise NotRenewed(f"{topic}-{partition} has lost its first {low} records: offsets would not be the same")
            ends[topic, partition] = min(high, first_truncated[topic][partition]) if topic in first_truncated else high
    unread = {spot for spot, end in ends.items() if end}
    reader.assign([TopicPartition(topic, partition, 0) for topic, partition in sorted(unread)])
    deadline = time.monotonic() + COPY_S
    wrong: list[str] = []
    while unread:
        if time.monotonic() > deadline:
            raise NotRenewed(f"not copied within {COPY_S:.0f} s: {sorted(unread)}")
        for message in reader.consume(1000, 0.1):
            _append(writer, message, ends=ends, unread=unread, wrong=wrong)
        writer.poll(0)
    if writer.flush(10) or wrong:
        raise NotRenewed(f"records were not taken, or got other offsets: {wrong[:5]}")


def _append(
    writer: Producer,
    message: Message,
    ends: Mapping[tuple[str, int], int],
    unread: set[tuple[str, int]],
    wrong: list[str],
) -> None:
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    if message.error() is not None or topic is None or partition is None or offset is None:
        raise KafkaException(message.error())
    spot = topic, partition
    if offset + 1 >= ends[spot]:
        unread.discard(spot)
    if offset >= ends[spot]:
        return

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
            return
        except BufferError:
            writer.poll(0.05)


class ClusterName:
    """The gate of one connection, in front of another: clients are told the cluster id that they know."""

    def __init__(self, cluster_id: str, inner: Gate) -> None:
        self._cluster_id = cluster_id
        self._inner = inner
        self.sees = inner.sees | {METADATA}

    def wants(self, api_key: int) -> bool:
        """As the inner gate."""
        return self._inner.wants(api_key)

    def request(self, api_key: int, version: int, frame: Bytes) -> Verdict:
        """As the inner gate."""
        return self._inner.request(api_key, version, frame)

    def response(self, api_key: int, version: int, frame: Bytes) -> Bytes:
        """As the inner gate, but for the cluster id."""
        if api_key in self._inner.sees:
            frame = self._inner.response(api_key, version, frame)
        if api_key != METADATA or version < 2:
            return frame
        body = 8 + (version >= _TAGGED_SINCE)
        schema = load_response_schema(api_key, version)
        message, _ = entity_reader(schema)(memoryview(frame).toreadonly(), body)
        renamed = dataclasses.replace(message, cluster_id=self._cluster_id)
        return framed(bytes(frame[4:body]) + written(schema, renamed))
