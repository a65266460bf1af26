"""The addresses behind a bootstrap list: which of them take a connection now.

A name has an address a zone, and a list a name a broker. One of them may be silent while clients work through the
others, so all are tried side by side, and the first that answers speaks for the site.
"""

from __future__ import annotations

import functools
import socket
import ssl
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Final

from failover.kafka.client import SHORT_SETUP_TIMEOUT_MS, Settings

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


def reachable(bootstrap: str, timeout: float = TIMEOUT_S, *, tls: bool = False) -> Reachable:
    """Connect to all addresses at once, and with `tls` end a handshake; takes `timeout` seconds at most. Whose
    certificate it is does not matter here: that somebody is there does."""
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
                    connection = pool.submit(_connect, endpoint, address, deadline, tls)
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


def connectable(bootstrap: str, timeout: float = TIMEOUT_S, tls: bool = False) -> str | None:
    """None if one of the addresses takes a connection within `timeout` seconds, otherwise why none does."""
    outcome = reachable(bootstrap, timeout, tls=tls)
    return None if outcome.endpoints else outcome.why_not


def narrowed(chosen: Settings, addresses: Reachable) -> Settings:
    """The settings for those endpoints alone; where one of their addresses is silent, with less patience for it."""
    less_patience = {"socket.connection.setup.timeout.ms": SHORT_SETUP_TIMEOUT_MS} if addresses.silent else {}
    return {**chosen, "bootstrap.servers": ",".join(addresses.endpoints), **less_patience}


def _addresses(endpoint: str) -> list[_Address]:
    host, _, port = endpoint.rpartition(":")
    resolved = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    return list(dict.fromkeys((str(address[0]), int(address[1])) for *_, address in resolved))


def _connect(endpoint: str, address: _Address, deadline: float, tls: bool) -> str | None:
    """Why the address took no connection, or None."""
    try:
        with socket.create_connection(address, max(0.01, deadline - time.monotonic())) as connection:
            if tls:
                connection.settimeout(max(0.01, deadline - time.monotonic()))
                host = endpoint.rpartition(":")[0].strip("[]")
                _any_certificate().wrap_socket(connection, server_hostname=host).close()
    except TimeoutError:
        return _TIMED_OUT
    except OSError as error:
        if isinstance(error, ssl.SSLError) and "ALERT" in str(error.reason):
            return None
        return str(error)
    return None


@functools.cache
def _any_certificate() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
