"""Two TCP connections joined: what one sends the other gets, and when one ends both do.

Built on sockets and the event loop's readiness, not on streams: a read goes into a buffer that is used again, and out
of it straight to the other socket. What that one does not take is kept, and nothing is read until it is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

LOG = logging.getLogger(__name__)

Address = tuple[str, int]
Bytes = bytes | bytearray | memoryview
Through = Callable[[memoryview], Bytes]
"""What is sent in place of what was read: the very view, or other bytes, or none. Nothing may keep the view."""

CHUNK: Final = 256 * 1024
CONNECT_S: Final = 3.0
REST_S: Final = 0.1
LATER: Final = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


def as_it_is(data: memoryview) -> Bytes:
    """Nothing changed."""
    return data


class Flow:
    """The bytes from one socket to another."""

    # Of the whole process: a flow holds a buffer only while there is something unsent in it.
    _spare: Final[list[memoryview]] = []

    def __init__(self, source: socket.socket, sink: socket.socket, end: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._source = source
        self._sink = sink
        self._end = end
        self._unsent: deque[memoryview] = deque()
        self._unsent_buffer: memoryview | None = None
        self._ended = False
        self._paused = False
        self.through: Through = as_it_is

    def start(self) -> None:
        """Begin to read."""
        self._loop.add_reader(self._source, self._readable)

    def pause(self) -> None:
        """Read no more; what was read is still sent."""
        self._paused = True
        self._loop.remove_reader(self._source)

    def go_on(self) -> None:
        """Read again, unless what was read is still to be sent."""
        self._paused = False
        if not self._unsent and not self._ended:
            self._loop.add_reader(self._source, self._readable)

    def stop(self) -> None:
        """Neither read nor write any more."""
        self._ended = True
        self._loop.remove_reader(self._source)
        self._loop.remove_writer(self._sink)

    def write(self, data: Bytes) -> None:
        """Send bytes after those that are on their way already."""
        if not data or self._ended:
            return
        if self._unsent:
            self._unsent.append(memoryview(data))
            return
        sent = self._send(data)
        if sent < len(data) and not self._ended:
            self._unsent.append(memoryview(data)[sent:])
            self._loop.remove_reader(self._source)
            self._loop.add_writer(self._sink, self._writable)

    def _readable(self) -> None:
        buffer = self._spare.pop() if self._spare else memoryview(bytearray(CHUNK))
        try:
            size = self._source.recv_into(buffer)
        except LATER:
            self._spare.append(buffer)
            return
        except OSError:
            size = 0
        if size:
            self._pass(buffer[:size])
        else:
            self._finish()
        if self._unsent:
            self._unsent_buffer = buffer
        else:
            self._spare.append(buffer)

    def _pass(self, data: memoryview) -> None:
        try:
            instead = self.through(data)
        except Exception as error:  # whatever was sent, only the connection it came on ends
            LOG.error("connection closed: %s: %s", type(error).__name__, error)
            self._finish()
        else:
            self.write(instead)

    def _writable(self) -> None:
        while self._unsent:
            data = self._unsent[0]
            sent = self._send(data)
            if self._ended:
                return
            if sent < len(data):
                self._unsent[0] = data[sent:]
                return
            self._unsent.popleft()
        if self._unsent_buffer is not None:
            self._spare.append(self._unsent_buffer)
            self._unsent_buffer = None
        self._loop.remove_writer(self._sink)
        if not self._paused:
            self._loop.add_reader(self._source, self._readable)

    def _send(self, data: Bytes) -> int:
        try:
            return self._sink.send(data)
        except LATER:
            return 0
        except OSError:
            self._finish()
            return 0

    def _finish(self) -> None:
        self.stop()
        self._end()


class Splice:
    """A client and an upstream, joined. Both sockets are closed when it is over, by either end or by `cancel`."""

    def __init__(self, client: socket.socket, upstream: socket.socket) -> None:
        self._sockets = (client, upstream)
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.cause = ""
        self.requests = Flow(client, upstream, partial(self.end, "client_closed"))
        self.responses = Flow(upstream, client, partial(self.end, "server_closed"))

    def end(self, cause: str = "") -> None:
        """Have it over; the first cause that is told is kept."""
        if not self._over.done():
            self.cause = cause
            self._over.set_result(None)

    async def run(self) -> None:
        """Carry bytes until one end closes, then close the other."""
        for side in self._sockets:
            no_delay(side)
        self.requests.start()
        self.responses.start()
        try:
            await self._over
        finally:
            self.requests.stop()
            self.responses.stop()
            for side in self._sockets:
                if isinstance(side, ssl.SSLSocket):
                    with contextlib.suppress(OSError, ValueError):
                        side.unwrap()  # tells the other side that this is no accident; its answer is not waited for
                side.close()


def address_of(text: str) -> Address:
    """The host and the port of `<host>:<port>`."""
    host, _, port = text.rpartition(":")
    return host, int(port)


async def connect(address: Address) -> socket.socket:
    """A connection to an upstream.

    Raises:
        OSError: it refuses, or does not answer within 3 s.
    """
    upstream = socket.socket()
    upstream.setblocking(False)
    try:
        await asyncio.wait_for(asyncio.get_running_loop().sock_connect(upstream, address), CONNECT_S)
    except BaseException:
        upstream.close()
        raise
    return upstream


async def accept(listener: socket.socket, serve: Callable[[socket.socket], Awaitable[None]]) -> None:
    """Serve every client that connects, each in a task of its own; a client is closed when its `serve` is over."""
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    async def carry(client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            await serve(client)

    while True:
        try:
            client, _ = await loop.sock_accept(listener)
        except OSError:  # out of descriptors, or the client is gone before it was taken
            await asyncio.sleep(REST_S)
            continue
        task = loop.create_task(carry(client))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


def no_delay(sock: socket.socket) -> None:
    """Send small frames at once."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
