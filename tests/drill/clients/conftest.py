"""Two clusters, a gateway each, one name: what carries clients over, without the controller."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml
from confluent_kafka import Consumer, Producer, TopicPartition
from dnslib import CNAME, QTYPE, RR
from dnslib.server import BaseResolver, DNSLogger, DNSServer

from drill.ports import LOOPBACK, release_ports, reserved_ports
from drill.process import Child, spawn

TOPICS = ["orders", "payments"]
PARTITIONS = 4
GROUP = "fulfilment"
HOSTNAME = "kafka.orders.example.com"


class Mock:
    """A Kafka cluster of this process."""

    def __init__(self) -> None:
        self._holder = Producer({"test.mock.num.brokers": 3, "bootstrap.servers": "mock", "log_level": 3})
        brokers = self._holder.list_topics(timeout=10).brokers.values()
        self.bootstrap = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)


@pytest.fixture
def mock() -> Mock:
    """A Kafka cluster without anything in front."""
    return Mock()


class Name(BaseResolver):  # type: ignore[misc]
    """The clients' DNS name: a CNAME that can be flipped."""

    def __init__(self, target: str) -> None:
        self.target = target

    def resolve(self, request: Any, handler: Any) -> Any:
        reply = request.reply()
        reply.add_answer(RR(HOSTNAME, QTYPE.CNAME, rdata=CNAME(self.target), ttl=1))
        return reply


class TwoSites:
    """Site east, which can be lost, and site west; `flip` leads new connections to west."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.directory = directory
        self._stack = stack
        self._name = Name("gw-east.")
        self.clusters = {site: self.spawn("drill.kafka.cluster", {"site": site}, site) for site in ("east", "west")}
        port = reserved_ports(4)
        stack.callback(release_ports, port, 4)
        self.bootstrap = f"{LOOPBACK}:{port}"
        self.gateways = {site: self._gateway(site, port) for site in self.clusters}
        server = DNSServer(self._name, address=LOOPBACK, port=0, logger=DNSLogger(logf=lambda _: None))
        server.start_thread()
        stack.callback(server.stop)
        config = {
            "hostname": HOSTNAME,
            "dns": f"{LOOPBACK}:{server.server.server_address[1]}",
            "listen_ports": 4,
            "targets": {f"gw-{site}.": child.ready["routes"]["clients"] for site, child in self.gateways.items()},
            "fixed_port": port,
        }
        self.spawn("drill.network.edge", config, "edge")

    def raw(self, site: str) -> str:
        """A cluster's own address."""
        return str(self.clusters[site].ready["raw_bootstrap"])

    def lose_east(self) -> float:
        """Kill site east; when."""
        at = time.time()
        self.clusters["east"].kill()
        self.gateways["east"].kill()
        return at

    def flip(self) -> float:
        """Lead the name to west; when."""
        self._name.target = "gw-west."
        return time.time()

    def spawn(self, module: str, config: dict[str, Any], name: str, **options: Any) -> Child:
        """Start a process that ends with the test."""
        child = spawn(module, config, log=self.directory / f"{name}.log", **options)
        self._stack.callback(child.stop)
        return child

    def _gateway(self, site: str, port: int) -> Child:
        cluster = {
            "name": site,
            "bootstrapServers": [{"id": "main", "endpoint": self.clusters[site].ready["bootstrap"]}],
            "nodeIdRanges": [{"name": "brokers", "start": 1, "end": 3}],
        }
        route = {
            "name": "clients",
            "endpoint": f"{LOOPBACK}:{port}",
            "brokerIdentificationStrategy": {"type": "port"},
            "streamingDomain": {"name": site, "bootstrapServerId": "main"},
        }
        domain = {"name": site, "type": "kafka", "kafkaCluster": cluster}
        document = {"gateway": {"name": site, "streamingDomains": [domain], "routes": [route]}}
        return self.spawn(
            "drill.gateway.instance", {}, f"gateway-{site}", env={"GATEWAY_CONFIG": yaml.safe_dump(document)}
        )


class Copier:
    """Copies records in order from one cluster to another, and the group's offsets every `offsets_s` seconds."""

    def __init__(self, source: str, target: str, offsets_s: float = 1.0) -> None:
        self._source, self._target, self._offsets_s = source, target, offsets_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> dict[str, dict[str, int]]:
        """Stop copying; the ends of the target's partitions."""
        self._stop.set()
        self._thread.join(20)
        assert not self._thread.is_alive()
        reader = Consumer({"bootstrap.servers": self._target, "group.id": "test-ends"})
        ends = {
            topic: {
                str(p): reader.get_watermark_offsets(TopicPartition(topic, p), timeout=10)[1] for p in range(PARTITIONS)
            }
            for topic in TOPICS
        }
        reader.close()
        return ends

    def _run(self) -> None:
        places = [TopicPartition(topic, p) for topic in TOPICS for p in range(PARTITIONS)]
        settings = {"enable.auto.commit": False, "auto.offset.reset": "earliest", "log_level": 2}
        source = Consumer({"bootstrap.servers": self._source, "group.id": GROUP, **settings})
        target = Consumer({"bootstrap.servers": self._target, "group.id": GROUP, **settings})
        writer = Producer({"bootstrap.servers": self._target, "enable.idempotence": True, "linger.ms": 1})
        source.assign([TopicPartition(place.topic, place.partition, 0) for place in places])
        synced = time.monotonic()
        while not self._stop.is_set():
            for message in source.consume(500, timeout=0.1):
                topic, partition = message.topic(), message.partition()
                if message.error() is None and topic is not None and partition is not None:
                    writer.produce(
                        topic,
                        message.value(),
                        message.key(),
                        partition,
                        headers=message.headers(),
                        timestamp=message.timestamp()[1],
                    )
            writer.poll(0)
            if time.monotonic() - synced > self._offsets_s:
                writer.flush(5)
                if committed := [place for place in source.committed(places, timeout=5) if place.offset >= 0]:
                    target.commit(offsets=committed, asynchronous=False)
                synced = time.monotonic()
        writer.flush(10)
        source.close()
        target.close()


@pytest.fixture
def two_sites(tmp_path: Path) -> Iterator[TwoSites]:
    """A world to lose a site of."""
    with ExitStack() as stack:
        yield TwoSites(tmp_path, stack)


@pytest.fixture
def copier() -> type[Copier]:
    """What stands for the link."""
    return Copier
