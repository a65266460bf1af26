"""The guarded cluster: a mirror topic refuses writes, for good, until it is none any more; groups work through it."""

from __future__ import annotations

import json
import socket
import struct
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer

from drill.kafka.codec import written
from drill.kafka.messages import PRODUCE, framed
from drill.kafka.refusal import _filled, _item
from drill.process import Child, spawn

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    child = spawn("drill.kafka.cluster", {"site": "west"}, log=tmp_path_factory.mktemp("logs") / "kafka.log")
    yield child
    child.stop()


def put(cluster: Child, body: Any) -> Any:
    url = f"{cluster.ready['admin']}/read-only-topics"
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), method="PUT")) as answer:
        return json.load(answer)


def write(cluster: Child, topics: list[str], **settings: Any) -> dict[str, KafkaError | None]:
    """Writes one record to each topic; what became of it."""
    outcomes: dict[str, KafkaError | None] = {}

    def delivered(error: KafkaError | None, message: Message) -> None:
        outcomes[str(message.topic())] = error

    producer = Producer({"bootstrap.servers": cluster.ready["bootstrap"], "log_level": 0, **settings})
    for topic in topics:
        producer.produce(topic, b"x", partition=0, on_delivery=delivered)
    assert producer.flush(20) == 0
    return outcomes


def test_writes_to_read_only_topics_are_refused_and_others_taken(cluster: Child) -> None:
    assert put(cluster, {"topics": ["mirror"]}) == {"topics": ["mirror"]}
    outcomes = write(cluster, ["free", "mirror"])
    assert outcomes["free"] is None
    refused = outcomes["mirror"]
    assert refused is not None and refused.code() == KafkaError.INVALID_REQUEST and not refused.retriable()
    put(cluster, {"topics": []})
    assert write(cluster, ["mirror"]) == {"mirror": None}


def test_the_link_goes_round_the_guard(cluster: Child) -> None:
    put(cluster, {"topics": ["linked"]})
    producer = Producer({"bootstrap.servers": cluster.ready["raw_bootstrap"], "log_level": 0})
    outcomes: list[KafkaError | None] = []
    producer.produce("linked", b"x", on_delivery=lambda error, _: outcomes.append(error))
    assert producer.flush(20) == 0 and outcomes == [None]
    put(cluster, {"topics": []})


def test_a_write_that_awaits_no_answer_closes_the_connection(cluster: Child) -> None:
    """Were it taken or answered, the next request on the connection would be answered, too."""
    put(cluster, {"topics": ["silent"]})
    from kio.index import load_request_schema
    from kio.schema.errors import ErrorCode

    schema = load_request_schema(PRODUCE, 9)
    topic = _item(schema, "topic_data")
    partition = _filled(_item(topic, "partition_data"), ErrorCode.none, index=0, records=b"")
    topics = (_filled(topic, ErrorCode.none, name="silent", partition_data=(partition,)),)
    message = _filled(schema, ErrorCode.none, acks=0, topic_data=topics)
    host, _, port = cluster.ready["bootstrap"].rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as client:
        client.sendall(framed(struct.pack(">hhih", PRODUCE, 9, 1, -1) + b"\0" + written(schema, message)))
        assert client.recv(1) == b""
    put(cluster, {"topics": []})


@pytest.mark.parametrize("body", [{}, {"topics": "orders"}, {"topics": [1]}, []])
def test_a_wrong_set_is_refused_and_the_old_one_stands(cluster: Child, body: Any) -> None:
    put(cluster, {"topics": ["kept"]})
    with pytest.raises(urllib.error.HTTPError) as error:
        put(cluster, body)
    assert error.value.code == 400
    with urllib.request.urlopen(f"{cluster.ready['admin']}/read-only-topics") as answer:
        assert json.load(answer) == {"topics": ["kept"]}
    put(cluster, {"topics": []})


def test_metadata_names_the_guards_ports_and_the_clusters_id(cluster: Child) -> None:
    metadata = Producer({"bootstrap.servers": cluster.ready["bootstrap"], "log_level": 0}).list_topics(timeout=10)
    first = int(cluster.ready["bootstrap"].rpartition(":")[2])
    assert {broker.port for broker in metadata.brokers.values()} == {first + 1, first + 2, first + 3}
    assert metadata.cluster_id == cluster.ready["cluster_id"]


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_groups_of_either_protocol_commit(cluster: Child, protocol: str) -> None:
    """The guard must know members of both as its own."""
    write(cluster, ["groups"])
    settings = {
        "bootstrap.servers": cluster.ready["bootstrap"],
        "group.id": protocol,
        "group.protocol": protocol,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    }
    consumer = Consumer(settings)
    try:
        consumer.subscribe(["groups"])
        message = consumer.poll(30)
        assert message is not None and message.error() is None
        try:
            committed = consumer.commit(message=message, asynchronous=False)
        except KafkaException as error:  # pragma: no cover
            pytest.fail(f"the commit was refused: {error}")
        assert committed is not None and [each.error for each in committed] == [None]
    finally:
        consumer.close()


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    child = spawn("drill.kafka.cluster", {"site": "east", "brokers": 1}, log=tmp_path / "kafka.log")
    child.stop(10)
    assert not child.alive
    host, _, port = child.ready["bootstrap"].rpartition(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=2)
