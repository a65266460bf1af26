"""One gateway container: takes clients on its own ports, as a container publishes them, and advertises the route's.

Admin server: `/livez` is 200 as soon as it is up, whatever the upstream does, `/metrics` has the engine's names, and
`/config` the id of the applied configuration.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from datetime import UTC, datetime
from typing import Any

from kio.schema.errors import ErrorCode
from pydantic import BaseModel

from drill.admin_http import as_json, serve
from drill.gateway.config import BadGatewayConfig, Gateway, RouteConfig, from_environment, split
from drill.kafka.messages import METADATA, PRODUCE, metadata_without_brokers, produce_refusal
from drill.kafka.proxy import Route, listen
from drill.ports import LOOPBACK, free_ports
from drill.process import announce, configuration, exit_with_parent


class InstanceConfig(BaseModel):
    """What the process is told beside its environment."""

    listen_host: str = LOOPBACK


class FencedRequest(ConnectionError):
    """A request that can only be refused by closing the connection; clients retry it."""


def fenced(api_key: int, version: int, request: bytes) -> bytes:
    """The answer of a fenced route.

    Raises:
        FencedRequest: for a request that has no answer with an error.
    """
    if api_key == METADATA:
        return metadata_without_brokers(version, request, ErrorCode.broker_not_available)
    if api_key == PRODUCE:
        return produce_refusal(version, request, ErrorCode.broker_not_available)
    raise FencedRequest("the route is fenced")


def route_of(gateway: Gateway, config: RouteConfig) -> Route:
    """A route as the proxy serves it.

    Raises:
        BadGatewayConfig: for what this stand-in does not do.
    """
    if config.security.auth != "passthrough" or config.strategy.type != "port":
        raise BadGatewayConfig(f"route {config.name!r}: the stand-in does passthrough by port strategy only")
    cluster, server = gateway.cluster_of(config)
    host, first = split(config.endpoint)
    advertised = {node: (host, first + 1 + index) for index, node in enumerate(cluster.node_ids())}
    if config.fence is not None:
        return Route(server.address, advertised, lambda _: True, fenced)
    return Route(server.address, advertised)


class Instance:
    """The routes of one container and its admin server."""

    def __init__(self, gateway: Gateway, host: str) -> None:
        self._gateway = gateway
        self._host = host
        self._routes = {config.name: route_of(gateway, config) for config in gateway.routes}
        self._applied_at = datetime.now(UTC).isoformat()

    async def run(self) -> None:
        """Listen, announce, serve."""
        servers: list[asyncio.Server] = []
        bootstraps: dict[str, int] = {}
        brokers: dict[str, list[int]] = {}
        for name, route in self._routes.items():
            first = free_ports(1 + len(route.advertised))
            bootstraps[name] = first
            brokers[name] = [first + 1 + index for index in range(len(route.advertised))]
            servers.append(await listen(route, self._host, first, None))
            for node, port in zip(sorted(route.advertised), brokers[name], strict=True):
                servers.append(await listen(route, self._host, port, node))
        admin = serve(
            {
                ("GET", "/livez"): lambda _: (200, "text/plain", b"ok"),
                ("GET", "/metrics"): self._metrics,
                ("GET", "/config"): lambda _: as_json({"configId": None, "appliedAt": self._applied_at}),
            },
            self._host,
        )
        announce({"routes": bootstraps, "brokers": brokers, "admin_port": admin})
        await asyncio.gather(*(server.serve_forever() for server in servers))

    def _metrics(self, _: Any) -> tuple[int, str, bytes]:
        lines = []
        for name, route in self._routes.items():
            labels = f'virtual_cluster="{name}"'
            lines.append(f"kroxylicious_client_to_proxy_active_connections{{{labels}}} {route.clients}")
            lines.append(f"kroxylicious_proxy_to_server_active_connections{{{labels}}} {route.upstreams}")
            for state in ("initializing", "serving", "draining", "failed", "stopped"):
                value = int(state == "serving")
                lines.append(f'kroxylicious_virtual_cluster_state{{{labels},state="{state}"}} {value}')
        return 200, "text/plain; version=0.0.4", ("\n".join(lines) + "\n").encode()


def main() -> None:
    config = configuration(InstanceConfig)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    logging.Formatter.converter = time.gmtime
    exit_with_parent()
    try:
        instance = Instance(from_environment(os.environ), config.listen_host)
    except BadGatewayConfig as error:
        raise SystemExit(f"the gateway can't start: {error}") from None
    asyncio.run(instance.run())


if __name__ == "__main__":
    main()
