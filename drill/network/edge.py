"""The edge: what a client's resolver and network do together. Clients bootstrap to its loopback port; for each new
connection it resolves the client hostname anew and goes to the load balancer the answer names. A connection that is
there already stays where it is, as it does with real DNS."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import dns.asyncquery
import dns.exception
import dns.message
import dns.rdatatype
from pydantic import BaseModel, Field

from drill.network.splice import splice
from drill.ports import LOOPBACK, free_ports
from drill.process import announce, configuration, exit_with_parent

COALESCED_S: Final = 0.05
ASKED_S: Final = 2.0


class EdgeConfig(BaseModel):
    """What the process is told. `targets`: the first port of each load balancer, by its DNS name."""

    hostname: str
    dns: str
    listen_ports: int = Field(ge=1)
    targets: dict[str, int]
    fixed_port: int = 0


class Resolver:
    """Asks the DNS server where a name leads; connections within 50 ms share an answer."""

    def __init__(self, hostname: str, server: str) -> None:
        self._question = dns.message.make_query(hostname, "CNAME")
        host, _, port = server.partition(":")
        self._host, self._port = host, int(port)
        self._answer: tuple[float, str | None] = (0.0, None)
        self._asking = asyncio.Lock()

    async def target(self) -> str | None:
        """The name the hostname leads to, lower case without its last dot, or None."""
        async with self._asking:
            at, target = self._answer
            if time.monotonic() - at > COALESCED_S:
                target = await self._ask()
                self._answer = (time.monotonic(), target)
            return target

    async def _ask(self) -> str | None:
        try:
            answer = await dns.asyncquery.udp(self._question, self._host, timeout=ASKED_S, port=self._port)
        except (dns.exception.DNSException, OSError):
            return None
        for found in answer.answer:
            if found.rdtype == dns.rdatatype.CNAME:
                return str(next(iter(found)).target).rstrip(".").lower()
        return None


async def run(config: EdgeConfig) -> None:
    """Listen and serve."""
    resolver = Resolver(config.hostname, config.dns)
    targets = {name.rstrip(".").lower(): port for name, port in config.targets.items()}
    first = config.fixed_port or free_ports(config.listen_ports)
    servers = []
    for listener in range(config.listen_ports):

        async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, listener: int = listener) -> None:
            port = targets.get(await resolver.target() or "")
            if port is None:
                writer.transport.abort()
            else:
                await splice(reader, writer, (LOOPBACK, port + listener))

        servers.append(await asyncio.start_server(carry, LOOPBACK, first + listener, backlog=512))
    announce({"port": first})
    await asyncio.gather(*(server.serve_forever() for server in servers))


def main() -> None:
    config = configuration(EdgeConfig)
    exit_with_parent()
    asyncio.run(run(config))


if __name__ == "__main__":
    main()
