"""A network load balancer: one listener a port, each with a target group; round robin over the registered targets.

With connection termination on, a target's connections are closed when it is deregistered; those that a listener has led
to a target stay when it is made to lead elsewhere. A target that refuses a connection is passed over, as an unhealthy
one is.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
import sys
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, Field

from drill.network import admin_http
from drill.network.admin_http import Reply, Routes, as_json
from drill.network.listeners import listen_on, port_of
from drill.network.splice import Splice, accept, connect
from drill.ports import LOOPBACK, Host
from drill.process import announce, configuration, exit_with_parent

Target = tuple[int, ...]
"""The ports of one instance, in the listeners' order."""


class BalancerConfig(BaseModel):
    """What the process is told."""

    site: str
    listen_ports: int = Field(ge=1)
    connection_termination: bool = True
    port: int = 0
    admin_port: int = 0
    """Where it listens first of all, and is told its targets; 0: wherever there is room."""
    host: Host = Host()


class Balancer:
    """Targets, and the connections to each."""

    def __init__(self, connection_termination: bool, targets_at: str) -> None:
        self._terminates = connection_termination
        self._targets_at = targets_at
        self._groups: dict[str, list[Target]] = {}
        self._leads_to: list[str | None] = []
        self._spliced: dict[Target, set[Splice]] = {}
        self._turns: dict[int, Iterator[int]] = {}

    async def serve(self, listener: int, client: socket.socket) -> None:
        """Carry one client of a listener to a target; without one that answers, it is closed."""
        for target in self._in_turn(listener):
            try:
                upstream = await connect((self._targets_at, target[listener]))
            except OSError:
                continue
            if target not in self._registered():  # deregistered while it was connected to
                upstream.close()
                continue
            splice = Splice(client, upstream)
            spliced = self._spliced.setdefault(target, set())
            spliced.add(splice)
            try:
                await splice.run()
            finally:
                spliced.discard(splice)
            return

    def put_targets(self, body: Any) -> Reply:
        """PUT: the whole set of targets, each a list of ports in the listeners' order. Or several such sets by name as
        `groups`, and `leads_to`: the name of the set that each listener leads to, or null."""
        before = self._registered()
        groups = body["groups"] if "groups" in body else {"": body["targets"]}
        self._groups = {name: [tuple(map(int, target)) for target in targets] for name, targets in groups.items()}
        self._leads_to = list(body.get("leads_to") or [])
        for gone in before - self._registered():
            for splice in self._spliced.pop(gone, set()) if self._terminates else ():
                splice.end()
        return self.show(None)

    def show(self, _: Any) -> Reply:
        """GET: all of them, and where the listeners lead if there are several sets."""
        targets = [target for group in self._groups.values() for target in group]
        return as_json({"targets": targets} | ({"leads_to": self._leads_to} if self._leads_to else {}))

    def _registered(self) -> set[Target]:
        return {target for targets in self._groups.values() for target in targets}

    def _in_turn(self, listener: int) -> list[Target]:
        """The targets that a listener leads to, another one first each time."""
        led_to = self._leads_to[listener] if listener < len(self._leads_to) else next(iter(self._groups), None)
        group = [target for target in self._groups.get(led_to or "", []) if listener < len(target)]
        if not group:
            return []
        first = next(self._turns.setdefault(listener, itertools.count())) % len(group)
        return group[first:] + group[:first]


async def run(config: BalancerConfig) -> None:
    """Listen and serve."""
    balancer = Balancer(config.connection_termination, config.host.listen)
    listeners = listen_on(config.listen_ports, config.host.listen, config.port)
    handlers: Routes = {("PUT", "/targets"): balancer.put_targets, ("GET", "/targets"): balancer.show}
    admin = await admin_http.serve(handlers, port=config.admin_port)
    announce({"port": port_of(listeners[0]), "admin": f"http://{LOOPBACK}:{admin}"})

    async def serve(index: int) -> None:
        await accept(listeners[index], lambda client: balancer.serve(index, client))

    await asyncio.gather(*map(serve, range(len(listeners))))


def main() -> None:
    config = configuration(BalancerConfig)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    exit_with_parent()
    asyncio.run(run(config))


if __name__ == "__main__":
    main()
