"""How a route's clients tell its nodes apart: by a port each, or by a host name each, which TLS names (SNI).

Ports: the bootstrap on the endpoint's, then one a node id, in their order and without gaps. Names: all on one port.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from drill.gateway.config import BadGatewayConfig, KafkaCluster, RouteConfig, address
from drill.kafka.proxy import Advertise, Node, from_table
from drill.network.splice import Address

NODE_ID = "$(nodeId)"


@dataclass(frozen=True)
class Nodes:
    """`ports`: what each listening port stands for, the bootstrap's (None) first. `names`: with the strategy `host`."""

    ports: tuple[Node, ...]
    advertise: Advertise
    names: Names | None = None


@dataclass(frozen=True)
class Names:
    """The names of a route's endpoint and of its nodes: `pattern` with a node's id in it, in any case."""

    bootstrap: str
    pattern: str
    port: int

    def address(self, node: int) -> Address:
        """Where clients reach a node."""
        return self.pattern.replace(NODE_ID, str(node)), self.port

    def is_served(self, name: str | None) -> bool:
        """Whether clients are led anywhere by it; a client that gives none is not."""
        return name is not None and (name.lower() == self.bootstrap.lower() or self._match(name) is not None)

    def node(self, name: str | None) -> Node:
        """Which node a known name is of; None for the endpoint's."""
        match = self._match(name or "")
        return int(match["node"]) if match else None

    def _match(self, name: str) -> re.Match[str] | None:
        before, _, after = self.pattern.partition(NODE_ID)
        return re.fullmatch(rf"{re.escape(before)}(?P<node>\d{{1,10}}){re.escape(after)}", name, re.IGNORECASE)


def nodes_of(config: RouteConfig, cluster: KafkaCluster) -> Nodes:
    """The nodes of a route.

    Raises:
        BadGatewayConfig: for names without TLS.
    """
    host, first = address(config.endpoint)
    if config.strategy.type == "port":
        ids = cluster.node_ids()
        table = {node: (host, first + 1 + index) for index, node in enumerate(ids)}
        return Nodes((None, *ids), from_table(table))
    if config.security.ssl is None or config.security.ssl.keystore is None:
        raise BadGatewayConfig(
            f"route {config.name!r}: strategy 'host' needs TLS; give security.ssl.keystore, or use the strategy 'port'"
        )
    pattern, colon, port = (config.strategy.pattern or "").partition(":")
    names = Names(host, pattern, int(port) if colon else first)
    return Nodes((None,), names.address, names)
