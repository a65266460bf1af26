"""A proxy for Kafka connections: forwards frames untouched, and rewrites only the broker addresses in the few answers
that hold them. A hook may answer a request in the cluster's place."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from drill.kafka.addresses import brokers_in, names_brokers, readdressed
from drill.kafka.frames import Frames
from drill.kafka.messages import API_VERSIONS, PRODUCE, awaits_answer, metadata_request
from drill.network.splice import CONNECT_S, Address, Bytes, Splice, accept, connect

LOG = logging.getLogger(__name__)
REQUEST: Final = struct.Struct(">ihhi")
RESPONSE: Final = struct.Struct(">ii")
LOOK_S: Final = 0.01

Wants = Callable[[int], bool]
"""Whether a request of an api key must be shown to the hook; it is gathered whole for that."""
Answer = Callable[[int, int, Bytes], "bytes | None"]
"""The hook: given api key, version and frame of a request, the frame that answers it, or None to forward it."""


class NodeOutOfRange(RuntimeError):
    """A broker whose id the route has no address for."""


def nothing(_: int) -> bool:
    """A hook that wants no request."""
    return False


def forwarded(_key: int, _version: int, _frame: Bytes) -> bytes | None:
    """A hook that answers no request."""
    return None


@dataclass
class Route:
    """Where a proxy forwards to, and what it advertises: clients reach node `n` at `advertised[n]`."""

    upstream: Address
    advertised: Mapping[int, Address]
    wants: Wants = nothing
    answer: Answer = forwarded
    nodes: dict[int, Address] = field(default_factory=dict)
    clients: int = 0
    upstreams: int = 0
    closing: bool = False
    connections: set[Connection] = field(default_factory=set)
    disconnects: Counter[str] = field(default_factory=Counter)

    def advertise(self, node: int) -> Address:
        """The address a client is told for a node.

        Raises:
            NodeOutOfRange: in the engine's words.
        """
        try:
            return self.advertised[node]
        except KeyError:
            raise NodeOutOfRange(
                f"Cannot generate node address for node id {node}: the route has {sorted(self.advertised)}"
            ) from None

    def learn(self, node: int, address: Address) -> None:
        """Keep where a node really is."""
        self.nodes[node] = address

    async def address_of(self, node: int | None) -> Address:
        """Where to forward to: the bootstrap server for None, else the node; the cluster is asked if it is not known.

        Raises:
            OSError: if the cluster does not answer, or has no such node.
        """
        if node is None:
            return self.upstream
        if node not in self.nodes:
            self.nodes |= await asyncio.wait_for(ask_brokers(self.upstream), CONNECT_S)
        if node not in self.nodes:
            raise ConnectionRefusedError(f"the cluster at {self.upstream} has no node {node}")
        return self.nodes[node]


@dataclass(frozen=True)
class Asked:
    """A request that waits for its turn: to be answered by the cluster, or with `answer`."""

    api_key: int
    version: int
    answer: bytes | None = None


class Connection:
    """What is asked and answered on one client's connection.

    Kafka answers in the order of the requests, so an answer of the hook waits until those before it are answered.
    """

    def __init__(self, route: Route, splice: Splice) -> None:
        self._route = route
        self._asked: dict[int, Asked] = {}
        self._splice = splice
        self._responses = Frames(self._response)
        splice.requests.through = Frames(self._request)
        splice.responses.through = self._responses

    @property
    def in_flight(self) -> bool:
        """Whether a request waits for its answer."""
        return bool(self._asked)

    def stop_reading(self) -> None:
        """Take no more requests."""
        self._splice.requests.pause()

    def end(self, cause: str) -> None:
        """Close it."""
        self._splice.end(cause)

    def _request(self, frame: memoryview) -> int | Bytes | None:
        if len(frame) < REQUEST.size:
            return REQUEST.size
        size: int
        size, api_key, version, correlation = REQUEST.unpack_from(frame)
        if api_key != API_VERSIONS and self._route.wants(api_key):
            if len(frame) < 4 + size:
                return 4 + size
            answer = self._route.answer(api_key, version, frame)
            if answer is not None:
                self._answer(correlation, Asked(api_key, version, answer), answer)
                return b""
        if api_key == PRODUCE:
            awaits = awaits_answer(version, frame)
            if not isinstance(awaits, bool):
                return awaits
            if not awaits:
                return None
        self._asked[correlation] = Asked(api_key, version)
        return None

    def _answer(self, correlation: int, asked: Asked, answer: bytes) -> None:
        if self._asked:
            self._asked[correlation] = asked
        elif self._responses.amid:
            self._responses.after_this(answer)
        else:
            self._splice.responses.write(answer)

    def _response(self, frame: memoryview) -> int | Bytes | None:
        if len(frame) < RESPONSE.size:
            return RESPONSE.size
        size: int
        size, correlation = RESPONSE.unpack_from(frame)
        asked = self._asked.get(correlation)
        if asked is None:
            return None
        changed: Bytes | None = None
        if names_brokers(asked.api_key, asked.version):
            if len(frame) < 4 + size:
                return 4 + size
            changed = readdressed(asked.api_key, asked.version, frame, self._route.advertise, self._route.learn)
            if changed is frame:
                changed = None  # so that it is not copied
        del self._asked[correlation]
        self._release()
        return changed

    def _release(self) -> None:
        """Let the hook's answers go whose turn it is."""
        while self._asked:
            first, asked = next(iter(self._asked.items()))
            if asked.answer is None:
                return
            self._responses.after_this(asked.answer)
            del self._asked[first]


async def ask_brokers(bootstrap: Address) -> dict[int, Address]:
    """The brokers of the cluster that answers at an address.

    Raises:
        OSError: if it does not answer.
    """
    loop = asyncio.get_running_loop()
    with await connect(bootstrap) as sock:
        await loop.sock_sendall(sock, metadata_request(1))
        frame = b""
        while len(frame) < 4 or len(frame) < 4 + int.from_bytes(frame[:4], "big"):
            more = await loop.sock_recv(sock, 65_536)
            if not more:
                raise ConnectionResetError(f"the cluster at {bootstrap} closed the connection instead of an answer")
            frame += more
        return brokers_in(frame)


async def serve(route: Route, listener: socket.socket, node: int | None) -> None:
    """Serve clients of a route on one port: of its bootstrap (`node` None), or of one node. Does not return."""

    async def carry(client: socket.socket) -> None:
        route.clients += 1
        try:
            upstream = await connect(await route.address_of(node))
            if route.closing:
                upstream.close()
                return
            route.upstreams += 1
            splice = Splice(client, upstream)
            connection = Connection(route, splice)
            route.connections.add(connection)
            try:
                await splice.run()
            finally:
                route.connections.discard(connection)
                route.disconnects[splice.cause] += 1
                route.upstreams -= 1
        finally:
            route.clients -= 1

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
