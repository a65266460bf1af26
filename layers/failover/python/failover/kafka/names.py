"""The addresses of names: looked up beside the event loop and known for a while, so that who hangs, hangs alone."""

from __future__ import annotations

import asyncio
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

CACHED_S: Final = 30.0
"""For how long addresses serve before they are looked up again."""
PATIENCE_S: Final = 0.25
"""A lookup of a name whose addresses were known before is not waited for any longer."""
_AT_ONCE: Final = 3


@dataclass(frozen=True)
class Address:
    """A name, and one of the addresses behind it."""

    host: str
    ip: str
    port: int


class Names:
    """What was looked up, from one look to the next. It belongs to one event loop."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="lookup")
        self._cached: dict[str, tuple[float, list[Address]]] = {}
        self._lookups: dict[str, asyncio.Future[list[Address]]] = {}

    async def addresses(self, endpoint: str) -> list[Address]:
        """Those behind an endpoint, `host:port`. While a lookup hangs or fails, those of before serve.

        Raises:
            OSError: the name is not known.
        """
        host, _, port = endpoint.rpartition(":")
        host = host.strip("[]")
        with suppress(ValueError):
            return [Address(host, str(ip_address(host)), int(port))]
        read_at, cached = self._cached.get(endpoint, (0.0, []))
        if cached and time.time() - read_at < CACHED_S:
            return cached
        lookup = self._lookups.get(endpoint)
        if lookup is None or lookup.done():
            loop = asyncio.get_running_loop()
            lookup = self._lookups[endpoint] = loop.run_in_executor(self._pool, _look_up, host, int(port))
        await asyncio.wait({lookup}, timeout=PATIENCE_S if cached else None)
        if cached and (not lookup.done() or lookup.exception() is not None):
            return cached
        self._cached[endpoint] = time.time(), lookup.result()
        return lookup.result()

    def close(self) -> None:
        """Wait for no lookup any more."""
        for lookup in self._lookups.values():
            lookup.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int) -> list[Address]:
    resolved = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(Address(host, str(address[0]), int(address[1])) for *_, address in resolved))
