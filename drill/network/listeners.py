"""Listening sockets on contiguous ports, as Kafka's port strategy needs them: the bootstrap, then one a broker.

The sockets are bound here and handed on, so that no other process can take a port between finding and using it.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable
from typing import Final

from drill.ports import HIGHEST, LOOPBACK, LOWEST, NoPortsFree

TRIES: Final = 200
BACKLOG: Final = 512


def listen_on(count: int, host: str = LOOPBACK, first: int = 0) -> list[socket.socket]:
    """`count` listening sockets on contiguous ports from `first` on, or wherever there is room if `first` is 0.

    Raises:
        NoPortsFree: if those ports are taken, or no room was found.
    """
    if first:
        return _bound(count, host, first)
    for _ in range(TRIES):
        try:
            return _bound(count, host, random.randrange(LOWEST, HIGHEST - count))
        except NoPortsFree:
            continue
    raise NoPortsFree(f"no {count} contiguous ports are free on {host}, in {TRIES} tries; end what holds so many")


def listen_on_all(addresses: Iterable[str], port: int = 0) -> list[socket.socket]:
    """A listening socket on each of these addresses, all on one port: this one, or any that is free on all if it is 0.

    Raises:
        NoPortsFree: if there is none.
    """
    different = list(dict.fromkeys(addresses))
    for _ in range(1 if port else TRIES):
        bound: list[socket.socket] = []
        try:
            for address in different:
                chosen = port_of(bound[0]) if bound else port
                bound.append(socket.create_server((address, chosen), backlog=BACKLOG))
        except OSError:
            for listener in bound:
                listener.close()
        else:
            return bound
    raise NoPortsFree(f"no port is free on {' and '.join(different)}")


def port_of(listener: socket.socket) -> int:
    """The port a socket is bound to."""
    return int(listener.getsockname()[1])


def _bound(count: int, host: str, first: int) -> list[socket.socket]:
    bound: list[socket.socket] = []
    try:
        for port in range(first, first + count):
            listener = socket.socket()
            bound.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
            listener.listen(BACKLOG)
            listener.setblocking(False)
    except OSError as error:
        for listener in bound:
            listener.close()
        raise NoPortsFree(f"can't listen on {host}, ports {first} to {first + count - 1}: {error}") from None
    return bound
