"""Sockets and DNS: who takes a connection, and what name servers answer."""

from __future__ import annotations

import functools
import http.client
import socket
import ssl
from collections.abc import Callable
from typing import Any, Final

import dns.message
import dns.name
import dns.query
import dns.resolver
import dns.rrset

from simulation.calls import Door
from simulation.scheduler import Scheduler
from simulation.sites import Sites

METRICS_PORT: Final = 9190
_REFUSED_S: Final = 0.005
_DOOR: Final = Door(
    throttled=lambda: ConnectionResetError("reset"),
    unreached=lambda: TimeoutError("timed out"),
    unanswered=lambda: TimeoutError("timed out"),
)


class _Connection:
    """One that is taken: nobody sends anything over it."""

    def __enter__(self) -> _Connection:
        return self

    def __exit__(self, *_: object) -> None: ...

    def settimeout(self, seconds: float) -> None:
        """None."""

    def close(self) -> None:
        """Nothing to end."""


class Network:
    """Sockets and DNS over the world. `make`: of `Calls`."""

    def __init__(self, scheduler: Scheduler, sites: Sites, make: Callable[..., Any]) -> None:
        self._clock = scheduler
        self._sites = sites
        self._make = make
        self.names = {sites.hostname}
        """Whatever name servers answer the hostname's target for."""

    def connect(self, host: str, port: int, timeout: float) -> _Connection:
        """Connect to an address.

        Raises:
            OSError: as the socket would.
        """
        if port == METRICS_PORT:
            raise ConnectionRefusedError("the simulated gateways tell no metrics")
        if not self._sites.takes_connections(host):
            site = self._sites.door(host)
            if site in self._sites.sites and self._sites.sites[site].silent:
                self._clock.sleep(timeout)
                raise TimeoutError("timed out")
            self._clock.sleep(_REFUSED_S)
            raise ConnectionRefusedError("connection refused")
        connection: _Connection = self._make("tcp", host, _Connection, _DOOR)
        return connection

    def ask(self, question: dns.message.Message) -> dns.message.Message:
        """What a name server answers."""

        def answer() -> dns.message.Message:
            response = dns.message.make_response(question)
            name = question.question[0].name
            if str(name).rstrip(".") in self.names:
                response.answer.append(_cname(name, f"{self._sites.answer}."))
            return response

        response: dns.message.Message = self._make("dns", "query", answer, _DOOR)
        return response


@functools.cache
def _cname(name: dns.name.Name, target: str) -> dns.rrset.RRset:
    return dns.rrset.from_text(name, 5, "IN", "CNAME", target)


def install(network: Callable[[], Network]) -> None:
    """Have the network of now answer for the machine's."""
    sockets: Any = socket
    sockets.create_connection = lambda address, timeout=2.0, *_, **__: network().connect(
        address[0], address[1], timeout
    )
    sockets.getaddrinfo = lambda host, port, *_, **__: [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (str(host), int(port)))
    ]
    contexts: Any = ssl.SSLContext
    contexts.wrap_socket = lambda self, connection, **_: connection
    connections: Any = http.client.HTTPConnection
    connections.request = _refuse
    queries: Any = dns.query
    queries.udp = lambda question, where, timeout=1.0, port=53, **_: network().ask(question)
    resolver: Any = dns.resolver
    resolver.resolve = lambda name, kind="A", **_: ["192.0.2.1"]


def _refuse(*_: Any, **__: Any) -> None:
    raise ConnectionRefusedError("the simulated gateways tell no metrics")
