"""One route of a running gateway: its ports, its state, and its replacement in place.

The engine replaces only what has changed: SERVING, DRAINING (nothing is read any more, requests under way are waited
for, the rest is closed by force), then the ports are bound anew and it serves the new cluster. Other routes go on.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import Counter
from typing import Final

from drill.gateway.config import BadGatewayConfig, Gateway, RouteConfig, address
from drill.kafka import proxy
from drill.network.listeners import listen_on, port_of
from drill.ports import NoPortsFree

LOG = logging.getLogger(__name__)
STATES: Final = ("initializing", "serving", "draining", "failed", "stopped")


def route_of(gateway: Gateway, config: RouteConfig) -> proxy.Route:
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
    route = proxy.Route(address(server.endpoint), advertised)
    if config.fence is not None:
        from drill.gateway.fence import fenced  # all it takes to answer any request is long to import

        route.wants, route.answer = (lambda _: True), fenced
    return route


class Served:
    """A route and its listening sockets: the bootstrap's, then one a node, in the order of their ids.

    Raises:
        BadGatewayConfig: if it can't be served, or its ports are taken. `first_port` 0: wherever there is room.
    """

    def __init__(self, gateway: Gateway, config: RouteConfig, host: str, first_port: int) -> None:
        self.name = config.name
        self.route = route_of(gateway, config)
        self.state = "initializing"
        self.transitions: Counter[tuple[str, str]] = Counter()
        self._host = host
        self._listeners = self._bound(first_port)
        self._serving: list[asyncio.Task[None]] = []

    @property
    def ports(self) -> list[int]:
        """The bootstrap's port, then one a node."""
        return [port_of(each) for each in self._listeners]

    def start(self) -> None:
        """Take clients."""
        nodes = (None, *sorted(self.route.advertised))
        self._serving = [
            asyncio.create_task(proxy.serve(self.route, listener, node))
            for listener, node in zip(self._listeners, nodes, strict=True)
        ]
        self._move("serving")

    async def replace(self, route: proxy.Route, drain_timeout_s: float) -> None:
        """Serve that route instead, on the same bootstrap port.

        Raises:
            BadGatewayConfig: if its ports can't be bound; the route is failed, and takes no client any more.
        """
        first = self.ports[0]
        self._move("draining")
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        for listener in self._listeners:
            listener.close()
        await proxy.drain(self.route, drain_timeout_s)
        self._move("initializing")
        route.disconnects.update(self.route.disconnects)
        self.route = route
        try:
            self._listeners = self._bound(first)
        except BadGatewayConfig:
            self._move("failed")
            raise
        self.start()

    def _bound(self, first_port: int) -> list[socket.socket]:
        try:
            return listen_on(1 + len(self.route.advertised), self._host, first_port)
        except NoPortsFree as error:
            raise BadGatewayConfig(f"route {self.name!r}: {error}") from None

    def _move(self, state: str) -> None:
        self.transitions[self.state, state] += 1
        self.state = state
