"""Clusters, and a gateway in front of one of them: real processes, which end with the measurement."""

from __future__ import annotations

import json
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from bench.result import NotMeasured
from drill.ports import free_ports
from drill.process import Child, ChildFailed, spawn

BROKERS: Final = 3
POLL_S: Final = 0.005
_OPENER: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, kw_only=True)
class World:
    """`clusters`: where each is bootstrapped from; `gateway`: the route's endpoint."""

    clusters: dict[str, str]
    gateway: str
    _process: Child
    _file: Path

    def route_to(self, cluster: str) -> None:
        """Write a configuration that leads to another cluster, as it is mounted into a container."""
        fresh = self._file.with_suffix(".fresh")
        fresh.write_text(config(self.clusters, self.gateway, cluster))
        fresh.replace(self._file)

    def routed(self, cluster: str, timeout_s: float = 20.0) -> float:
        """When the gateway was found to serve the route to a cluster, in Unix seconds.

        Raises:
            NotMeasured: if it does not in time.
        """
        deadline = time.monotonic() + timeout_s
        url = f"http://127.0.0.1:{self._process.ready['admin_port']}/config"
        while True:
            with _OPENER.open(url, timeout=5) as answer:
                if json.load(answer)["configId"] == cluster:
                    return time.time()
            if time.monotonic() > deadline:
                raise NotMeasured(f"the gateway does not lead to {cluster} after {timeout_s:.0f} s")
            time.sleep(POLL_S)


@contextmanager
def world(*clusters: str, guarded: bool = False) -> Iterator[World]:
    """A gateway that leads to the first of these clusters: they are the bare mock, or `guarded` as in the drill.

    Raises:
        NotMeasured: if they do not start.
    """
    children: list[Child] = []
    with tempfile.TemporaryDirectory() as directory:
        try:
            bootstraps: dict[str, str] = {}
            for name in clusters:
                settings = {"site": name, "brokers": BROKERS}
                children.append(spawn("drill.kafka.cluster", settings, log=Path(directory) / f"{name}.log"))
                bootstraps[name] = str(children[-1].ready["bootstrap" if guarded else "raw_bootstrap"])
            endpoint = f"127.0.0.1:{free_ports(1 + BROKERS)}"
            file = Path(directory) / "gateway.yaml"
            file.write_text(config(bootstraps, endpoint, clusters[0]))
            environment = {"GATEWAY_CONFIG_FILE": str(file), "GATEWAY_LICENSES": "enterprise"}
            watched = {"own_ports": True, "hot_reload": True}
            log = Path(directory) / "gateway.log"
            children.append(spawn("drill.gateway.instance", watched, log=log, env=environment))
            yield World(clusters=bootstraps, gateway=endpoint, _process=children[-1], _file=file)
        except ChildFailed as error:
            raise NotMeasured(str(error)) from error
        finally:
            for child in reversed(children):
                child.stop()


def config(bootstraps: dict[str, str], endpoint: str, target: str) -> str:
    """The gateway's configuration in YAML: a domain for each cluster, and a route to the target."""
    domains = [
        {
            "name": name,
            "type": "kafka",
            "kafkaCluster": {
                "name": name,
                "bootstrapServers": [{"id": name, "endpoint": bootstrap.split(",")[0]}],
                "nodeIdRanges": [{"name": "brokers", "start": 1, "end": BROKERS}],
            },
        }
        for name, bootstrap in bootstraps.items()
    ]
    route = {
        "name": "bench",
        "endpoint": endpoint,
        "brokerIdentificationStrategy": {"type": "port"},
        "streamingDomain": {"name": target, "bootstrapServerId": target},
        "security": {"auth": "passthrough"},
    }
    gateway = {"name": "bench", "configId": target, "streamingDomains": domains, "routes": [route]}
    return yaml.safe_dump({"gateway": gateway})
