"""A proxy for Kafka frames: forwards them untouched, and rewrites only the broker addresses in the few answers that
hold them. Bytes of records are never decoded, except for a request that a hook wants to see."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from drill.kafka.messages import API_VERSIONS, NAMES_BROKERS, Address, brokers_in, metadata_request, rewrite

LOG = logging.getLogger(__name__)
CHUNK: Final = 256 * 1024
HEADER: Final = struct.Struct(">ihhi")
RESPONSE_HEADER: Final = struct.Struct(">ii")
CONNECT_S: Final = 3.0

Answering = Callable[[int, int, bytes], bytes | None]
"""Given api key, version and the request without its size: a whole frame to answer with, or None to forward it."""


class NodeOutOfRange(RuntimeError):
    """A broker whose id the route has no address for."""


@dataclass
class Route:
    """Where a proxy forwards to and what it advertises. Node `n` is reached by clients at `advertised[n]`."""

    upstream: Address
    advertised: dict[int, Address]
    wants: Callable[[int], bool] = lambda _: False
    answer: Answering = lambda *_: None
    nodes: dict[int, Address] = field(default_factory=dict)
    clients: int = 0
    upstreams: int = 0

    def advertise(self, node: int) -> Address:
        """The address a client is told for a node.

        Raises:
            NodeOutOfRange: in the engine's words.
        """
        try:
            return self.advertised[node]
        except KeyError:
            raise NodeOutOfRange(f"Cannot generate node address for node id {node}") from None

    def learn(self, node: int, address: Address) -> None:
        """Keep where a node really is."""
        self.nodes[node] = address


class Connection:
    """One client connection, spliced to the bootstrap server or to one node."""

    def __init__(self, route: Route, node: int | None) -> None:
        self._route = route
        self._node = node
        self._pending: dict[int, tuple[int, int]] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry the client until one end closes; then close both."""
        self._route.clients += 1
        upstream: asyncio.StreamWriter | None = None
        try:
            no_delay(writer)
            address = await self._upstream()
            back, out = await asyncio.wait_for(asyncio.open_connection(*address, limit=CHUNK), CONNECT_S)
            upstream = out
            no_delay(out)
            self._route.upstreams += 1
            ways = [
                asyncio.ensure_future(self._requests(reader, writer, out)),
                asyncio.ensure_future(self._responses(back, writer)),
            ]
            done, left = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in left:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for way in done:
                if isinstance(way.exception(), NodeOutOfRange):
                    LOG.error("%s", way.exception())
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            LOG.debug("connection ended: %s", error)
        finally:
            self._route.clients -= 1
            if upstream is not None:
                self._route.upstreams -= 1
                abort(upstream)
            abort(writer)

    async def _upstream(self) -> Address:
        if self._node is None:
            return self._route.upstream
        if self._node not in self._route.nodes:
            self._route.nodes |= await asyncio.wait_for(ask_brokers(self._route.upstream), CONNECT_S)
        if self._node not in self._route.nodes:
            raise ConnectionRefusedError(f"the cluster at {self._route.upstream} has no node {self._node}")
        return self._route.nodes[self._node]

    async def _requests(
        self, reader: asyncio.StreamReader, back: asyncio.StreamWriter, upstream: asyncio.StreamWriter
    ) -> None:
        while True:
            head = await reader.readexactly(HEADER.size)
            size, api_key, version, correlation = HEADER.unpack(head)
            rest = size - HEADER.size + 4
            if self._route.wants(api_key) and api_key != API_VERSIONS:
                body = await reader.readexactly(rest)
                answer = self._route.answer(api_key, version, head[4:] + body)
                if answer is not None:
                    back.write(answer)
                    await back.drain()
                    continue
                upstream.write(head + body)
            else:
                if api_key in NAMES_BROKERS:
                    self._pending[correlation] = (api_key, version)
                upstream.write(head)
                await _stream(reader, upstream, rest)
                continue
            if api_key in NAMES_BROKERS:
                self._pending[correlation] = (api_key, version)
            await upstream.drain()

    async def _responses(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readexactly(RESPONSE_HEADER.size)
            size, correlation = RESPONSE_HEADER.unpack(head)
            asked = self._pending.pop(correlation, None)
            if asked is None:
                writer.write(head)
                await _stream(reader, writer, size - 4)
                continue
            frame = head[4:] + await reader.readexactly(size - 4)
            frame = rewrite(*asked, frame, self._route.advertise, self._route.learn)
            writer.write(struct.pack(">i", len(frame)) + frame)
            await writer.drain()


async def _stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: int) -> None:
    while left:
        chunk = await reader.read(min(left, CHUNK))
        if not chunk:
            raise asyncio.IncompleteReadError(b"", left)
        writer.write(chunk)
        left -= len(chunk)
        await writer.drain()


async def ask_brokers(bootstrap: Address) -> dict[int, Address]:
    """The brokers of the cluster that answers at an address.

    Raises:
        OSError, asyncio.IncompleteReadError: if it does not answer.
    """
    reader, writer = await asyncio.open_connection(*bootstrap)
    try:
        writer.write(metadata_request(1))
        (size,) = struct.unpack(">i", await reader.readexactly(4))
        return brokers_in(await reader.readexactly(size))
    finally:
        abort(writer)


async def listen(route: Route, host: str, port: int, node: int | None) -> asyncio.Server:
    """Serve clients of a route on one port: of its bootstrap (`node` None), or of one node."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Connection(route, node).serve(reader, writer)

    return await asyncio.start_server(serve, host, port, limit=CHUNK, backlog=512)


def no_delay(writer: asyncio.StreamWriter) -> None:
    """Send small frames at once."""
    sock = writer.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def abort(writer: asyncio.StreamWriter) -> None:
    """Close at once, without waiting for what is not sent yet."""
    with contextlib.suppress(Exception):
        writer.transport.abort()
