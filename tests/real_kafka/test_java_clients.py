"""Clients of Java write down what the drill's others do: every record that a real broker took is accounted for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from drill.clients.record_log import consumer_log, producer_log
from drill.clients.stop import finish
from drill.engines import java_client
from drill.engines.jars import EngineMissing
from drill.process import Child, spawn
from tests.patience import eventually

pytestmark = [pytest.mark.slow]
CLIENT = "drill.clients.java_client"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    try:
        java_client.prepare()
    except EngineMissing as error:
        pytest.skip(str(error))
    directory = tmp_path_factory.mktemp("cluster")
    config = {"site": "east", "engine": "apache", "directory": str(directory / "kafka")}
    child = spawn("drill.kafka.cluster", config, log=directory / "cluster.log")
    yield child
    child.stop()


@pytest.mark.parametrize(
    ("writing", "reading"),
    [({}, {}), ({}, {"group.protocol": "consumer"}), ({"transactional.id": "orders"}, {})],
    ids=["classic", "new-protocol", "transactional"],
)
def test_every_record_is_accounted_for(
    cluster: Child, tmp_path: Path, writing: dict[str, str], reading: dict[str, str], request: pytest.FixtureRequest
) -> None:
    topic = request.node.callspec.id
    logs = tmp_path / "writer.rec", tmp_path / "reader.rec"
    common = {"bootstrap": cluster.ready["bootstrap"], "topics": [topic]}
    to_write = {**common, "rate": 50, "partitions": 4, "first_number": 7_000, "log": str(logs[0]), "settings": writing}
    to_read = {**common, "group": f"{topic}-desk", "log": str(logs[1]), "settings": reading}
    with ExitStack() as stack:
        writer = spawn(CLIENT, to_write, log=tmp_path / "writer.err")
        stack.callback(writer.kill)
        eventually(lambda: bool(producer_log(logs[0]).acknowledged))
        reader = spawn(CLIENT, to_read, log=tmp_path / "reader.err")
        stack.callback(reader.kill)
        eventually(lambda: len(consumer_log(logs[1]).received) > 50)
        assert finish(writer)
        written = producer_log(logs[0])
        eventually(lambda: len(consumer_log(logs[1]).received) >= len(written.sent))
        assert finish(reader)
    places = {record.n: (record.topic, record.partition, record.offset) for record in written.acknowledged}
    assert sorted(places) == [sent.n for sent in written.sent] and written.failed == ()
    read = consumer_log(logs[1])
    assert {r.n: (r.topic, r.partition, r.offset) for r in read.received} == places
    assert {notice.kind for notice in read.notices} <= {"assigned", "revoked"}
    assert writer.ready["version"] == reader.ready["version"] == java_client.version()
    assert writing.items() <= writer.ready["settings"].items()
