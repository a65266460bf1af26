"""A cluster of the drill whose leader epochs are above its mock's: clients work with it as with any, and one that knows
its epochs is ahead of another cluster. What a real broker tells of epochs is in tests/real_kafka."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from drill.process import Child, spawn

ABOVE = 8


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    folder: Path = tmp_path_factory.mktemp("epochs")
    config = {"site": "east", "brokers": 1, "epochs_above": ABOVE}
    child = spawn("drill.kafka.cluster", config, log=folder / "kafka.log")
    yield child
    child.kill()


def written(bootstrap: str, count: int) -> None:
    errors: list[object] = []
    producer = Producer({"bootstrap.servers": bootstrap})
    for n in range(count):
        producer.produce("orders", str(n).encode(), partition=0, on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(30) == 0
    assert errors == [None] * count


def first_record(bootstrap: str, spot: TopicPartition) -> tuple[int | None, int | None]:
    """Where a reader begins that goes on from there, and the epoch of that record's batch."""
    settings = {"bootstrap.servers": bootstrap, "group.id": "desk", "auto.offset.reset": "earliest"}
    consumer = Consumer({**settings, "enable.auto.commit": False})
    try:
        consumer.assign([spot])
        message = consumer.poll(30)
        assert message is not None
        error = message.error()
        assert error is None or error.code() == KafkaError._PARTITION_EOF, error
        return message.offset(), message.leader_epoch()
    finally:
        consumer.close()


@pytest.mark.slow
def test_clients_write_and_read_and_are_told_the_higher_epochs(cluster: Child) -> None:
    raised, own = cluster.ready["bootstrap"], cluster.ready["raw_bootstrap"]
    written(raised, 3)
    assert first_record(raised, TopicPartition("orders", 0, 1)) == (1, ABOVE)
    assert first_record(own, TopicPartition("orders", 0, 1)) == (1, 0)


@pytest.mark.slow
def test_a_position_with_the_epoch_of_the_other_cluster_is_one_that_the_cluster_does_not_know(cluster: Child) -> None:
    raised, own = cluster.ready["bootstrap"], cluster.ready["raw_bootstrap"]
    written(raised, 3)
    known = TopicPartition("orders", 0, 1, leader_epoch=ABOVE)
    assert first_record(raised, known) == (1, ABOVE)
    assert first_record(own, known)[0] == 0, "the reader takes its log for truncated, and begins anew"
