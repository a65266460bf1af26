"""Truncation, which librdkafka's mock cluster does not have: a new mock takes its place, with what is kept.

Whoever speaks to the cluster keeps its addresses, all of which are of proxies, and the cluster id that it knows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from confluent_kafka import KafkaException, Producer
from kio.index import load_response_schema
from kio.serial import entity_reader

from drill.kafka.codec import written
from drill.kafka.connection import Gate, Verdict
from drill.kafka.messages import METADATA, framed
from drill.kafka.record_copy import NotCopied, log_ends, records_before, truncated_ends, write_alike
from drill.network.splice import Address, Bytes

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
    try:
        ends = truncated_ends(log_ends(mock.bootstrap), first_truncated)
        _create(new.client, {topic for topic, _ in ends})
        write_alike(new.bootstrap, records_before(mock.bootstrap, ends))
    except (KafkaException, NotCopied) as error:
        raise NotRenewed(str(error)) from error
    return new


def _create(client: Producer, topics: Collection[str]) -> None:
    """A mock makes a topic when it is asked about."""
    for topic in topics:
        client.list_topics(topic, timeout=10)


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
