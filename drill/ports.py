"""Free ports on the loopback, contiguous where Kafka's port strategy needs them so."""

from __future__ import annotations

import contextlib
import random
import socket

LOOPBACK = "127.0.0.1"


class NoPortsFree(OSError):
    """No run of free ports was found."""


def free_ports(count: int) -> int:
    """The first of `count` contiguous free ports on 127.0.0.1.

    Raises:
        NoPortsFree: after 200 tries.
    """
    for _ in range(200):
        first = random.randrange(20_000, 55_000)
        with contextlib.ExitStack() as held:
            try:
                for port in range(first, first + count):
                    held.enter_context(socket.socket()).bind((LOOPBACK, port))
            except OSError:
                continue
        return first
    raise NoPortsFree(f"no {count} contiguous ports are free on {LOOPBACK}")
