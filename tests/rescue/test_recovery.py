"""Rescued records in the recovery topic: each once, in order, with headers of its origin, whenever it is killed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from confluent_kafka import Consumer, Producer, TopicPartition

from failover.errors import KafkaUnauthorized, KafkaUnavailable, RescueIncomplete
from failover.kafka.offsets import Offsets
from failover.kafka.writer import Writer
from failover.ledger.ledger import Ledger
from failover.rescue.recovery import begin
from tests.rescue.conftest import RESCUE, Bucket, Returned
from tests.rescue.test_rescue_records import Killed, answer, kill_at, until_done

pytestmark = pytest.mark.slow
TOPIC = "recovery"
Step = Callable[[], Any]
Strand = Callable[..., None]


@pytest.fixture
def rescue() -> dict[str, Any]:
    return RESCUE | {"recovery_topic": TOPIC}


@pytest.fixture
def active() -> Iterator[str]:
    """The active site's cluster, with a recovery topic of three partitions that holds a record of somebody else's."""
    mock = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "mock", "log_level": 3})
    brokers = mock.list_topics(timeout=10).brokers.values()
    bootstrap = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
    producer = Producer({"bootstrap.servers": bootstrap})
    producer.produce(TOPIC, b"of another", partition=1, headers=[("failover-execution", b"orders-0-restore")])
    assert producer.flush(10) == 0
    yield bootstrap
    mock.flush(0)


@pytest.fixture
def plan_text(plan_text: str, active: str) -> str:
    document = yaml.safe_load(plan_text)
    document["sites"]["west"]["kafka"] |= {"bootstrap": active, "security_protocol": "PLAINTEXT"}
    del document["sites"]["west"]["kafka"]["credentials"]
    return yaml.safe_dump(document)


def recovered(bootstrap: str) -> list[tuple[str, int, int, bytes | None, dict[str, bytes]]]:
    """What is in the recovery topic of this execution: origin, value, other headers; by its partitions and offsets."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "test", "enable.partition.eof": True})
    numbers = consumer.list_topics(TOPIC, timeout=10).topics[TOPIC].partitions
    consumer.assign([TopicPartition(TOPIC, number, 0) for number in numbers])
    rows, ended = [], 0
    while ended < len(numbers):
        for message in consumer.consume(1000, timeout=1):
            if message.error() is not None:
                ended += 1
                continue
            headers: dict[str, Any] = dict(message.headers() or [])
            if headers.pop("failover-execution") != b"orders-1-switchover":
                continue
            origin = [headers.pop(f"failover-{part}").decode() for part in ("topic", "partition", "offset")]
            rows.append((origin[0], int(origin[1]), int(origin[2]), message.value(), headers))
    consumer.close()
    return rows


def test_records_are_recovered_as_they_were_with_their_origin(
    returned: Returned, active: str, strand: Strand, rescue_records: Step
) -> None:
    producer = Producer({"bootstrap.servers": returned.bootstrap})
    producer.produce("orders", None, b"gone", partition=0, headers=[("trace", b"1")])
    producer.produce("orders", b"kept", None, partition=0)
    producer.flush(10)
    strand({("orders", 0): (0, 2)})
    observed = until_done(rescue_records)
    assert (observed["saved"], observed["recovered"]) == (2, 2)
    assert recovered(active) == [("orders", 0, 0, None, {"trace": b"1"}), ("orders", 0, 1, b"kept", {})]
    assert until_done(rescue_records, limit=1)["recovered"] == 2
    assert len(recovered(active)) == 2


def test_killed_at_any_call_or_between_two_records_none_is_twice_and_none_missing(
    returned: Returned, bucket: Bucket, active: str, strand: Strand, rescue_records: Step, monkeypatch: Any
) -> None:
    monkeypatch.setattr("failover.rescue.save.SEGMENT_BYTES", 1000)
    monkeypatch.setattr("failover.kafka.range_reader._MESSAGES", 10)
    for partition in range(2):
        returned.write("orders", 30, partition=partition)
    strand({("orders", 0): (0, 30), ("orders", 1): (5, 30)})
    write = Writer.write

    def half(writer: Writer, rows: Any, partition: int) -> None:
        write(writer, rows[: len(rows) // 2], partition)
        raise Killed

    for number in (30, 24, 18, 12, 8):
        with pytest.MonkeyPatch.context() as patch:
            kill_at(patch, number, after=True)
            with contextlib.suppress(Killed):
                answer(rescue_records)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Writer, "write", half)
            with contextlib.suppress(Killed):
                answer(rescue_records)
    observed = until_done(rescue_records)
    assert observed["recovered"] == 55
    origins = [(partition, offset) for _, partition, offset, _, _ in recovered(active)]
    for partition, first in ((0, 0), (1, 5)):
        assert [offset for number, offset in origins if number == partition] == list(range(first, 30))


@pytest.mark.parametrize("rescue", [RESCUE | {"recovery_topic": "nowhere"}])
def test_without_its_topic_nothing_is_done(
    returned: Returned, strand: Strand, rescue_records: Step, ledger: Ledger
) -> None:
    returned.write("orders", 2)
    strand({("orders", 0): (0, 2)})
    with pytest.raises(RescueIncomplete, match="no recovery topic nowhere"):
        rescue_records()


@pytest.mark.parametrize(
    ("ends", "error"),
    [
        (Offsets({(TOPIC, 0): 1}, unknown={(TOPIC, 1): "no leader"}), KafkaUnavailable),
        (Offsets({(TOPIC, 0): 1}, refused={(TOPIC, 1): "no ACL"}), KafkaUnauthorized),
    ],
)
def test_a_recovery_topic_that_does_not_tell_all_of_its_ends_now_is_asked_again(
    ends: Offsets, error: type[KafkaUnavailable], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("failover.rescue.recovery.partitions_of", lambda *_: [0, 1])
    monkeypatch.setattr("failover.rescue.recovery.log_ends", lambda *_: ends)
    with pytest.raises(error, match=next(iter((ends.unknown | ends.refused).values()))):
        begin({}, TOPIC)
