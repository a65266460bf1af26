"""A site's cluster as the drill runs it: Apache Kafka by option, behind the drill's proxy, and the mock."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from drill.confluent.kafka_topics import ensure_topics
from drill.engines.jars import EngineMissing, jars
from drill.process import Child, spawn

UP_S = 60.0
REFUSED = {"apache": KafkaError.TOPIC_AUTHORIZATION_FAILED, "mock": KafkaError.INVALID_REQUEST}
"""A mirror's refusal on Confluent Cloud is the mock's."""

pytestmark = [pytest.mark.slow]


@pytest.fixture(scope="module", params=["apache", "mock"])
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    """A cluster of either kind with a topic, orders."""
    directory = tmp_path_factory.mktemp("cluster")
    if request.param == "apache":
        try:
            jars("kafka")
        except EngineMissing as error:
            pytest.skip(str(error))
    config = {"site": "east", "engine": request.param, "directory": str(directory / "kafka")}
    with ExitStack() as stack:
        child = spawn("drill.kafka.cluster", config, log=directory / "cluster.log")
        stack.callback(child.stop)
        ensure_topics(AdminClient({"bootstrap.servers": child.ready["raw_bootstrap"]}), {"orders": None})
        child.ready["engine"] = request.param
        yield child


@pytest.fixture
def read_only(cluster: Child) -> Iterator[Callable[[list[str]], None]]:
    """Says which topics are read-only; in the end, none is."""

    def tell(topics: list[str]) -> None:
        body, url = json.dumps({"topics": topics}).encode(), f"{cluster.ready['admin']}/read-only-topics"
        put = urllib.request.Request(url, body, {"content-type": "application/json"}, method="PUT")
        with urllib.request.urlopen(put, timeout=20) as answer:
            assert json.load(answer) == {"topics": topics}

    yield tell
    tell([])


def written(bootstrap: str) -> int | None:
    """What a write to orders is refused with; None: it is taken."""
    refusals: list[Any] = []
    settings: dict[str, Any] = {"bootstrap.servers": bootstrap, "message.timeout.ms": 20_000, "log_level": 0}
    producer = Producer(settings)
    try:
        producer.produce("orders", b"x", partition=0, on_delivery=lambda error, _: refusals.append(error))
        assert producer.flush(30) == 0
    except KafkaException as error:
        return int(error.args[0].code())
    (refusal,) = refusals
    return None if refusal is None else int(refusal.code())


def test_a_mirror_takes_writes_of_its_link_alone_until_it_is_none(
    cluster: Child, read_only: Callable[[list[str]], None]
) -> None:
    clients, link = cluster.ready["bootstrap"], cluster.ready["raw_bootstrap"]
    assert written(clients) is None
    read_only(["orders"])
    deadline = time.monotonic() + UP_S
    while (refusal := written(clients)) is None and time.monotonic() < deadline:
        time.sleep(0.1)  # an authorizer learns of a rule a moment after it was taken
    assert refusal == REFUSED[cluster.ready["engine"]]
    assert written(link) is None
    read_only([])
    while (refusal := written(clients)) is not None and time.monotonic() < deadline:
        time.sleep(0.1)
    assert refusal is None


def test_a_topic_has_as_many_partitions_as_every_other_unless_it_is_said(cluster: Child, tmp_path: Path) -> None:
    admin = AdminClient({"bootstrap.servers": cluster.ready["bootstrap"]})
    assert ensure_topics(admin, {"bills": None}) == {"bills": 4}
    assert admin.list_topics(timeout=10).cluster_id == cluster.ready["cluster_id"]
