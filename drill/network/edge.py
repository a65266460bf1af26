"""The edge: what a client's resolver and network do together. Clients bootstrap to its port; for each new
connection it resolves the client hostname and goes to the load balancer the answer names. An answer is kept for its
TTL, as a host's resolver keeps it, or for as long as a JVM does. A connection that is there already stays where it is,
as it does with real DNS."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
import time
from typing import Final, Literal

import dns.asyncquery
import dns.exception
import dns.message
import dns.name
import dns.rdatatype
from pydantic import BaseModel, Field

from drill.network.listeners import listen_on, port_of
from drill.network.splice import Splice, accept, address_of, connect
from drill.ports import Host
from drill.process import announce, configuration, exit_with_parent

LOG = logging.getLogger(__name__)
COALESCED_S: Final = 0.05
JVM_S: Final = 30.0
"""A JVM's default, whatever the TTL: networkaddress.cache.ttl
(https://docs.oracle.com/en/java/javase/21/core/java-networking.html)."""
TRY_S: Final = 0.5
TRIES: Final = 3


ResolverKind = Literal["host", "jvm"]


class EdgeConfig(BaseModel):
    """What the process is told. `targets`: the first port of each load balancer, by its DNS name."""

    hostname: str
    dns: str
    listen_ports: int = Field(ge=1)
    targets: dict[str, int]
    resolver: ResolverKind = "host"
    fixed_port: int = 0
    host: Host = Host()


class Resolver:
    """Asks the DNS server where a name leads, and keeps the answer; connections within 50 ms share one in any case."""

    def __init__(self, hostname: str, server: str, kind: ResolverKind = "host") -> None:
        self._hostname = dns.name.from_text(hostname)
        self._host, self._port = address_of(server)
        self._answer: str | None = None
        self._expires = 0.0
        self._kind = kind
        self._asking = asyncio.Lock()

    async def target(self) -> str | None:
        """The name at the end of the hostname's CNAME chain, lower case without its last dot; None if no answer."""
        async with self._asking:
            if time.monotonic() >= self._expires:
                self._answer, keep_s = await self._ask()
                self._expires = time.monotonic() + max(COALESCED_S, keep_s)
            return self._answer

    async def _ask(self) -> tuple[str | None, float]:
        """The answer, and for how many seconds it may be kept; no answer is not kept."""
        question = dns.message.make_query(self._hostname, dns.rdatatype.A)
        for _ in range(TRIES):
            try:
                answer, _ = await dns.asyncquery.udp_with_fallback(
                    question, self._host, timeout=TRY_S, port=self._port, ignore_unexpected=True
                )
            except (dns.exception.DNSException, OSError) as error:
                LOG.warning("no answer for %s: %s: %s", self._hostname, type(error).__name__, error)
            else:
                keep_s = JVM_S if self._kind == "jvm" else min((records.ttl for records in answer.answer), default=0)
                return plain(str(end_of_chain(answer, self._hostname))), keep_s
        return None, 0.0


def end_of_chain(answer: dns.message.Message, name: dns.name.Name) -> dns.name.Name:
    """The last target of the CNAMEs that lead on from a name; the name itself if it has none."""
    leads = {
        records.name: next(iter(records)).target for records in answer.answer if records.rdtype == dns.rdatatype.CNAME
    }
    for _ in range(len(leads)):  # a chain that runs in circles ends, too
        name = leads.get(name, name)
    return name


def plain(name: str) -> str:
    """A DNS name without its last dot, in lower case."""
    return name.rstrip(".").lower()


async def run(config: EdgeConfig) -> None:
    """Listen and serve."""
    resolver = Resolver(config.hostname, config.dns, config.resolver)
    targets = {plain(name): port for name, port in config.targets.items()}
    listeners = listen_on(config.listen_ports, config.host.listen, first=config.fixed_port)

    async def carry(index: int, client: socket.socket) -> None:
        port = targets.get(await resolver.target() or "")
        if port is not None:
            await Splice(client, await connect((config.host.listen, port + index))).run()

    async def serve(index: int) -> None:
        await accept(listeners[index], lambda client: carry(index, client))

    announce({"port": port_of(listeners[0])})
    await asyncio.gather(*map(serve, range(len(listeners))))


def main() -> None:
    config = configuration(EdgeConfig)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    exit_with_parent()
    asyncio.run(run(config))


if __name__ == "__main__":
    main()
