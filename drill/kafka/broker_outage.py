"""Some of a cluster's brokers are gone, or answer nothing, while the others work. Connections to those that are dead
end, and new ones, too; to frozen ones they stay, and nothing that is asked on them gets through until they thaw."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from drill.kafka.proxy import Reach, Route
from drill.network.admin_http import Reply, as_json
from drill.network.splice import Address


class BrokerOutage:
    """Which brokers of a cluster are out, and what becomes of connections to them."""

    def __init__(self, reach: Reach) -> None:
        """`reach`: how those are reached that are well."""
        self._reach = reach
        self._dead: frozenset[Address] = frozenset()
        self._frozen: frozenset[Address] = frozenset()
        self._changed = asyncio.Event()

    async def reach(self, broker: Address) -> socket.socket:
        """Connect once it is not frozen.

        Raises:
            OSError: it is dead, or as the way to those that are well does.
        """
        while True:
            while broker in self._frozen:
                await self._changed.wait()
            if broker in self._dead:
                raise ConnectionRefusedError(f"broker at {broker} is dead")
            connected = await self._reach(broker)
            if broker not in self._dead | self._frozen:
                return connected
            # It went out meanwhile; nobody has this connection in a list yet.
            connected.close()

    def change(self, route: Route, body: Any) -> Reply:
        """PUT: the ids of those that are `dead` and `frozen` from now on, where there are such. The bootstrap leads to
        one that is well, as that of a cluster does."""
        self._dead = frozenset(route.nodes[node] for node in body.get("dead", ()))
        self._frozen = frozenset(route.nodes[node] for node in body.get("frozen", ()))
        self._changed.set()
        self._changed = asyncio.Event()
        out = self._dead | self._frozen
        well = (address for _, address in sorted(route.nodes.items()) if address not in out)
        route.upstream = next(well, route.upstream)
        for connection, broker in list(route.connections.items()):
            if broker in self._dead:
                connection.end("server_closed")
            elif broker in self._frozen:
                connection.stop_reading()
            else:
                connection.go_on_reading()
        return as_json({})
