"""A real cluster's log outlives its processes, and its tail is cut off with every offset before it kept."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from drill.confluent.kafka_topics import ensure_topics
from drill.engines.jars import EngineMissing, jars
from drill.network.plain_http import plain
from drill.process import Child, spawn
from drill.site_processes import await_end, cluster_config
from drill.world_settings import Settings

WAIT_S = 60.0
KEPT = 3

pytestmark = [pytest.mark.slow]

Record = tuple[int, bytes | None, bytes | None, Any, tuple[int, int]]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A cluster that runs."""
    try:
        jars("kafka")
    except EngineMissing as error:
        pytest.skip(str(error))
    with ExitStack() as stack:
        site = Site(Settings(directory=tmp_path_factory.mktemp("site"), kafka="apache"), stack)
        site.start()
        yield site


class Site:
    """A site's cluster, by its latest process."""

    def __init__(self, settings: Settings, stack: ExitStack) -> None:
        self._settings = settings
        self._stack = stack
        self.process: Child | None = None

    def start(self) -> Child:
        """Start it, or start it again where it was."""
        config = cluster_config(self._settings, "east", self.process)
        self.process = spawn("drill.kafka.cluster", config, log=self._settings.directory / "cluster.log")
        self._stack.callback(self.process.stop)
        return self.process

    @property
    def raw(self) -> str:
        assert self.process is not None
        return str(self.process.ready["raw_bootstrap"])

    def put(self, path: str, body: Any) -> httpx.Response:
        """Have its process do something."""
        assert self.process is not None
        return plain.put(f"{self.process.ready['admin']}/{path}", json=body, timeout=WAIT_S)


def _write(bootstrap: str, topic: str, count: int) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0})
    for number in range(count):
        producer.produce(
            topic,
            b"value-%d" % number,
            key=None if number % 2 else b"key",
            partition=0,
            timestamp=1_700_000_000_000 + number,
            headers=[("n", b"%d" % number)],
        )
    assert producer.flush(WAIT_S) == 0


def _read(bootstrap: str, topic: str) -> list[Record]:
    """Partition 0 from its beginning to where it ends now."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader", "log_level": 0})
    spot = TopicPartition(topic, 0, 0)
    _, end = consumer.get_watermark_offsets(spot, timeout=WAIT_S)
    consumer.assign([spot])
    records: list[Record] = []
    deadline = time.monotonic() + WAIT_S
    while len(records) < end and time.monotonic() < deadline:
        for message in consumer.consume(100, 0.5):
            assert message.error() is None
            records.append(
                (message.offset() or 0, message.key(), message.value(), message.headers(), message.timestamp())
            )
    consumer.close()
    return records


def test_what_can_not_be_kept_with_its_offsets_is_not_truncated(site: Site) -> None:
    ensure_topics(AdminClient({"bootstrap.servers": site.raw}), {"transfers": 1})
    producer = Producer({"bootstrap.servers": site.raw, "transactional.id": "transfers", "log_level": 0})
    producer.init_transactions(WAIT_S)
    for _ in range(2):
        producer.begin_transaction()
        producer.produce("transfers", b"x", partition=0)
        producer.commit_transaction(WAIT_S)
    refused = site.put("kept-records", {"kept": {"transfers": [3]}})
    assert refused.status_code == 400
    assert "transfers-0 has no record at 1" in refused.text
    consumer = Consumer({"bootstrap.servers": site.raw, "group.id": "reader"})
    assert consumer.get_watermark_offsets(TopicPartition("transfers", 0), timeout=WAIT_S) == (0, 4)
    consumer.close()


def test_a_killed_cluster_starts_again_where_it_was_with_its_log_and_its_rules_and_is_truncated(site: Site) -> None:
    raw, before = site.raw, site.process
    assert before is not None
    ensure_topics(AdminClient({"bootstrap.servers": raw}), {"orders": 2, "bills": 2})
    _write(raw, "orders", 5)
    _write(raw, "bills", 2)
    orders, bills = _read(raw, "orders"), _read(raw, "bills")
    site.put("read-only-topics", {"topics": ["orders"]}).raise_for_status()

    before.signal(signal.SIGKILL)
    await_end(before)
    again = site.start()
    assert again.ready | {"engine_pids": []} == before.ready | {"engine_pids": []}
    assert (_read(raw, "orders"), _read(raw, "bills")) == (orders, bills)

    site.put("kept-records", {"kept": {"orders": [KEPT, 0], "bills": [2, 0]}}).raise_for_status()
    assert (_read(raw, "orders"), _read(raw, "bills")) == (orders[:KEPT], bills)
    _write(raw, "orders", 1)
    assert [offset for offset, *_ in _read(raw, "orders")] == [*range(KEPT + 1)]
    refusals: list[Any] = []
    producer = Producer({"bootstrap.servers": again.ready["bootstrap"], "log_level": 0})
    producer.produce("orders", b"x", partition=0, on_delivery=lambda error, _: refusals.append(error))
    assert producer.flush(WAIT_S) == 0
    assert refusals[0] is not None, "who may not write to a topic may not write to it once it is truncated"
