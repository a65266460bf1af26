"""Looks at Kafka over sockets that block nobody: what is asked, of which address, and over which connection."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import Producer

from failover.aws.secrets import ApiKey
from failover.detection.network import Network
from failover.errors import KafkaUnauthorized, KafkaUnavailable, UnknownProtocol
from failover.kafka import metadata
from failover.kafka.looks import FRESH_EVERY
from failover.kafka.names import Names
from tests.failover.sasl_broker import SaslBroker

NOBODY = "127.0.0.1:9"
TOPICS = 200


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[str, str]]:
    """The id and the address of a broker with many topics."""
    mock = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "mock", "log_level": 0})
    described = mock.list_topics(timeout=5)
    (broker,) = described.brokers.values()
    for number in range(TOPICS):
        mock.list_topics(f"topic-{number}", timeout=5)
    yield str(described.cluster_id), f"{broker.host}:{broker.port}"


@pytest.fixture
def network() -> Iterator[Network]:
    with closing(Network()) as network:
        yield network


class Front:
    """Passes connections on to a broker, and notes them; those of `drops` are closed as soon as they are taken."""

    def __init__(self, behind: str, drops: int = 0) -> None:
        self.connections: list[socket.socket] = []
        self.answered_bytes = 0
        self._drops = drops
        host, _, port = behind.rpartition(":")
        self._behind = host, int(port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.bootstrap = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def end_connections(self) -> None:
        """As a broker that is restarted."""
        for connection in self.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.end_connections()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections.append(client)
                if len(self.connections) <= self._drops:
                    client.close()
                    continue
                broker = socket.create_connection(self._behind)
                threading.Thread(target=self._pass_on, args=(client, broker), daemon=True).start()
                threading.Thread(target=self._pass_on, args=(broker, client), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65_536):
                self.answered_bytes += len(data) * (other in self.connections)
                other.sendall(data)
            other.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def front(cluster: tuple[str, str]) -> Iterator[Callable[..., Front]]:
    """Makes fronts of the cluster."""
    with ExitStack() as stack:
        yield lambda **how: stack.enter_context(closing(Front(cluster[1], **how)))


def ask(network: Network, bootstrap: str, seconds: float = 3.0, key: ApiKey | None = None) -> str:
    protocol = "SASL_PLAINTEXT" if key else "PLAINTEXT"
    return network.run(network.cluster_id(bootstrap, protocol, key, time.monotonic() + seconds))


def test_a_look_asks_for_no_topics_however_many_there_are(
    network: Network, cluster: tuple[str, str], front: Callable[..., Front]
) -> None:
    broker = front()
    assert ask(network, broker.bootstrap) == cluster[0]
    assert broker.answered_bytes < 2_000, f"{TOPICS} topics have more"


def test_a_connection_serves_some_looks_and_then_a_new_one_is_tried(
    network: Network, cluster: tuple[str, str], front: Callable[..., Front]
) -> None:
    broker = front()
    for _ in range(FRESH_EVERY):
        assert ask(network, broker.bootstrap) == cluster[0]
    assert len(broker.connections) == 1
    assert ask(network, broker.bootstrap) == cluster[0]
    assert len(broker.connections) == 2


def test_a_connection_that_ended_meanwhile_is_no_loss(
    network: Network, cluster: tuple[str, str], front: Callable[..., Front]
) -> None:
    broker = front()
    assert ask(network, broker.bootstrap) == cluster[0]
    broker.end_connections()
    assert ask(network, broker.bootstrap) == cluster[0]
    assert len(broker.connections) == 2


def test_a_connection_that_is_dropped_at_first_is_tried_again(
    network: Network, cluster: tuple[str, str], front: Callable[..., Front]
) -> None:
    broker = front(drops=2)
    assert ask(network, broker.bootstrap) == cluster[0]
    assert len(broker.connections) == 3


def test_nobody_there_is_told_at_once_and_of_each_address(network: Network) -> None:
    began = time.monotonic()
    with pytest.raises(KafkaUnavailable, match=r"127\.0\.0\.1:9: Connection refused; nobody\.invalid:9: "):
        ask(network, f"{NOBODY},nobody.invalid:9", seconds=30.0)
    assert time.monotonic() - began < 20, "nothing is waited for"
    with pytest.raises(KafkaUnavailable, match=r"nobody\.invalid:9: .*; 127\.0\.0\.1:9: Connection refused"):
        ask(network, f"nobody.invalid:9,{NOBODY}", seconds=30.0)


def test_who_answers_after_a_silent_address_is_asked_beside_it(
    network: Network, cluster: tuple[str, str], front: Callable[..., Front]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        at = f"127.0.0.1:{silent.getsockname()[1]}"
        assert ask(network, f"{at},{NOBODY},{front().bootstrap}") == cluster[0]
        with pytest.raises(KafkaUnavailable, match=f"{at}: timed out"):
            ask(network, at, seconds=0.2)


def test_a_login_goes_before_and_is_not_repeated_over_the_same_connection(
    network: Network, cluster: tuple[str, str]
) -> None:
    broker = SaslBroker(cluster[1], lambda mechanism, said: said == b"\0KEY\0s3cr3t")
    with closing(broker):
        for _ in range(3):
            assert ask(network, broker.bootstrap, key=ApiKey("KEY", "s3cr3t")) == cluster[0]
        assert broker.said == [("PLAIN", b"\0KEY\0s3cr3t")]
        with pytest.raises(KafkaUnauthorized, match="key of this very cluster") as refused:
            ask(network, broker.bootstrap, key=ApiKey("KEY", "wr0ng"))
        assert "wr0ng" not in str(refused.value)


def test_nobody_logs_in_where_the_protocol_has_no_login(network: Network, cluster: tuple[str, str]) -> None:
    deadline = time.monotonic() + 3.0
    assert network.run(network.cluster_id(cluster[1], "PLAINTEXT", ApiKey("KEY", "s3cr3t"), deadline)) == cluster[0]
    broker = SaslBroker(cluster[1], lambda mechanism, said: True)
    with closing(broker):
        network.run(network.cluster_id(broker.bootstrap, "PLAINTEXT", ApiKey("KEY", "s3cr3t"), deadline))
        assert broker.said == []


def _broker_of(*answers: bytes | None) -> tuple[socket.socket, str]:
    """A broker that gives these answers on each connection; None: it ends the connection."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                with client, suppress(OSError):
                    for answer in answers:
                        client.recv(4096)
                        if answer is None:
                            break
                        client.sendall(struct.pack(">ii", 4 + len(answer), 0) + answer)

    threading.Thread(target=serve, daemon=True).start()
    return listener, f"127.0.0.1:{listener.getsockname()[1]}"


def _speaks(oldest: int, newest: int) -> bytes:
    return struct.pack(">hihhh", 0, 1, metadata.METADATA, oldest, newest)


HANDSHAKE = struct.pack(">hih5s", 0, 1, 5, b"PLAIN")


@pytest.mark.parametrize(("oldest", "newest"), [(0, 1), (8, 13)])
def test_a_broker_of_another_age_is_there_and_can_not_be_asked(network: Network, oldest: int, newest: int) -> None:
    listener, at = _broker_of(_speaks(oldest, newest))
    with listener, pytest.raises(UnknownProtocol, match=f"in versions {oldest} to {newest}"):
        ask(network, at)


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ((_speaks(0, 7), struct.pack(">hih11s", 33, 1, 11, b"OAUTHBEARER")), "it takes OAUTHBEARER"),
        ((_speaks(0, 7), HANDSHAKE, struct.pack(">hh7si", 58, 7, b"no way!", 0)), "no way!"),
        ((_speaks(0, 7), HANDSHAKE, None), "it ended the connection"),
    ],
    ids=["another mechanism", "another password", "without a word"],
)
def test_every_way_to_refuse_credentials_is_cached(network: Network, answers: Any, why: str) -> None:
    listener, at = _broker_of(*answers)
    with listener, pytest.raises(KafkaUnauthorized, match=why):
        ask(network, at, key=ApiKey("KEY", "s3cr3t"))


@pytest.mark.parametrize(
    "answer",
    [b"", b"\0\0", b"\0\0\x7f\xff\xff\xff", struct.pack(">h", -1) * 3, b"HTTP/1.1 400 Bad Request\r\n\r\n"],
)
def test_rubbish_is_no_answer(network: Network, answer: bytes) -> None:
    listener, at = _broker_of(_speaks(2, 2), answer)
    with listener, pytest.raises(KafkaUnavailable):
        ask(network, at, seconds=0.5)


@pytest.mark.parametrize("version", range(metadata.OLDEST, metadata.NEWEST + 1))
def test_every_version_of_metadata_that_is_asked_for_is_read(
    network: Network, cluster: tuple[str, str], version: int
) -> None:
    async def asked() -> str:
        host, _, port = cluster[1].rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(metadata.metadata(version))
        size = int.from_bytes(await reader.readexactly(4), "big")
        answer = (await reader.readexactly(size))[4:]
        writer.close()
        return str(metadata.cluster_id(answer, version))

    assert network.run(asked()) == cluster[0]


def test_a_name_that_hangs_hangs_alone_and_is_cached_from_before(monkeypatch: pytest.MonkeyPatch) -> None:
    names, released, hangs = Names(), threading.Event(), set[str]()

    def look_up(host: str, port: int, **_: Any) -> list[Any]:
        if host in hangs:
            released.wait(30)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    async def ips(host: str) -> list[str]:
        return [address.ip for address in await names.addresses(f"{host}:9092")]

    async def main() -> None:
        assert await ips("east.example") == ["127.0.0.1"]
        hangs.update({"east.example", "gone.example"})
        monkeypatch.setattr("failover.kafka.names.CACHED_S", 0.0)
        gone = asyncio.ensure_future(ips("gone.example"))
        assert await ips("east.example") == ["127.0.0.1"]
        assert await ips("west.example") == ["127.0.0.1"]
        assert not gone.done()
        gone.cancel()
        names.close()

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    try:
        asyncio.run(main())
    finally:
        released.set()


def test_each_endpoint_of_rest_is_asked_over_connections_of_its_own(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client of httpx looks at all of its connections for every request, however many there are."""
    clients: dict[str, set[int]] = {}

    class Cluster:
        def __init__(self, endpoint: str) -> None:
            self.endpoint = endpoint

        async def look(self, client: Any) -> str:
            clients.setdefault(self.endpoint, set()).add(id(client))
            return "lkc"

    monkeypatch.setattr(
        "failover.detection.network.cluster_at", lambda plan, _: Cluster(plan.site("").kafka.rest_endpoint)
    )
    for _ in range(2):
        for number in range(3):
            kafka = SimpleNamespace(rest_endpoint=f"https://pkc-{number}.example.com")
            plan: Any = SimpleNamespace(site=lambda _, kafka=kafka: SimpleNamespace(kafka=kafka))
            assert network.run(network.rest_cluster_id(plan, "east")) == "lkc"
    assert len(clients) == 3 and all(len(own) == 1 for own in clients.values())
    assert len(set.union(*clients.values())) == 3
