"""One route of a running gateway: its ports, its state, and its replacement in place.

The engine replaces only what has changed: SERVING, DRAINING (nothing is read any more, requests under way are waited
for, the rest is closed by force), then the ports are bound anew and it serves the new cluster. Other routes go on.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Final

from drill.gateway.certificates import towards_clients, towards_cluster
from drill.gateway.config import BadGatewayConfig, Gateway, RouteConfig, Ssl, address, protocol
from drill.gateway.nodes import Nodes, nodes_of
from drill.gateway.secrets import Credentials, SwapCounts
from drill.gateway.swap import Swap
from drill.kafka import proxy
from drill.kafka.connection import Gate, Open
from drill.network import tls
from drill.network.listeners import listen_on, port_of
from drill.ports import NoPortsFree

LOG = logging.getLogger(__name__)
STATES: Final = ("initializing", "serving", "draining", "failed", "stopped")


def route_of(gateway: Gateway, config: RouteConfig, counts: SwapCounts | None = None) -> proxy.Route:
    """A route as the proxy serves it; `counts` are told of its auth swaps.

    Raises:
        BadGatewayConfig: if files it names can't be used, or for what this stand-in does not do.
    """
    cluster, server = gateway.cluster_of(config)
    nodes = nodes_of(config, cluster)
    gate = _gate(gateway, config, counts or SwapCounts())
    route = proxy.Route(upstream=address(server.endpoint), advertise=nodes.advertise, ports=nodes.ports, gate=gate)
    if config.security.ssl is not None:
        route.enter = _secured(towards_clients(config.security.ssl), nodes)
    if server.ssl is not None or protocol(server.endpoint) in ("SSL", "SASL_SSL"):
        context = towards_cluster(server.ssl or Ssl())
        route.reach = lambda broker: tls.reach(broker, context)
    return route


def _gate(gateway: Gateway, config: RouteConfig, counts: SwapCounts) -> Callable[[], Gate]:
    login: Callable[[], Gate] = Open
    if config.security.auth == "swap":
        login = partial(Swap, Credentials(gateway, config, counts))
    if not config.fenced:
        return login
    from drill.gateway.fence import Fence  # all it takes to answer any request is long to import

    return lambda: Fence(login())


def _secured(context: ssl.SSLContext, nodes: Nodes) -> proxy.Enter:
    names = nodes.names
    server = tls.Server(context, names.is_served if names else lambda _: True)

    async def enter(client: socket.socket, node: proxy.Node) -> tuple[socket.socket, proxy.Node]:
        secured, name = await server.accept(client)
        return secured, names.node(name) if names else node

    return enter


class Served:
    """A route and its listening sockets: the bootstrap's, then one a node, in the order of their ids.

    Raises:
        BadGatewayConfig: if it can't be served, or its ports are taken. `first_port` 0: wherever there is room.
    """

    def __init__(self, gateway: Gateway, config: RouteConfig, host: str, first_port: int) -> None:
        self.name = config.name
        self.swaps_credentials = config.security.auth == "swap"
        self.swaps = SwapCounts()
        self.route = route_of(gateway, config, self.swaps)
        self.state = "initializing"
        self.transitions: Counter[tuple[str, str]] = Counter()
        self._host = host
        self._listeners = self._bound(first_port)
        self._first_port = self.ports[0]
        self._serving: list[asyncio.Task[None]] = []

    @property
    def ports(self) -> list[int]:
        """The bootstrap's port, then one a node."""
        return [port_of(listener) for listener in self._listeners]

    def start(self) -> None:
        """Take clients."""
        self._serving = [
            asyncio.create_task(proxy.serve(self.route, listener, node))
            for listener, node in zip(self._listeners, self.route.ports, strict=True)
        ]
        self._move("serving")

    async def replace(self, route: proxy.Route, drain_timeout_s: float) -> None:
        """Serve that route instead, on the same bootstrap port.

        Raises:
            BadGatewayConfig: if its ports can't be bound; the route is failed, and takes no client any more.
        """
        first = self._first_port
        self._move("draining")
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        for listener in self._listeners:
            listener.close()
        await proxy.drain(self.route, drain_timeout_s)
        self._move("initializing")
        route.counts = self.route.counts
        self.route = route
        try:
            self._listeners = self._bound(first)
        except BadGatewayConfig:
            self._move("failed")
            raise
        self.start()

    def _bound(self, first_port: int) -> list[socket.socket]:
        try:
            return listen_on(len(self.route.ports), self._host, first_port)
        except NoPortsFree as error:
            raise BadGatewayConfig(f"route {self.name!r}: {error}") from None

    def _move(self, state: str) -> None:
        self.transitions[self.state, state] += 1
        self.state = state
