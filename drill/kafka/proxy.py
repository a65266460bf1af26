"""A proxy for Kafka connections: a route's clients on one side, a cluster's brokers on the other."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from drill.kafka.connection import Connection, Gate, Open
from drill.network.splice import Address, Splice, accept, connect

LOOK_S: Final = 0.01

Node = int | None
"""A node's id; None: the bootstrap."""
Advertise = Callable[[int], Address]
Enter = Callable[[socket.socket, Node], Awaitable[tuple[socket.socket, Node]]]
"""Takes a client in that came to a node's port: its connection, and the node it really asks for."""
Reach = Callable[[Address], Awaitable[socket.socket]]
"""Makes a connection to a broker."""


class NodeOutOfRange(RuntimeError):
    """A broker whose id the route has no address for."""


async def as_it_comes(client: socket.socket, node: Node) -> tuple[socket.socket, Node]:
    """A client without TLS is known by the port it came to."""
    return client, node


def from_table(table: Mapping[int, Address]) -> Advertise:
    """Addresses that are given for each node id; any other breaks the route, in the engine's words."""

    def advertise(node: int) -> Address:
        try:
            return table[node]
        except KeyError:
            raise NodeOutOfRange(
                f"Cannot generate node address for node id {node}: the route has {sorted(table)}"
            ) from None

    return advertise


@dataclass(kw_only=True)
class Route:
    """Where a proxy forwards to, and what it advertises: clients reach node `n` at `advertise(n)`.

    `ports`: what each of its listening ports stands for.
    """

    upstream: Address
    advertise: Advertise
    ports: tuple[Node, ...] = (None,)
    gate: Callable[[], Gate] = Open
    enter: Enter = as_it_comes
    reach: Reach = connect
    nodes: dict[int, Address] = field(default_factory=dict)
    clients: Counter[Node] = field(default_factory=Counter)
    upstreams: Counter[Node] = field(default_factory=Counter)
    closing: bool = False
    connections: dict[Connection, Address] = field(default_factory=dict)
    """Each with the broker that it leads to."""
    counts: Counts = field(default_factory=lambda: Counts())

    def learn(self, nodes: Mapping[int, Address]) -> None:
        """Keep where nodes really are."""
        self.nodes.update(nodes)


@dataclass(kw_only=True)
class Counts:
    """What has happened to a route's connections, by node or by cause."""

    connected: Counter[Node] = field(default_factory=Counter)
    reached: Counter[Node] = field(default_factory=Counter)
    refused: Counter[Node] = field(default_factory=Counter)
    unreached: Counter[Node] = field(default_factory=Counter)
    disconnects: Counter[str] = field(default_factory=Counter)


async def serve(route: Route, listener: socket.socket, port_of: Node) -> None:
    """Serve clients of a route on one port: of its bootstrap (None), or of one node. Does not return."""

    async def carry(client: socket.socket) -> None:
        try:
            client, node = await route.enter(client, port_of)
        except OSError:
            route.counts.refused[port_of] += 1
            raise
        route.counts.connected[node] += 1
        route.clients[node] += 1
        try:
            with client:
                await forward(client, node)
        finally:
            route.clients[node] -= 1

    async def forward(client: socket.socket, node: Node) -> None:
        learning = node is not None and node not in route.nodes
        address = route.upstream if node is None or learning else route.nodes[node]
        try:
            upstream = await route.reach(address)
        except OSError:
            route.counts.unreached[node] += 1
            raise
        if route.closing:
            upstream.close()
            return
        route.counts.reached[node] += 1
        route.upstreams[node] += 1
        splice = Splice(client, upstream)
        connection = Connection(route, route.gate(), splice, learning)
        route.connections[connection] = address
        try:
            await splice.run()
        finally:
            del route.connections[connection]
            route.counts.disconnects[splice.cause] += 1
            route.upstreams[node] -= 1

    await accept(listener, carry)


async def drain(route: Route, timeout_s: float) -> None:
    """End every connection of a route: once its requests are answered, or by force after `timeout_s` seconds."""
    route.closing = True
    for connection in route.connections:
        connection.stop_reading()
    deadline = asyncio.get_running_loop().time() + timeout_s
    while route.connections:
        overdue = asyncio.get_running_loop().time() >= deadline
        for connection in route.connections:
            if overdue or not connection.in_flight:
                connection.end("drain_timeout" if overdue else "drain_completed")
        await asyncio.sleep(LOOK_S)
