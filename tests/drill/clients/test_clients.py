"""The clients are ordinary Kafka clients whose logs hold every record."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from drill.clients.read_log import ClusterUnreadable, read_cluster
from drill.clients.record_log import LogTail, Received, consumer_log, producer_log
from drill.clients.stop import finish
from drill.process import Child, spawn
from tests.patience import eventually

TOPICS = ["orders", "payments"]
RATE = 200


class Mock(Protocol):
    bootstrap: str


@pytest.fixture
def client(mock: Mock, tmp_path: Path) -> Iterator[Callable[..., Child]]:
    """Starts a client that ends with the test; its log is `<name>.log`."""
    with ExitStack() as stack:

        def start(name: str, **config: Any) -> Child:
            defaults = {"bootstrap": mock.bootstrap, "topics": TOPICS, "log": str(tmp_path / f"{name}.log")}
            child = spawn(f"drill.clients.{name}", defaults | config, log=tmp_path / f"{name}.err")
            stack.callback(child.kill)
            return child

        yield start


@pytest.mark.slow
def test_every_record_is_sent_acknowledged_stored_and_received_once(
    mock: Mock, client: Callable[..., Child], tmp_path: Path
) -> None:
    producer = client("producer", rate=RATE)
    eventually(lambda: {a.topic for a in producer_log(tmp_path / "producer.log").acknowledged} == set(TOPICS))
    consumer = client("consumer", group="fulfilment")  # it looks for a topic that it missed after five minutes
    tail = LogTail(tmp_path / "consumer.log")
    received = 0

    def enough() -> bool:
        nonlocal received
        received += sum(isinstance(event, Received) for event in tail.read())
        return received >= 2 * RATE

    eventually(enough)
    assert finish(producer)
    written = producer_log(tmp_path / "producer.log")
    eventually(lambda: len(consumer_log(tmp_path / "consumer.log").received) >= len(written.sent))
    assert finish(consumer)

    numbers = [sent.n for sent in written.sent]
    assert numbers == list(range(len(numbers)))
    assert sorted(a.n for a in written.acknowledged) == numbers
    assert written.failed == ()
    read = consumer_log(tmp_path / "consumer.log")
    assert sorted(r.n for r in read.received) == numbers
    places = {a.n: (a.topic, a.partition, a.offset) for a in written.acknowledged}
    assert {r.n: (r.topic, r.partition, r.offset) for r in read.received} == places
    stored = read_cluster(mock.bootstrap, TOPICS)
    assert {r.n: (r.topic, r.partition, r.offset) for r in stored.records} == places
    assert sum(stored.ends.values()) == len(numbers)
    assert [notice.kind for notice in read.notices][:1] == ["assigned"]

    shares = Counter((sent.topic, sent.partition) for sent in written.sent)
    assert len(shares) == len(TOPICS) * 4
    assert max(shares.values()) - min(shares.values()) <= 1
    span = written.sent[-1].at - written.sent[0].at
    assert len(numbers) / span < 1.2 * RATE, "a busy machine may be slower, none is faster"


@pytest.mark.slow
def test_a_group_commits_while_it_runs_and_when_it_ends(
    mock: Mock, client: Callable[..., Child], tmp_path: Path
) -> None:
    producer = client("producer", rate=RATE)
    eventually(lambda: {a.topic for a in producer_log(tmp_path / "producer.log").acknowledged} == set(TOPICS))
    consumer = client("consumer", group="fulfilment")  # it looks for a topic that it missed after five minutes
    outside = Consumer({"bootstrap.servers": mock.bootstrap, "group.id": "fulfilment"})
    places = [TopicPartition(topic, partition) for topic in TOPICS for partition in range(4)]

    def committed() -> dict[tuple[str, int], int]:
        return {(p.topic, p.partition): p.offset for p in outside.committed(places, timeout=10)}

    eventually(lambda: min(committed().values()) > 0)
    assert finish(producer)
    assert finish(consumer)
    last: dict[tuple[str, int], int] = {}
    for received in consumer_log(tmp_path / "consumer.log").received:
        last[received.topic, received.partition] = received.offset
    assert committed() == {place: offset + 1 for place, offset in last.items()}
    outside.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["producer", "consumer"])
def test_an_orphan_ends_with_its_log_complete(name: str, client: Callable[..., Child], tmp_path: Path) -> None:
    writer = client("producer", rate=RATE)
    child = writer if name == "producer" else client(name, group="fulfilment")
    log = tmp_path / f"{name}.log"
    eventually(lambda: log.exists() and len(log.read_text().splitlines()) > RATE)
    assert child.process.stdin is not None
    child.process.stdin.close()
    assert child.process.wait(15) == 0
    assert log.read_bytes().endswith(b"\n")
    if name == "producer":
        written = producer_log(log)
        assert len(written.acknowledged) == len(written.sent) > 0


@pytest.mark.slow
def test_clients_wait_for_a_cluster_that_is_away_and_can_still_be_stopped(
    client: Callable[..., Child], tmp_path: Path
) -> None:
    nowhere = {"bootstrap": "127.0.0.1:1"}
    producer = client("producer", rate=RATE, **nowhere)
    consumer = client("consumer", group="fulfilment", **nowhere)
    eventually(lambda: any(n.kind == "error" for n in producer_log(tmp_path / "producer.log").notices))
    eventually(lambda: any(n.kind == "error" for n in consumer_log(tmp_path / "consumer.log").notices))
    time.sleep(1)
    assert producer.alive
    assert consumer.alive
    assert consumer.process.stdin is not None
    consumer.process.stdin.close()
    assert finish(consumer)
    written = producer_log(tmp_path / "producer.log")
    assert len(written.sent) > 0
    assert (written.acknowledged, written.failed) == ((), ())


@pytest.mark.slow
def test_a_record_given_up_is_written_down_with_its_error(client: Callable[..., Child], tmp_path: Path) -> None:
    settings = {"message.timeout.ms": 300, "enable.idempotence": False}
    producer = client("producer", rate=RATE, bootstrap="127.0.0.1:1", settings=settings)
    assert producer.ready["settings"]["message.timeout.ms"] == 300
    eventually(lambda: len(producer_log(tmp_path / "producer.log").failed) > 10)
    assert finish(producer)
    written = producer_log(tmp_path / "producer.log")
    assert all(failed.error.startswith("_MSG_TIMED_OUT ") for failed in written.failed)
    assert {failed.n for failed in written.failed} <= {sent.n for sent in written.sent}


def test_reading_a_cluster_leaves_out_what_has_no_number_and_counts_it(mock: Mock) -> None:
    writer = Producer({"bootstrap.servers": mock.bootstrap})
    for n in range(5):
        headers: list[tuple[str, str | bytes | None]] = [("n", str(n).encode())]
        writer.produce("orders", b"x", partition=2, headers=headers if n != 3 else [])
    writer.flush(10)
    log = read_cluster(mock.bootstrap, TOPICS)
    assert [(r.topic, r.partition, r.offset, r.n) for r in log.records] == [("orders", 2, n, n) for n in (0, 1, 2, 4)]
    assert log.unnumbered == 1
    assert log.ends["orders", 2] == 5
    assert set(log.starts.values()) == {0}


def test_a_topic_that_a_cluster_does_not_have_holds_no_record(mock: Mock) -> None:
    assert read_cluster(mock.bootstrap, ["nowhere"]).records == ()


@pytest.mark.slow
def test_a_cluster_that_is_away_can_not_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drill.clients.read_log.REQUEST_S", 0.5)
    with pytest.raises(ClusterUnreadable, match="could not be read"):
        read_cluster("127.0.0.1:1", TOPICS)
