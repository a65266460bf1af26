"""Clusters, gateways and load balancers to put together, each a real process."""

from __future__ import annotations

import itertools
import json
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from drill.process import Child, spawn

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass
class Parts:
    """Starts processes, and ends them all with the test."""

    logs: Path
    container: str
    """The module of a gateway's container."""

    def __post_init__(self) -> None:
        self.children: list[Child] = []
        self._numbers = itertools.count()

    def start(self, module: str, config: dict[str, Any], env: dict[str, str] | None = None) -> Child:
        child = spawn(module, config, log=self.logs / f"{module}-{next(self._numbers)}.log", env=env)
        self.children.append(child)
        return child

    def cluster(self) -> Child:
        return self.start("drill.kafka.cluster", {"site": "test"})

    def balancer(self, ports: int = 4) -> Child:
        return self.start("drill.network.balancer", {"site": "test", "listen_ports": ports})

    def gateway(self, config: dict[str, Any]) -> Child:
        return self.start(self.container, {}, {"GATEWAY_CONFIG": yaml.safe_dump(config)})

    @staticmethod
    def target(gateway: Child) -> list[int]:
        """A gateway's ports, as a target of a balancer."""
        return [gateway.ready["routes"]["orders"], *gateway.ready["brokers"]["orders"]]

    @staticmethod
    def put_targets(balancer: Child, targets: list[list[int]]) -> None:
        body = json.dumps({"targets": targets}).encode()
        request = urllib.request.Request(f"{balancer.ready['admin']}/targets", body, method="PUT")
        with _OPENER.open(request, timeout=10) as answer:
            assert json.load(answer) == {"targets": targets}

    @staticmethod
    def admin(gateway: Child, path: str) -> str:
        with _OPENER.open(f"http://127.0.0.1:{gateway.ready['admin_port']}{path}", timeout=10) as answer:
            return str(answer.read().decode())


@pytest.fixture
def container() -> str:
    """A gateway's container: the stand-in, where a test file does not say otherwise."""
    return "drill.gateway.instance"


@pytest.fixture
def parts(tmp_path: Path, container: str) -> Iterator[Parts]:
    parts = Parts(tmp_path, container)
    yield parts
    for child in reversed(parts.children):
        child.stop()


@pytest.fixture
def config() -> Callable[..., dict[str, Any]]:
    """A gateway's configuration with one route, `orders`."""

    def make(endpoint: str, bootstrap: str, fence: bool = False, nodes: tuple[int, int] = (1, 3)) -> dict[str, Any]:
        route: dict[str, Any] = {
            "name": "orders",
            "endpoint": endpoint,
            "brokerIdentificationStrategy": {"type": "port"},
            "streamingDomain": {"name": "east", "bootstrapServerId": "east-kafka"},
            "security": {"auth": "passthrough"},
        }
        if fence:
            route["fence"] = {"scope": "ALL", "errorCode": "BROKER_NOT_AVAILABLE"}
        cluster = {
            "name": "lkc-east",
            "nodeIdRanges": [{"name": "brokers", "start": nodes[0], "end": nodes[1]}],
            "bootstrapServers": [{"id": "east-kafka", "endpoint": bootstrap}],
        }
        domain = {"name": "east", "type": "kafka", "kafkaCluster": cluster}
        return {"gateway": {"name": "gw", "streamingDomains": [domain], "routes": [route]}}

    return make
