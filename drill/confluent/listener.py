"""The way in to the API: a listening port that the drill can shut for a while, and the traffic rules of the place."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Generator
from typing import Literal

import uvicorn
from pydantic import BaseModel, ConfigDict, Field
from starlette.types import ASGIApp

from drill.ports import LOOPBACK

Down = Literal["refuse", "hang"]


class Conditions(BaseModel):
    """How the API is to be reached; what is left out stays as it is.

    `latency_s`: how late every answer comes, without keeping others waiting; `requests_per_s`: more than that are
    answered 429 (0: no limit); `down`: connections are refused, or taken and never answered, for `seconds`
    (0: it is up again).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    latency_s: float | None = Field(default=None, ge=0)
    requests_per_s: float | None = Field(default=None, ge=0)
    down: Down = "refuse"
    seconds: float | None = Field(default=None, ge=0)


class Door:
    """One port and its server. Used within one event loop."""

    def __init__(self, port: int = 0, latency_s: float = 0.0, host: str = LOOPBACK) -> None:
        self._host = host
        self._listener = listen(port, host)
        self.port = int(self._listener.getsockname()[1])
        self._holder: socket.socket | None = None
        self._server: _Server | None = None
        self._shut_until = 0.0
        self._down: Down | None = None
        self._reopen: asyncio.TimerHandle | None = None
        self._opened = asyncio.Event()
        self._opened.set()
        self._limit = _Limit()
        self.latency_s = latency_s

    async def serve(self, app: ASGIApp) -> None:
        """Serve, whenever the door is open, for ever."""
        while True:
            self._server = _Server(app)
            await self._server.serve(sockets=[self._listener])
            await self._opened.wait()
            self._listener = listen(self.port, self._host)
            if self._holder is not None:
                self._holder.close()
                self._holder = None

    def set(self, conditions: Conditions) -> None:
        """Change what is named."""
        if conditions.latency_s is not None:
            self.latency_s = conditions.latency_s
        if conditions.requests_per_s is not None:
            self._limit = _Limit(conditions.requests_per_s)
        if conditions.seconds is not None:
            self._open()
            if conditions.seconds:
                self._shut(conditions.down, conditions.seconds)

    def shown(self) -> dict[str, object]:
        """The conditions now."""
        remaining_s = max(0.0, self._shut_until - time.monotonic()) if self._down else 0.0
        return {
            "latency_s": self.latency_s,
            "requests_per_s": self._limit.per_s,
            "down": self._down,
            "seconds": round(remaining_s, 3),
        }

    @property
    def hangs(self) -> bool:
        return self._down == "hang"

    async def opened(self) -> None:
        """Wait until the door is open again."""
        await self._opened.wait()

    def admits(self) -> bool:
        """Whether one more request is within the limit."""
        return self._limit.admits(time.monotonic())

    def _shut(self, how: Down, seconds: float) -> None:
        self._down = how
        self._shut_until = time.monotonic() + seconds
        self._opened.clear()
        self._reopen = asyncio.get_running_loop().call_later(seconds, self._open)
        if how == "refuse" and self._server is not None:
            # Bound and not listening: the port stays ours while the door is shut, and a connection is refused.
            self._holder = self._holder or _bound(self.port, self._host)
            self._server.stop_now()

    def _open(self) -> None:
        if self._reopen is not None:
            self._reopen.cancel()
            self._reopen = None
        self._down = None
        self._opened.set()


class _Limit:
    """A token bucket that holds one second's worth."""

    def __init__(self, per_s: float = 0.0) -> None:
        self.per_s = per_s
        self._tokens = max(1.0, per_s)
        self._at = time.monotonic()

    def admits(self, now: float) -> bool:
        if not self.per_s:
            return True
        self._tokens = min(max(1.0, self.per_s), self._tokens + (now - self._at) * self.per_s)
        self._at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


class _Server(uvicorn.Server):
    def __init__(self, app: ASGIApp, tls: tuple[str, str] = ("", "")) -> None:
        chain, key = (path or None for path in tls)
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                ssl_certfile=chain,
                ssl_keyfile=key,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Signals are the parent's business."""
        yield

    def stop_now(self) -> None:
        """Stop listening and cut every connection."""
        self.should_exit = self.force_exit = True
        for listener in getattr(self, "servers", []):
            listener.close()
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()


async def serve_aside(app: ASGIApp, *listeners: socket.socket, tls: tuple[str, str] = ("", "")) -> None:
    """Serve another application, on ports that are never shut. `tls`: the files of the certificate and its key."""
    await _Server(app, tls).serve(sockets=list(listeners))


def listen(port: int = 0, host: str = LOOPBACK) -> socket.socket:
    """A listening socket; with `port` 0 on any that is free."""
    listener = _bound(port, host)
    listener.listen(512)
    return listener


def _bound(port: int, host: str) -> socket.socket:
    # With the protocol named, asyncio sets TCP_NODELAY on what it accepts; else every answer waits 40 ms for an ACK.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind((host, port))
    return bound
