"""A network load balancer: one listener a port, each with a target group; round robin over the registered targets.

Connection termination is on: when a target is deregistered, its connections are closed.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

from pydantic import BaseModel, Field

from drill.admin_http import as_json, serve
from drill.network.splice import splice
from drill.ports import LOOPBACK, free_ports
from drill.process import announce, configuration, exit_with_parent


class BalancerConfig(BaseModel):
    """What the process is told."""

    site: str
    listen_ports: int = Field(ge=1)


class Balancer:
    """Targets and the connections to each."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._targets: list[tuple[int, ...]] = []
        self._connections: dict[tuple[int, ...], set[asyncio.Task[None]]] = {}
        self._turn = itertools.count()

    async def serve(self, listener: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one client of a listener to a target, or close it if there is none."""
        targets = [target for target in self._targets if listener < len(target)]
        if not targets:
            writer.transport.abort()
            return
        target = targets[next(self._turn) % len(targets)]
        task = asyncio.current_task()
        assert task is not None
        carried = self._connections.setdefault(target, set())
        carried.add(task)
        try:
            await splice(reader, writer, (LOOPBACK, target[listener]))
        finally:
            carried.discard(task)

    def put_targets(self, body: Any) -> tuple[int, str, bytes]:
        """PUT: the whole set of targets, each a list of ports in the listeners' order."""
        targets = [tuple(int(port) for port in target) for target in body["targets"]]
        self._loop.call_soon_threadsafe(self._replace, targets)
        return as_json({"targets": targets})

    def show(self, _: Any) -> tuple[int, str, bytes]:
        """GET: the set."""
        return as_json({"targets": self._targets})

    def _replace(self, targets: list[tuple[int, ...]]) -> None:
        gone = set(self._targets) - set(targets)
        self._targets = targets
        for target in gone:
            for task in self._connections.pop(target, set()):
                task.cancel()


async def run(config: BalancerConfig) -> None:
    """Listen and serve."""
    balancer = Balancer(asyncio.get_running_loop())
    first = free_ports(config.listen_ports)
    servers = []
    for listener in range(config.listen_ports):

        async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, listener: int = listener) -> None:
            await balancer.serve(listener, reader, writer)

        servers.append(await asyncio.start_server(carry, LOOPBACK, first + listener, backlog=512))
    admin = serve({("PUT", "/targets"): balancer.put_targets, ("GET", "/targets"): balancer.show})
    announce({"port": first, "admin": f"http://{LOOPBACK}:{admin}"})
    await asyncio.gather(*(server.serve_forever() for server in servers))


def main() -> None:
    config = configuration(BalancerConfig)
    exit_with_parent()
    asyncio.run(run(config))


if __name__ == "__main__":
    main()
