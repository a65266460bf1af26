from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition

from drill.process import Child, failure_of, spawn

KEY, SECRET = "key", "secret"
LINK = "orders-link"
TOPICS = ["orders", "payments"]


@dataclass
class MockCluster:
    """A mock cluster in a process of its own, so that it can be lost."""

    child: Child

    @property
    def bootstrap(self) -> str:
        return str(self.child.ready["bootstrap"])

    def kill(self) -> None:
        self.child.kill()

    def producer(self) -> Producer:
        settings = {"bootstrap.servers": self.bootstrap, "enable.idempotence": True, "linger.ms": 0, "log_level": 0}
        return Producer(settings)

    def produce(self, topic: str, values: list[bytes], partition: int = 0) -> None:
        producer = self.producer()
        for value in values:
            producer.produce(topic, value, partition=partition)
        assert producer.flush(10) == 0

    def consumer(self, group: str) -> Consumer:
        settings = {"bootstrap.servers": self.bootstrap, "group.id": group, "log_level": 0}
        return Consumer({**settings, "enable.auto.commit": False, "auto.offset.reset": "earliest"})

    def end(self, topic: str, partition: int = 0) -> int:
        consumer = self.consumer("looking")
        try:
            return int(consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=5)[1])
        finally:
            consumer.close()

    def records(self, topic: str, partition: int = 0) -> list[Message]:
        """Every record of a partition, in order."""
        end, consumer, found = self.end(topic, partition), self.consumer("reading"), list[Message]()
        consumer.assign([TopicPartition(topic, partition, 0)])
        deadline = time.monotonic() + 90
        while len(found) < end and time.monotonic() < deadline:
            found += [message for message in consumer.consume(1000, 0.1) if message.error() is None]
        consumer.close()
        return found

    def commit(self, group: str, topic: str, partition: int, offset: int) -> None:
        consumer = self.consumer(group)
        consumer.commit(offsets=[TopicPartition(topic, partition, offset)], asynchronous=False)
        consumer.close()

    def committed(self, group: str, topic: str, partition: int = 0) -> int:
        consumer = self.consumer(group)
        try:
            return int(consumer.committed([TopicPartition(topic, partition)], timeout=5)[0].offset)
        finally:
            consumer.close()


@dataclass
class Stand:
    """A running stand-in, its API as an HTTP client, and the control API."""

    child: Child
    cluster_id: str
    http: httpx.Client = field(init=False)
    control: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        root = f"{self.child.ready['url']}/kafka/v3/clusters/{self.cluster_id}"
        self.http = httpx.Client(base_url=root, auth=(KEY, SECRET), timeout=20, trust_env=False)
        self.control = httpx.Client(base_url=self.child.ready["control"], timeout=20, trust_env=False)

    def mirror(self, topic: str = "orders", **params: Any) -> dict[str, Any]:
        body: dict[str, Any] = self.http.get(f"/links/{LINK}/mirrors/{topic}", params=params).raise_for_status().json()
        return body

    def status(self, topic: str = "orders") -> str:
        return str(self.mirror(topic)["mirror_status"])

    def lag(self, topic: str = "orders", partition: int = 0) -> tuple[int, int]:
        """lag and last_source_fetch_offset"""
        rows = {row["partition"]: row for row in self.mirror(topic)["mirror_lags"]}
        return rows[partition]["lag"], rows[partition]["last_source_fetch_offset"]

    def verb(self, verb: str, topics: list[str], **params: Any) -> list[dict[str, Any]]:
        answer = self.http.post(f"/links/{LINK}/mirrors:{verb}", json={"mirror_topic_names": topics}, params=params)
        assert answer.status_code == 200
        rows: list[dict[str, Any]] = answer.json()["data"]
        return rows

    def promoted(self) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = self.control.get("/promoted").json()
        return found

    def states(self, link: str = LINK) -> dict[str, str]:
        """Every mirror's status."""
        rows = self.http.get(f"/links/{link}/mirrors").raise_for_status().json()["data"]
        return {row["mirror_topic_name"]: row["mirror_status"] for row in rows}

    def task(self, name: str, link: str = LINK) -> dict[str, Any]:
        """A task of a link."""
        tasks = self.http.get(f"/links/{link}", params={"include_tasks": "true"}).raise_for_status().json()["tasks"]
        found: dict[str, Any] = next(task for task in tasks if task["task_name"] == name)
        return found

    def fault(self, **fault: Any) -> None:
        self.control.post("/faults", json=fault).raise_for_status()

    def break_link(self, **faults: Any) -> None:
        self.control.put("/link", json=faults).raise_for_status()


@dataclass
class StubGuard:
    """The admin port of a Kafka process, as far as the link uses it."""

    url: str
    lists: list[list[str]]
    failing: threading.Event
    before_taking: list[Callable[[list[str]], None]]


@pytest.fixture
def guard() -> Iterator[StubGuard]:
    failing = threading.Event()
    stub = StubGuard("", [], failing, [])

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            topics = json.loads(self.rfile.read(int(self.headers["content-length"])))["topics"]
            if not failing.is_set():
                for look in stub.before_taking:
                    look(topics)
                stub.lists.append(topics)
            self.send_response(503 if failing.is_set() else 200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    stub.url = f"http://127.0.0.1:{server.server_port}"
    yield stub
    server.shutdown()
    server.server_close()


@pytest.fixture
def mock_cluster(tmp_path: Path) -> Iterator[Callable[[], MockCluster]]:
    started: list[MockCluster] = []

    def start() -> MockCluster:
        log = tmp_path / f"mock-{len(started)}.log"
        started.append(MockCluster(spawn("tests.drill.confluent.mock_cluster", {}, log=log)))
        return started[-1]

    yield start
    for cluster in started:
        cluster.kill()


@pytest.fixture
def source(mock_cluster: Callable[[], MockCluster]) -> MockCluster:
    return mock_cluster()


@pytest.fixture
def local(mock_cluster: Callable[[], MockCluster]) -> MockCluster:
    return mock_cluster()


@pytest.fixture
def start(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Stand]]:
    """Starts the stand-in of the site west, whose link comes from east; keywords change its configuration. With an
    empty `raw_bootstrap` there is no Kafka cluster at all."""
    stands: list[Stand] = []

    def bootstrap(cluster: str, changes: Mapping[str, Any]) -> str:
        return request.getfixturevalue(cluster).bootstrap if changes.get("raw_bootstrap") != "" else ""

    def start(link: Mapping[str, Any] | None = MappingProxyType({}), **changes: Any) -> Stand:
        config = {
            "site": "west",
            "cluster_id": "lkc-west01",
            "raw_bootstrap": bootstrap("local", changes),
            "admin": None,
            "api_key": KEY,
            "api_secret": SECRET,
            "link": None
            if link is None
            else {
                "name": LINK,
                "remote_cluster_id": "lkc-east01",
                "remote_bootstrap": bootstrap("source", changes),
                "remote_raw_bootstrap": bootstrap("source", changes),
                "interval_s": 0.1,
                "offset_sync_s": 0.1,
                "groups": ["fulfilment"],
                **link,
            },
            "mirrors": TOPICS,
            "stop_delay_s": 0.2,
            **changes,
        }
        child = spawn("drill.confluent.cluster_rest", config, log=tmp_path / f"rest-{len(stands)}.log")
        stands.append(Stand(child, str(config["cluster_id"])))
        return stands[-1]

    yield start
    died = failure_of(s.child for s in stands if s.child.process.poll() not in {None, 0, -signal.SIGKILL})
    for stand in stands:
        stand.child.stop()
    if died is not None:
        raise died


@dataclass
class Pair:
    """Two stand-ins without Kafka clusters, that know each other: a link of each to the other, mirrors at west."""

    east: Stand
    west: Stand


@pytest.fixture
def start_pair(start: Callable[..., Stand]) -> Callable[..., Pair]:
    """Starts a pair; `east` and `west` change their configurations, `topics` those in the API only."""

    def started(
        east: Mapping[str, Any] = MappingProxyType({}),
        west: Mapping[str, Any] = MappingProxyType({}),
        topics: Mapping[str, Any] = MappingProxyType({}),
    ) -> Pair:
        same = {"raw_bootstrap": "", "mirrors": [], "stop_delay_s": 0, "step_s": 0.1, "auto_create_s": 0.2}
        what = {"count": 3, "pattern": "t{n}", "lag": 9, **topics}
        at_east = {"site": "east", "cluster_id": "lkc-east01", "rest_only_topics": what, **same, **east}
        at_west = {"rest_only_mirrors": what, **same, **west}
        back = {"remote_cluster_id": "lkc-west01", **at_east.pop("link", {})}
        pair = Pair(start(link=back, **at_east), start(link=at_west.pop("link", {}), **at_west))
        pair.east.control.put("/peers", json={"lkc-west01": pair.west.child.ready["control"]}).raise_for_status()
        pair.west.control.put("/peers", json={"lkc-east01": pair.east.child.ready["control"]}).raise_for_status()
        return pair

    return started


@pytest.fixture
def start_pair_on_wire(start: Callable[..., Stand], source: MockCluster, local: MockCluster) -> Callable[..., Pair]:
    """Starts a pair on two mock clusters: east on `source`, west, which holds the mirrors, on `local`."""

    def started(west: Mapping[str, Any] = MappingProxyType({})) -> Pair:
        quick = {"stop_delay_s": 0, "step_s": 0.1}
        back = {"remote_cluster_id": "lkc-west01", "remote_raw_bootstrap": local.bootstrap}
        at_east = {
            "site": "east",
            "cluster_id": "lkc-east01",
            "raw_bootstrap": source.bootstrap,
            "mirrors": [],
            **quick,
        }
        pair = Pair(start(link=back, **at_east), start(**{**quick, **west}))
        pair.east.control.put("/peers", json={"lkc-west01": pair.west.child.ready["control"]}).raise_for_status()
        pair.west.control.put("/peers", json={"lkc-east01": pair.east.child.ready["control"]}).raise_for_status()
        return pair

    return started
