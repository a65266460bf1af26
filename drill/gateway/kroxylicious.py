"""One gateway container that is Kroxylicious itself, in place of the stand-in: the same configuration comes in, and the
same is announced. The process becomes the JVM, so that whoever ends or stops it ends or stops that.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from drill.engines import kroxylicious
from drill.engines.jars import EngineMissing
from drill.gateway.config import BadGatewayConfig, Gateway, RouteConfig, address, from_environment, protocol
from drill.ports import LOOPBACK, reserved_ports
from drill.process import argument
from gateway.kroxylicious import NOWHERE


@dataclass(frozen=True)
class ContainerConfig:
    """What the process is told beside its environment."""

    listen_host: str = LOOPBACK


def configuration(gateway: Gateway, *, host: str, ports: Mapping[str, int], admin_port: int) -> dict[str, Any]:
    """Kroxylicious' configuration for a container's. `ports`: where each route's bootstrap listens, its nodes after it.

    A fenced route leads where nobody is, as it does in a fleet of Kroxylicious on Kubernetes.

    Raises:
        BadGatewayConfig: for what only Confluent's image does, or not this launcher.
    """
    if fields := [field for route in gateway.routes for field in _unserved(gateway, route)]:
        raise BadGatewayConfig("Kroxylicious as the drill runs it does not do " + "; ".join(fields))
    return {
        "management": {
            "bindAddress": host,
            "port": admin_port,
            "endpoints": {"prometheus": {}} if gateway.admin.endpoints.metrics else {},
        },
        "virtualClusters": [
            _virtual_cluster(gateway, route, host=host, first_port=ports[route.name]) for route in gateway.routes
        ],
    }


def _virtual_cluster(gateway: Gateway, route: RouteConfig, *, host: str, first_port: int) -> dict[str, Any]:
    cluster, server = gateway.cluster_of(route)
    ranges = [{"name": span.name, "start": span.start, "end": span.end} for span in cluster.node_id_ranges]
    return kroxylicious.virtual_cluster(
        route.name,
        bootstrap_servers=NOWHERE if route.fenced else _host_and_port(server.endpoint),
        port_identifies_node={"bootstrapAddress": _host_and_port(route.endpoint), "nodeIdRanges": ranges},
        host=host,
        first_port=first_port,
    )


def _host_and_port(endpoint: str) -> str:
    host, port = address(endpoint)
    return f"{host}:{port}"


def _unserved(gateway: Gateway, route: RouteConfig) -> Iterator[str]:
    where = f"of route {route.name!r}"
    server = gateway.cluster_of(route)[1]
    if server.ssl is not None or protocol(server.endpoint) in ("SSL", "SASL_SSL"):
        yield f"TLS to the cluster {where}"
    if route.strategy.type != "port":
        yield f"the strategy {route.strategy.type!r} {where}"
    if route.security.ssl is not None:
        yield f"security.ssl {where}"
    if route.security.auth != "passthrough":
        yield f"the auth {route.security.auth!r} {where}"
    if route.security.passthrough_config is not None:
        yield f"passthroughConfig {where}"


def main() -> None:
    """Become the gateway."""
    settings = ContainerConfig(**json.loads(argument("ContainerConfig")))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it, by its stdin
    try:
        gateway = from_environment(os.environ)
        nodes = {route.name: len(gateway.cluster_of(route)[0].node_ids()) for route in gateway.routes}
        first = {name: reserved_ports(1 + count, settings.listen_host) for name, count in nodes.items()}
        admin_port = reserved_ports(1, settings.listen_host)
        config = configuration(gateway, host=settings.listen_host, ports=first, admin_port=admin_port)
        ready = {
            "routes": first,
            "brokers": {name: list(range(port + 1, port + 1 + nodes[name])) for name, port in first.items()},
            "admin_port": admin_port,
        }
        command = kroxylicious.command(config, ready)
    except (BadGatewayConfig, EngineMissing) as error:
        sys.stderr.write(f"the gateway can't start: {error}\n")
        sys.exit(1)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
