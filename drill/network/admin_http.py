"""The small HTTP side doors of the drill's processes: JSON in, JSON out, on the loopback. No part of any product's API.

They are served on the process's own event loop, so a handler sees and changes its state without locks.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

Reply = tuple[int, str, bytes]
"""Status, content type, body."""
Handler = Callable[[Any], Reply | Awaitable[Reply]]
"""Given the JSON of the request's body, or None without one."""
Routes = Mapping[tuple[str, str], Handler]

LARGEST_BODY: Final = 1024 * 1024
PORT_FREE_S: Final = 60.0


def as_json(value: Any, status: int = HTTPStatus.OK) -> Reply:
    """A JSON reply."""
    return status, "application/json", json.dumps(value).encode()


async def serve(routes: Routes, host: str = "127.0.0.1", port: int = 0) -> int:
    """Answer `(method, path)` until the process ends; the port it listens on.

    An unknown path is a 404; a body that the handler can't use (ValueError, KeyError, TypeError) is a 400.
    """

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            while await _exchange(routes, reader, writer):
                pass
        writer.close()

    server = await _listening(carry, host, port)
    _SERVERS.append(server)
    return int(server.sockets[0].getsockname()[1])


async def _listening(carry: Any, host: str, port: int) -> asyncio.Server:
    """At a port that was another's a while ago, a connection that somebody opened since may have it for a moment."""
    deadline = time.monotonic() + PORT_FREE_S
    while True:
        try:
            return await asyncio.start_server(carry, host, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.2)


_SERVERS: Final[list[asyncio.Server]] = []  # kept, or they would be collected


async def _exchange(routes: Routes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Answer one request; whether the client wants to ask more on this connection."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, version = head[0].split(" ", 2)
    fields = (line.partition(":") for line in head[1:] if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in fields}
    length = int(headers.get("content-length") or 0)
    if length > LARGEST_BODY:
        return False
    body = await reader.readexactly(length)
    status, kind, data = await _reply(routes.get((method, target.partition("?")[0])), body)
    stays = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
    writer.write(
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n"
        f"Connection: {'keep-alive' if stays else 'close'}\r\n\r\n".encode()
        + data
    )
    await writer.drain()
    return stays


async def _reply(handler: Handler | None, body: bytes) -> Reply:
    if handler is None:
        return as_json({"message": "no such path"}, HTTPStatus.NOT_FOUND)
    try:
        reply = handler(json.loads(body) if body else None)
        return reply if isinstance(reply, tuple) else await reply
    except (ValueError, KeyError, TypeError) as error:
        return as_json({"message": f"{type(error).__name__}: {error}"}, HTTPStatus.BAD_REQUEST)
