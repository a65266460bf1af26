"""Where the drill's processes listen; free ports, contiguous where Kafka's port strategy needs them so."""

from __future__ import annotations

import contextlib
import os
import random
import socket
from dataclasses import dataclass

LOOPBACK = "127.0.0.1"
LOWEST = 20_000
HIGHEST = 32_000
RESERVED = range(HIGHEST, 32_700)
"""For ports that are chosen before who listens on them begins, so that none who takes any free port is in the way."""
# From 32,768 on, Linux gives ports to outgoing connections; macOS from 49,152 on.


@dataclass(frozen=True)
class Host:
    """The host of what functions and clients call: loopback, unless others than this machine's processes do."""

    listen: str = LOOPBACK
    """The address that processes listen on."""
    advertised: str = LOOPBACK
    """The host that they, and the plan, tell others."""


HERE = Host()


class NoPortsFree(OSError):
    """No run of free ports was found."""


def free_ports(count: int, host: str = LOOPBACK) -> int:
    """The first of `count` contiguous free ports on a host's address, for who listens at once.

    Raises:
        NoPortsFree: after 200 tries.
    """
    for _ in range(200):
        first = random.randrange(LOWEST, HIGHEST - count)
        if _are_free(first, count, host):
            return first
    raise NoPortsFree(f"no {count} contiguous ports are free on {host}")


def reserved_ports(count: int, host: str = LOOPBACK) -> int:
    """The first of `count` contiguous ports of those that nobody takes by chance; each process begins elsewhere.

    Raises:
        NoPortsFree: if there is no such run.
    """
    runs = len(RESERVED) // count
    for turn in range(runs):
        first = RESERVED[(os.getpid() + turn) % runs * count]
        if _are_free(first, count, host):
            return first
    raise NoPortsFree(f"no {count} contiguous ports are free on {host}")


def _are_free(first: int, count: int, host: str) -> bool:
    with contextlib.ExitStack() as listeners:
        try:
            for port in range(first, first + count):
                listeners.enter_context(socket.socket()).bind((host, port))
        except OSError:
            return False
    return True
