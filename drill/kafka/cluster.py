"""A Kafka cluster of the drill: librdkafka's mock cluster, and a guard in front that refuses writes to mirror topics.

A mirror topic is read-only until it is STOPPED; a real broker answers a write with INVALID_REQUEST, which no client
retries. The link writes to the mock cluster itself, round the guard. Where topics are truncated, another mock takes its
place: see `renewal`. By option the cluster is Apache Kafka, which refuses such writes itself, and keeps its log when it
is killed: see `tail_truncation` for how that is truncated.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

from kio.schema.errors import ErrorCode
from pydantic import BaseModel, Field

from drill.engines import kafka
from drill.kafka.api_versions import at_most
from drill.kafka.broker_outage import BrokerOutage
from drill.kafka.codec import read_request
from drill.kafka.connection import Answered, Open, Verdict
from drill.kafka.epochs import RaisedEpochs
from drill.kafka.login import Login
from drill.kafka.membership import Membership
from drill.kafka.messages import (
    API_VERSIONS,
    HEARTBEAT,
    INIT_PRODUCER_ID,
    JOIN_GROUP,
    LEAVE_GROUP,
    PRODUCE,
    SYNC_GROUP,
)
from drill.kafka.producer_ids import ProducerIds
from drill.kafka.proxy import Enter, Node, Reach, Route, from_table, serve
from drill.kafka.refusal import refusal
from drill.kafka.renewal import ClusterName, Mock, start_mock, truncated
from drill.kafka.tail_truncation import truncate_tails
from drill.kafka.transactions import TO_COORDINATOR, with_invalid_mapping
from drill.network import admin_http, tls
from drill.network.admin_http import Handler, Reply, as_json
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
    truncation: bool = False
    """Whether topics can be truncated: then the raw brokers are behind a proxy, too."""
    epochs_above: int = Field(default=0, ge=0)
    """How much higher the leader epochs are that it tells clients than the mock's own."""
    engine: Literal["mock", "apache"] = "mock"
    directory: Path | None = None
    """Of a real engine's files; where they are there already, the cluster goes on with what it holds."""
    port: int = 0
    admin_port: int = 0
    """Where a real engine's proxy listens first of all, and is told what to do; 0: wherever there is room."""


READ_BY_MOCK: Final = {JOIN_GROUP: 5, HEARTBEAT: 3, LEAVE_GROUP: 1, SYNC_GROUP: 3}
"""The newest version of a request that librdkafka's mock reads, by api key, where it tells of newer ones."""


class ReadOnlyTopic(ConnectionError):
    """A write to a mirror topic that awaits no answer; a broker closes the connection."""


class Guard(Open):
    """What a real cluster refuses and the mock does not: writes to mirror topics, strangers in a group, a producer that
    a partition takes for another. Versions that the mock tells of, and then can't read, are not told: librdkafka never
    uses them, other clients do."""

    sees = frozenset({API_VERSIONS}) | TO_COORDINATOR

    def __init__(self) -> None:
        self.read_only: frozenset[str] = frozenset()
        self._members = Membership()
        self._producers = ProducerIds()

    def forget_clients(self) -> None:
        """The cluster is a new one: whoever was a member is none there, and no partition knows a producer."""
        self._members = Membership()
        self._producers.forget()

    def show_groups(self, _: Any) -> Reply:
        """GET: the groups that have members."""
        return as_json({"active": self._members.active_groups()})

    def wants(self, api_key: int) -> bool:
        """Whether a request must be looked at."""
        return api_key in (PRODUCE, INIT_PRODUCER_ID) or self._members.wants(api_key)

    def request(self, api_key: int, version: int, frame: Bytes) -> Verdict:
        """Refuse a write to a mirror topic, one out of order, or a member of another cluster's group; hand out an id.

        Raises:
            ReadOnlyTopic: if the writer awaits no answer.
        """
        request = read_request(api_key, version, frame)
        if api_key == INIT_PRODUCER_ID:
            return self._producers.verdict(version, frame, request)
        error = self._refusal_of_write(request) if api_key == PRODUCE else self._members.refusal_of(api_key, request)
        return None if error is None else Answered(refusal(api_key, version, frame, error))

    def _refusal_of_write(self, request: Any) -> ErrorCode | None:
        refused = self.read_only.intersection(topic.name for topic in request.topic_data)
        if refused and request.acks == 0:
            raise ReadOnlyTopic(f"a write with acks=0 to the mirror {', '.join(sorted(refused))}")
        return ErrorCode.invalid_request if refused else self._producers.refusal_of(request)

    def response(self, api_key: int, version: int, frame: Bytes) -> Bytes:
        """What the mock can do, and what it says to strangers among transactional producers."""
        if api_key in TO_COORDINATOR:
            return with_invalid_mapping(api_key, version, frame)
        return at_most(version, frame, READ_BY_MOCK)

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


class Denials(Open):
    """The same list, held by the broker's own authorizer; what else is refused is the broker's affair, too."""

    def __init__(self, engine: kafka.ApacheKafka) -> None:
        self._engine = engine
        self.read_only: frozenset[str] = frozenset()

    async def replace(self, body: Any) -> Reply:
        """PUT: the whole set."""
        topics = frozenset(body["topics"])
        changes = topics - self.read_only, self.read_only - topics
        await asyncio.to_thread(self._engine.deny_writes, changes[0], allow=changes[1])
        self.read_only = topics
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


class Truncation:
    """Replaces the mock of a cluster by one without what is cut off."""

    def __init__(self, mock: Mock, guard: Guard, routes: Sequence[Route]) -> None:
        self._mock = mock
        self._guard = guard
        self._routes = routes

    async def truncate(self, body: Any) -> Reply:
        """PUT: by topic, the offset before which a partition's records are kept. All connections end."""
        self._mock = await asyncio.to_thread(truncated, self._mock, body["kept"])
        self._guard.forget_clients()
        for route in self._routes:
            route.nodes = dict(self._mock.nodes)
            route.upstream = self._mock.nodes[min(self._mock.nodes)]
            for connection in list(route.connections):
                connection.end("truncated")
        return as_json({})


async def run_apache(config: ClusterConfig, directory: Path) -> None:
    """Start Apache Kafka, then the proxy that clients come through, and serve until the process ends."""
    engine = kafka.start(directory)
    denials, host = Denials(engine), config.host.advertised
    route, listeners = _route(engine.nodes, config.host, engine.reach, config.port)
    route.gate = (lambda: Login(config.logins, denials)) if config.logins else (lambda: denials)
    if config.tls is not None:
        route.enter = _secured(config.tls)

    async def keep_records(body: Any) -> Reply:
        await asyncio.to_thread(truncate_tails, engine.broker.admin, engine.broker.bootstrap, body["kept"])
        return as_json({})

    handlers: dict[tuple[str, str], Handler] = {
        ("PUT", "/read-only-topics"): denials.replace,
        ("GET", "/read-only-topics"): denials.show,
        ("PUT", "/kept-records"): keep_records,
    }
    admin = await admin_http.serve(handlers, port=config.admin_port)
    announce(
        {
            "bootstrap": f"{host}:{port_of(listeners[0])}",
            "raw_bootstrap": engine.broker.bootstrap,
            "cluster_id": engine.broker.cluster_id,
            "admin": f"http://{LOOPBACK}:{admin}",
            "engine_pids": [engine.broker.pid],
        }
    )
    nodes: Sequence[Node] = (None, *sorted(engine.nodes))
    await asyncio.gather(*(serve(route, port, node) for node, port in zip(nodes, listeners, strict=True)))


async def run(config: ClusterConfig) -> None:
    """Start the cluster, then its guard, and serve until the process ends."""
    mock, guard, host = start_mock(config.brokers), Guard(), config.host.advertised
    reach = Turns().reach
    outage = BrokerOutage(reach)
    route, listeners = _route(mock.nodes, config.host, outage.reach)
    inner = RaisedEpochs(guard, config.epochs_above) if config.epochs_above else guard
    route.gate = (lambda: Login(config.logins, inner)) if config.logins else (lambda: inner)
    if config.tls is not None:
        route.enter = _secured(config.tls)
    served, raw = [(route, listeners)], mock.bootstrap
    handlers: dict[tuple[str, str], Handler] = {
        ("PUT", "/read-only-topics"): guard.replace,
        ("GET", "/read-only-topics"): guard.show,
        ("GET", "/groups"): guard.show_groups,
        ("PUT", "/brokers"): partial(outage.change, route),
    }
    if config.truncation:
        raw_route, raw_listeners = _route(mock.nodes, Host(), reach)
        served.append((raw_route, raw_listeners))
        raw = ",".join(f"{LOOPBACK}:{port_of(listener)}" for listener in raw_listeners[1:])
        route.gate = lambda: ClusterName(mock.cluster_id, inner)
        raw_route.gate = lambda: ClusterName(mock.cluster_id, Open())
        handlers["PUT", "/kept-records"] = Truncation(mock, guard, (route, raw_route)).truncate
    admin = await admin_http.serve(handlers)
    announce(
        {
            "bootstrap": f"{host}:{port_of(listeners[0])}",
            "raw_bootstrap": raw,
            "cluster_id": mock.cluster_id,
            "admin": f"http://{LOOPBACK}:{admin}",
        }
    )
    nodes: Sequence[Node] = (None, *sorted(mock.nodes))
    await asyncio.gather(
        *(serve(gate, port, node) for gate, ports in served for node, port in zip(nodes, ports, strict=True))
    )


def _route(
    brokers: Mapping[int, Address], host: Host, reach: Reach, first_port: int = 0
) -> tuple[Route, list[socket.socket]]:
    """A proxy's route to the cluster, and its listeners: of the bootstrap, and of each node in order."""
    listeners = listen_on(1 + len(brokers), host.listen, first_port)
    ports = zip(sorted(brokers), listeners[1:], strict=True)
    advertised = {node: (host.advertised, port_of(port)) for node, port in ports}
    upstream = brokers[min(brokers)]
    route = Route(upstream=upstream, advertise=from_table(advertised), reach=reach, nodes=dict(brokers))
    return route, listeners


def main() -> None:
    config = configuration(ClusterConfig)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    exit_with_parent()
    if config.engine == "apache" and config.directory is not None:
        asyncio.run(run_apache(config, config.directory))
    else:
        asyncio.run(run(config))


if __name__ == "__main__":
    main()
