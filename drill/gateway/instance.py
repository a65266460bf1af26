"""One gateway container: takes clients on its own ports, as a container publishes them, and advertises the route's.

Admin server: `/livez` is 200 as soon as it is up, whatever the upstream does, `/metrics` has the engine's names, and
`/config` the id of the applied configuration.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from kio.schema.errors import ErrorCode
from pydantic import BaseModel

from drill.gateway.config import BadGatewayConfig, Gateway, RouteConfig, address, from_environment
from drill.kafka.messages import PRODUCE, awaits_answer
from drill.kafka.proxy import Route, serve
from drill.kafka.refusal import refusal
from drill.network import admin_http
from drill.network.admin_http import Reply, as_json
from drill.network.listeners import listen_on, port_of
from drill.network.splice import Bytes
from drill.ports import LOOPBACK, NoPortsFree
from drill.process import announce, configuration, exit_with_parent

STATES: Final = ("initializing", "serving", "draining", "failed", "stopped")


class InstanceConfig(BaseModel):
    """What the process is told beside its environment.

    With `own_ports` it listens on the ports of the routes' endpoints, as the container does inside; else on free ones.
    """

    listen_host: str = LOOPBACK
    own_ports: bool = False


class Unanswered(ConnectionError):
    """A fenced route got a write that awaits no answer; a broker would close the connection, too."""


@dataclass(frozen=True)
class Served:
    """A route and its listening sockets: the bootstrap's, then one a node, in the order of their ids."""

    route: Route
    listeners: list[socket.socket]

    @property
    def ports(self) -> list[int]:
        """Their ports."""
        return [port_of(each) for each in self.listeners]


def fenced(api_key: int, version: int, frame: Bytes) -> bytes:
    """The answer of a fenced route to any request.

    Raises:
        NoErrorAnswer, Unanswered: to a request that can only be refused by closing the connection; clients try again.
    """
    if api_key == PRODUCE and awaits_answer(version, frame) is False:
        raise Unanswered("a write with acks=0 to a fenced route")
    return refusal(api_key, version, frame, ErrorCode.broker_not_available)


def route_of(gateway: Gateway, config: RouteConfig) -> Route:
    """A route as the proxy serves it.

    Raises:
        BadGatewayConfig: for what this stand-in does not do.
    """
    cluster, server = gateway.cluster_of(config)
    if config.security.auth != "passthrough":
        raise BadGatewayConfig(
            f"route {config.name!r}: security.auth 'swap' is not done by this stand-in; use passthrough"
        )
    if config.strategy.type != "port":
        raise BadGatewayConfig(
            f"route {config.name!r}: strategy 'host' needs TLS, which this stand-in has not; use port"
        )
    if config.security.ssl is not None or server.ssl is not None:
        raise BadGatewayConfig(f"route {config.name!r}: this stand-in has no TLS; leave ssl out on both sides of it")
    host, first = address(config.endpoint)
    advertised = {node: (host, first + 1 + index) for index, node in enumerate(cluster.node_ids())}
    route = Route(address(server.endpoint), advertised)
    if config.fence is not None:
        route.wants, route.answer = (lambda _: True), fenced
    return route


class Instance:
    """The routes of one container, and its admin server.

    Raises:
        BadGatewayConfig: if a route can't be served.
    """

    def __init__(self, gateway: Gateway, settings: InstanceConfig) -> None:
        self._gateway = gateway
        self._host = settings.listen_host
        self._applied_at = datetime.now(UTC)
        self._served: dict[str, Served] = {}
        for config in gateway.routes:
            route = route_of(gateway, config)
            first = address(config.endpoint)[1] if settings.own_ports else 0
            try:
                listeners = listen_on(1 + len(route.advertised), self._host, first)
            except NoPortsFree as error:
                raise BadGatewayConfig(f"route {config.name!r}: {error}") from None
            self._served[config.name] = Served(route, listeners)

    async def run(self) -> None:
        """Announce the ports and serve until the process ends."""
        doors: dict[tuple[str, str], admin_http.Handler] = {("GET", "/livez"): lambda _: (200, "text/plain", b"ok")}
        doors["GET", "/config"] = self._config
        if self._gateway.admin.endpoints.metrics:
            doors["GET", "/metrics"] = self._metrics
        admin = await admin_http.serve(doors, self._host)
        announce(
            {
                "routes": {name: served.ports[0] for name, served in self._served.items()},
                "brokers": {name: served.ports[1:] for name, served in self._served.items()},
                "admin_port": admin,
            }
        )
        await asyncio.gather(
            *(
                serve(served.route, listener, node)
                for served in self._served.values()
                for listener, node in zip(served.listeners, (None, *sorted(served.route.advertised)), strict=True)
            )
        )

    def _config(self, _: Any) -> Reply:
        return as_json({"configId": self._gateway.config_id, "appliedAt": self._applied_at.isoformat()})

    def _metrics(self, _: Any) -> Reply:
        return 200, "text/plain; version=0.0.4; charset=utf-8", ("\n".join(self._samples()) + "\n").encode()

    def _samples(self) -> Iterator[str]:
        """The metrics in Prometheus's text format, under the engine's names."""
        routes = {name: served.route for name, served in self._served.items()}
        gauge = partial("# TYPE {} gauge".format)
        yield gauge("kroxylicious_client_to_proxy_active_connections")
        for name, route in routes.items():
            yield f'kroxylicious_client_to_proxy_active_connections{{virtual_cluster="{name}"}} {route.clients}'
        yield gauge("kroxylicious_proxy_to_server_active_connections")
        for name, route in routes.items():
            yield f'kroxylicious_proxy_to_server_active_connections{{virtual_cluster="{name}"}} {route.upstreams}'
        yield gauge("kroxylicious_virtual_cluster_state")
        for name in routes:
            for state in STATES:
                labels = f'virtual_cluster="{name}",state="{state}"'
                yield f"kroxylicious_virtual_cluster_state{{{labels}}} {int(state == 'serving')}"


def main() -> None:
    settings = configuration(InstanceConfig)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    exit_with_parent()
    try:
        instance = Instance(from_environment(os.environ), settings)
    except BadGatewayConfig as error:
        sys.stderr.write(f"the gateway can't start: {error}\n")
        sys.exit(1)
    asyncio.run(instance.run())


if __name__ == "__main__":
    main()
