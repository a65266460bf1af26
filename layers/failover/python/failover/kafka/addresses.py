"""The addresses behind a bootstrap list: which of them take a connection now.

A name has an address a zone, and a list a name a broker. One of them may be silent while clients work through the
others, so all are tried side by side, and the first that answers speaks for the site.
"""

from __future__ import annotations

import socket
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Final

TIMEOUT_S: Final = 2.0
_GRACE_S: Final = 0.2
"""How long the others are waited for, after the first address of a region has answered."""
_SIDE_BY_SIDE: Final = 32
_TIMED_OUT: Final = "timed out"
_Address = tuple[str, int]


@dataclass(frozen=True)
class Reachable:
    """What became of connecting to every address behind a bootstrap list."""

    endpoints: tuple[str, ...]
    """Those of the list of which an address took a connection, in the list's order."""
    silent: bool
    """Whether an address of one of them neither took nor refused one: a client that comes to it waits."""
    why_not: str
    """What became of the others, in words."""


def reachable(bootstrap: str, timeout: float = TIMEOUT_S) -> Reachable:
    """Connect to all addresses at once; takes `timeout` seconds at most."""
    endpoints = tuple(bootstrap.split(","))
    deadline = time.monotonic() + timeout
    pool = ThreadPoolExecutor(max_workers=_SIDE_BY_SIDE, thread_name_prefix="connect")
    lookups = {pool.submit(_addresses, endpoint): endpoint for endpoint in endpoints}
    connections: dict[Future[str | None], tuple[str, str]] = {}
    pending: set[Future[Any]] = set(lookups)
    errors: dict[tuple[str, str], str] = {}
    connected: set[str] = set()
    while pending and (seconds := deadline - time.monotonic()) > 0:
        finished, pending = wait(pending, timeout=seconds, return_when=FIRST_COMPLETED)
        for future in finished:
            if endpoint := lookups.get(future):
                try:
                    addresses = future.result()
                except OSError as error:
                    errors[endpoint, endpoint] = str(error)
                    continue
                for address in addresses:
                    connection = pool.submit(_connect, address, deadline)
                    connections[connection] = endpoint, address[0]
                    pending.add(connection)
            elif why := future.result():
                errors[connections[future]] = why
            else:
                connected.add(connections[future][0])
                deadline = min(deadline, time.monotonic() + _GRACE_S)
    pool.shutdown(wait=False, cancel_futures=True)
    silent = {connections.get(future, (lookups.get(future, ""), ""))[0] for future in pending}
    silent |= {endpoint for (endpoint, _), error in errors.items() if error == _TIMED_OUT}
    why_not = [f"{endpoint}: {error}" for (endpoint, _), error in errors.items() if endpoint not in connected]
    why_not += [f"{endpoint}: {_TIMED_OUT}" for endpoint in endpoints if endpoint in silent - connected]
    return Reachable(
        endpoints=tuple(endpoint for endpoint in endpoints if endpoint in connected),
        silent=bool(silent & connected),
        why_not="; ".join(dict.fromkeys(why_not)),
    )


def _addresses(endpoint: str) -> list[_Address]:
    host, _, port = endpoint.rpartition(":")
    resolved = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    return list(dict.fromkeys((str(address[0]), int(address[1])) for *_, address in resolved))


def _connect(address: _Address, deadline: float) -> str | None:
    """Why the address took no connection, or None."""
    try:
        with socket.create_connection(address, max(0.01, deadline - time.monotonic())):
            return None
    except TimeoutError:
        return _TIMED_OUT
    except OSError as error:
        return str(error)
