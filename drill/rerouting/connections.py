"""Clients' connections that are held while the world around them changes, and new ones."""

from __future__ import annotations

import socket
import time
from typing import Final, Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from drill.kafka.messages import metadata_request
from drill.network.splice import address_of

ANSWER_S: Final = 5.0
ENDS_WITHIN_S: Final = 15.0


class OpenConnections:
    """Connections through the client bootstrap, each of which had an answer.

    Raises:
        OSError: if one can't be made, or has none.
    """

    def __init__(self, bootstrap: str, count: int) -> None:
        address = address_of(bootstrap)
        self._sockets = [socket.create_connection(address, ANSWER_S) for _ in range(count)]
        self.ask()
        for connection in self._sockets:
            if not connection.recv(4096):
                raise ConnectionResetError(f"a connection to {bootstrap} was closed")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._sockets:
            connection.close()

    def ask(self) -> None:
        """Send a request on each; whether it is answered is another matter."""
        for connection in self._sockets:
            connection.sendall(metadata_request(1))

    def fate(self) -> str:
        """How many of them have ended, or do so soon."""
        deadline = time.monotonic() + ENDS_WITHIN_S
        ended = sum(_ends(connection, deadline) for connection in self._sockets)
        return f"{ended} of {len(self._sockets)} stale connections ended"


def _ends(connection: socket.socket, deadline: float) -> bool:
    connection.settimeout(max(0.05, deadline - time.monotonic()))
    try:
        return not connection.recv(4096)
    except TimeoutError:
        return False
    except OSError:
        return True


def led_to(bootstrap: str, sites: dict[str, str], count: int) -> str:
    """Where so many new clients are led to. `sites`: each one's cluster id."""
    sites_reached = [_site(bootstrap, sites) for _ in range(count)]
    return ", ".join(
        f"{sites_reached.count(site)} of {count} new ones led to {site}" for site in sorted(set(sites_reached))
    )


def _site(bootstrap: str, sites: dict[str, str]) -> str:
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    try:
        cluster = admin.list_topics(timeout=ANSWER_S).cluster_id
    except KafkaException:
        return "nowhere"
    return next((site for site, cluster_id in sites.items() if cluster_id == cluster), "nowhere")
