"""The last record of each partition, read from a broker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from confluent_kafka import Producer

from failover.errors import KafkaUnavailable
from failover.kafka.client import Settings, settings
from failover.kafka.last_records import last_records


@pytest.fixture
def broker() -> Iterator[Settings]:
    """librdkafka's own mock, with two records in one of two partitions."""
    producer = Producer({"bootstrap.servers": "", "test.mock.num.brokers": 1})
    for value in (b"first", b"last"):
        producer.produce("orders", value, partition=0)
    assert producer.flush(10) == 0
    (described,) = producer.list_topics(timeout=10).brokers.values()
    yield settings(f"{described.host}:{described.port}", "PLAINTEXT", None)


def test_what_a_partition_ends_with_is_read_and_an_empty_one_has_nothing(broker: Settings) -> None:
    records = last_records(broker, [("orders", 0), ("orders", 1)], 20.0)
    assert {spot: record.value() for spot, record in records.items()} == {("orders", 0): b"last"}
    assert last_records(broker, [], 1.0) == {}


def test_a_broker_that_says_nothing_is_no_empty_topic() -> None:
    with pytest.raises(KafkaUnavailable):
        last_records(settings("127.0.0.1:1", "PLAINTEXT", None), [("orders", 0)], 0.3)
