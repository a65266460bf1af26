"""A Kafka cluster of the drill: librdkafka's mock cluster, and a guard in front that refuses writes to mirror topics.

A mirror topic is read-only until it is STOPPED; a real broker answers a write with INVALID_REQUEST, which no client
retries. The link writes to the mock cluster itself, round the guard.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import sys
from collections import defaultdict
from typing import Any, Final

from confluent_kafka import Producer
from kio.schema.errors import ErrorCode
from pydantic import BaseModel, Field

from drill.kafka.codec import read_request
from drill.kafka.connection import Answered, Open, Verdict
from drill.kafka.login import Login
from drill.kafka.membership import Membership
from drill.kafka.messages import PRODUCE
from drill.kafka.proxy import Enter, Node, Route, from_table, serve
from drill.kafka.refusal import refusal
from drill.network import admin_http, tls
from drill.network.admin_http import Reply, as_json
from drill.network.listeners import listen_on, port_of
from drill.network.splice import Address, Bytes, connect
from drill.ports import LOOPBACK, Host
from drill.process import announce, configuration, exit_with_parent

TURN_S: Final = 0.003


class Certificate(BaseModel):
    """Files in PEM: the chain that is shown, and its key."""

    chain: str
    key: str


class ClusterConfig(BaseModel):
    """What the process is told. `logins`: the passwords of its users, who then must log in with SASL/PLAIN."""

    site: str
    brokers: int = Field(default=3, ge=1)
    tls: Certificate | None = None
    logins: dict[str, str] = {}
    host: Host = Host()


class ReadOnlyTopic(ConnectionError):
    """A write to a mirror topic that awaits no answer; a broker closes the connection."""


class Guard(Open):
    """What a real cluster refuses and the mock does not: writes to mirror topics, and strangers in a group."""

    def __init__(self) -> None:
        self.read_only: frozenset[str] = frozenset()
        self._members = Membership()

    def wants(self, api_key: int) -> bool:
        """Whether a request must be looked at."""
        return (api_key == PRODUCE and bool(self.read_only)) or self._members.wants(api_key)

    def request(self, api_key: int, version: int, frame: Bytes) -> Verdict:
        """Refuse a write to a mirror topic, or a member of another cluster's group.

        Raises:
            ReadOnlyTopic: if the writer awaits no answer.
        """
        request = read_request(api_key, version, frame)
        if api_key != PRODUCE:
            stranger = self._members.is_stranger(api_key, request)
            return Answered(refusal(api_key, version, frame, ErrorCode.unknown_member_id)) if stranger else None
        refused = self.read_only.intersection(topic.name for topic in request.topic_data)
        if not refused:
            return None
        if request.acks == 0:
            raise ReadOnlyTopic(f"a write with acks=0 to the mirror {', '.join(sorted(refused))}")
        return Answered(refusal(api_key, version, frame, ErrorCode.invalid_request))

    def replace(self, body: Any) -> Reply:
        """PUT: the whole set."""
        topics = body["topics"]
        if not isinstance(topics, list) or not all(isinstance(topic, str) for topic in topics):
            raise ValueError(f'"topics" must be a list of names, not {topics!r}')
        self.read_only = frozenset(topics)
        return self.show(None)

    def show(self, _: Any) -> Reply:
        """GET: the set."""
        return as_json({"topics": sorted(self.read_only)})


class Turns:
    """Connections to the mock's brokers, one after the other. Their listeners let five wait; who comes when more do is
    turned away by the operating system, and tries again after a second."""

    def __init__(self) -> None:
        self._turns: defaultdict[Address, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def reach(self, broker: Address) -> socket.socket:
        """Connect when it is this one's turn.

        Raises:
            OSError: as `connect` does.
        """
        async with self._turns[broker]:
            await asyncio.sleep(TURN_S)
            return await connect(broker)


def _secured(certificate: Certificate) -> Enter:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain, certificate.key)
    server = tls.Server(context)

    async def enter(client: socket.socket, node: Node) -> tuple[socket.socket, Node]:
        return (await server.accept(client))[0], node

    return enter


async def run(config: ClusterConfig) -> None:
    """Start the cluster, then its guard, and serve until the process ends."""
    mock = Producer({"test.mock.num.brokers": config.brokers, "bootstrap.servers": "mock", "log_level": 3})
    metadata = mock.list_topics(timeout=10)
    nodes = {broker.id: (broker.host, broker.port) for broker in metadata.brokers.values()}
    host = config.host.advertised
    bootstrap, *brokers = listen_on(1 + len(nodes), config.host.listen)
    advertised = {node: (host, port_of(port)) for node, port in zip(sorted(nodes), brokers, strict=True)}
    guard = Guard()
    route = Route(upstream=nodes[min(nodes)], advertise=from_table(advertised), reach=Turns().reach, nodes=dict(nodes))
    route.gate = (lambda: Login(config.logins, guard)) if config.logins else (lambda: guard)
    if config.tls is not None:
        route.enter = _secured(config.tls)
    admin = await admin_http.serve(
        {("PUT", "/read-only-topics"): guard.replace, ("GET", "/read-only-topics"): guard.show}
    )
    announce(
        {
            "bootstrap": f"{host}:{port_of(bootstrap)}",
            "raw_bootstrap": ",".join(f"{broker}:{port}" for broker, port in nodes.values()),
            "cluster_id": metadata.cluster_id,
            "admin": f"http://{LOOPBACK}:{admin}",
        }
    )
    nodes_served = (serve(route, port, node) for node, port in zip(sorted(nodes), brokers, strict=True))
    await asyncio.gather(serve(route, bootstrap, None), *nodes_served)


def main() -> None:
    config = configuration(ClusterConfig)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    exit_with_parent()
    asyncio.run(run(config))


if __name__ == "__main__":
    main()
