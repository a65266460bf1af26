"""Where the drill's processes listen; free ports, contiguous where Kafka's port strategy needs them so."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import socket
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock

LOOPBACK = "127.0.0.1"
LOWEST = 20_000
HIGHEST = 32_000
RESERVED = range(HIGHEST, 32_700)
"""For ports that are chosen before who listens on them begins, so that none who takes any free port is in the way."""
_RESERVING = Lock()
_OWN: set[int] = set()
"""The ports that this process has reserved: its own locks do not hold it up."""
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
    """The first of `count` contiguous ports of those that nobody takes by chance, for who listens on them later. They
    are this process's until it ends, or releases them.

    Raises:
        NoPortsFree: if there is no such run.
    """
    with _RESERVING:
        for first in RESERVED[: 1 - count or None]:
            ports = range(first, first + count)
            if _OWN.isdisjoint(ports) and _locked(ports):
                if _are_free(first, count, host):
                    _OWN.update(ports)
                    return first
                _unlock(ports)
    raise NoPortsFree(f"no {count} contiguous ports are free on {host}")


def release_ports(first: int, count: int) -> None:
    """Leave to others what was reserved."""
    ports = range(first, first + count)
    with _RESERVING:
        _OWN.difference_update(ports)
        _unlock(ports)


@cache
def _locks() -> int:
    """The file of which a byte is locked for each port that is reserved. A lock ends with its process, and not before:
    a gateway's becomes a JVM, which listens seconds later."""
    file = Path(tempfile.gettempdir()) / f"kafka-failover-drill-{os.getuid()}.ports"
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    os.set_inheritable(descriptor, True)
    return descriptor


def _locked(ports: range) -> bool:
    try:
        fcntl.lockf(_locks(), fcntl.LOCK_EX | fcntl.LOCK_NB, len(ports), ports.start)
    except OSError:
        return False
    return True


def _unlock(ports: range) -> None:
    fcntl.lockf(_locks(), fcntl.LOCK_UN, len(ports), ports.start)


def _are_free(first: int, count: int, host: str) -> bool:
    with contextlib.ExitStack() as listeners:
        try:
            for port in range(first, first + count):
                listeners.enter_context(socket.socket()).bind((host, port))
        except OSError:
            return False
    return True
