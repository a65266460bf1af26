"""Real Kafka clients through a gateway, a load balancer before it and a guarded cluster behind it."""

from __future__ import annotations

import hashlib
import json
import random
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, Message, Producer
from kio.index import load_response_schema
from kio.schema.errors import ErrorCode
from kio.serial import entity_reader

from drill.engines import kroxylicious
from drill.engines.jars import EngineMissing
from drill.kafka.codec import response_to
from drill.kafka.messages import API_VERSIONS, FETCH, PRODUCE, framed
from drill.kafka.refusal import _filled, _item
from tests.drill.gateway.clients import consumer, read
from tests.patience import eventually

STAND_IN = "drill.gateway.instance"
REQUEST = {
    PRODUCE: b"\0\xff\xff" + bytes(4) + b"\1\0",  # no transaction, acks all, no time, no topics
    FETCH: bytes(21) + b"\1\1\1\0",  # nothing to wait for, no session, no topics, none forgotten, no rack
}

pytestmark = pytest.mark.slow


@pytest.fixture(params=["stand-in", pytest.param("kroxylicious", marks=pytest.mark.exhaustive)])
def container(request: pytest.FixtureRequest) -> str:
    """The stand-in, and the engine itself where it can be had."""
    if request.param == "stand-in":
        return STAND_IN
    try:
        kroxylicious.prepare()
    except EngineMissing as error:
        pytest.skip(str(error))
    return "drill.gateway.kroxylicious"


@pytest.fixture
def way(parts: Any, config: Any) -> Callable[..., Any]:
    """A balancer that leads through a gateway to a cluster: (cluster, gateway, balancer, bootstrap)."""

    def make(**settings: Any) -> Any:
        cluster, balancer = parts.cluster(), parts.balancer()
        bootstrap = f"127.0.0.1:{balancer.ready['port']}"
        gateway = parts.gateway(config(bootstrap, cluster.ready["bootstrap"], **settings))
        parts.put_targets(balancer, [parts.target(gateway)])
        return cluster, gateway, balancer, bootstrap

    return make


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_bytes_arrive_unchanged(way: Any, protocol: str) -> None:
    """Key, value and headers of records of every size, through both directions of the gateway."""
    *_, bootstrap = way()
    noise = random.Random(7)
    sizes = [0, 1, 1_000, 300_000, 700_000, *(noise.randrange(60_000) for _ in range(60))]
    records: list[tuple[bytes, bytes, list[tuple[str, str | bytes | None]]]] = [
        (b"%d" % n, noise.randbytes(size), [("h", noise.randbytes(9))]) for n, size in enumerate(sizes)
    ]
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "log_level": 0})
    for key, value, headers in records:
        producer.produce("orders", value, key, partition=len(value) % 4, headers=headers)
    assert producer.flush(30) == 0
    kafka = consumer(bootstrap, **{"group.protocol": protocol})
    kafka.subscribe(["orders"])
    got = read(kafka, len(records))
    kafka.close()

    def digest(rows: list[tuple[bytes, bytes, Any]]) -> str:
        return hashlib.sha256(repr(sorted(rows)).encode()).hexdigest()

    assert digest([(m.key(), m.value() or b"", m.headers()) for m in got]) == digest(records)  # type: ignore[misc]


def test_transactions_commit_and_abort(way: Any) -> None:
    *_, bootstrap = way()
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": "t", "log_level": 0})
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce("orders", b"kept")
    producer.commit_transaction(20)
    kafka = consumer(bootstrap, **{"isolation.level": "read_committed"})
    kafka.subscribe(["orders"])
    assert [message.value() for message in read(kafka, 1)] == [b"kept"]
    kafka.close()


def test_clients_see_the_routes_endpoint_and_the_clusters_id(way: Any) -> None:
    cluster, gateway, balancer, bootstrap = way()
    metadata = Producer({"bootstrap.servers": bootstrap, "log_level": 0}).list_topics(timeout=20)
    first = balancer.ready["port"]
    assert {node: (b.host, b.port) for node, b in metadata.brokers.items()} == {
        node: ("127.0.0.1", first + node) for node in (1, 2, 3)
    }
    assert metadata.cluster_id == cluster.ready["cluster_id"]
    assert gateway.ready["routes"]["orders"] != first


def test_clients_go_on_when_the_route_moves_to_another_cluster(parts: Any, config: Any) -> None:
    """Cluster 1 is killed, the gateway restarted towards cluster 2: no error for a producer or a consumer."""
    one, two, balancer = parts.cluster(), parts.cluster(), parts.balancer()
    bootstrap = f"127.0.0.1:{balancer.ready['port']}"
    gateway = parts.gateway(config(bootstrap, one.ready["bootstrap"]))
    parts.put_targets(balancer, [parts.target(gateway)])
    acknowledged: list[bytes] = []
    failures: list[Any] = []
    consumed: set[bytes] = set()
    over = threading.Event()

    def delivered(error: KafkaError | None, message: Message) -> None:
        failures.append(error) if error else acknowledged.append(message.value() or b"")

    def produce() -> None:
        settings = {"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 5, "log_level": 0}
        producer = Producer({**settings, "error_cb": lambda e: failures.append(e) if e.fatal() else None})
        number = 0
        while not over.is_set():
            producer.produce("orders", b"%d" % number, on_delivery=delivered)
            producer.poll(0.005)
            number += 1
        producer.flush(30)

    def consume() -> None:
        kafka = consumer(bootstrap, **{"session.timeout.ms": 6000})
        kafka.subscribe(["orders"])
        while not over.is_set():
            message = kafka.poll(0.1)
            if message is not None and message.error() is None:
                consumed.add(message.value() or b"")
        kafka.close()

    threads = [threading.Thread(target=each, daemon=True) for each in (produce, consume)]
    for each in threads:
        each.start()
    eventually(lambda: len(consumed) > 100)
    one.kill()
    gateway.kill()
    parts.put_targets(balancer, [])
    before = len(acknowledged)
    time.sleep(1)
    again = parts.gateway(config(bootstrap, two.ready["bootstrap"]))
    parts.put_targets(balancer, [parts.target(again)])
    eventually(lambda: len(acknowledged) > before + 200, 60)
    eventually(lambda: consumed & set(acknowledged[before + 100 :]), 60)
    over.set()
    for each in threads:
        each.join(40)
    assert failures == []
    metadata = Producer({"bootstrap.servers": bootstrap, "log_level": 0}).list_topics(timeout=20)
    assert metadata.cluster_id == two.ready["cluster_id"] != one.ready["cluster_id"]


def test_a_fence_makes_a_producer_wait_not_fail(parts: Any, config: Any) -> None:
    """Also a producer that is connected already, and has records under way, when the fence comes."""
    cluster, balancer = parts.cluster(), parts.balancer()
    bootstrap = f"127.0.0.1:{balancer.ready['port']}"
    open_ = parts.gateway(config(bootstrap, cluster.ready["bootstrap"]))
    fenced = parts.gateway(config(bootstrap, cluster.ready["bootstrap"], fence=True))
    outcomes: list[KafkaError | None] = []
    settings = {"bootstrap.servers": bootstrap, "enable.idempotence": True, "log_level": 0}
    producer = Producer({**settings, "error_cb": lambda e: outcomes.append(e) if e.fatal() else None})

    def write() -> None:
        producer.produce("orders", b"x", on_delivery=lambda error, _: outcomes.append(error))

    parts.put_targets(balancer, [parts.target(open_)])
    write()
    assert producer.flush(20) == 0 and outcomes == [None]
    parts.put_targets(balancer, [parts.target(fenced)])
    write()
    assert producer.flush(4) == 1
    assert outcomes == [None]
    late = Producer(settings)  # one that begins behind the fence
    late.produce("orders", b"late", on_delivery=lambda error, _: outcomes.append(error))
    assert late.flush(2) == 1
    parts.put_targets(balancer, [parts.target(open_)])
    assert producer.flush(30) == 0 and late.flush(30) == 0
    assert outcomes == [None, None, None]


def test_a_dead_upstream_closes_clients_connections(way: Any, parts: Any) -> None:
    cluster, gateway, *_ = way()
    asked = framed(struct.pack(">hhih", API_VERSIONS, 0, 7, 2) + b"me")
    with socket.create_connection(("127.0.0.1", gateway.ready["routes"]["orders"]), 30) as client:
        client.sendall(asked)
        size, correlation = struct.unpack(">ii", client.recv(8, socket.MSG_WAITALL))
        assert correlation == 7 and len(client.recv(size - 4, socket.MSG_WAITALL)) == size - 4
        cluster.kill()
        with suppress(ConnectionResetError):
            assert client.recv(1) == b""
    parts.admin(gateway, "/livez")  # it is 200 whatever the upstream does


def test_a_node_outside_the_ranges_breaks_the_route(way: Any) -> None:
    _, gateway, _, bootstrap = way(nodes=(1, 2))
    with pytest.raises(KafkaException):
        Producer({"bootstrap.servers": bootstrap, "log_level": 0}).list_topics(timeout=3)
    assert "Cannot generate node address for node id 3" in gateway.log.read_text()


def test_any_instance_knows_the_nodes(parts: Any, config: Any) -> None:
    """A client's connection to a node may reach an instance that has never seen metadata."""
    cluster, balancer = parts.cluster(), parts.balancer()
    bootstrap = f"127.0.0.1:{balancer.ready['port']}"
    gateways = [parts.gateway(config(bootstrap, cluster.ready["bootstrap"])) for _ in range(2)]
    bootstrap_only, nodes_only = map(parts.target, gateways)
    parts.put_targets(balancer, [[bootstrap_only[0], *nodes_only[1:]]])
    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0})
    outcomes: list[KafkaError | None] = []
    producer.produce("orders", b"x", on_delivery=lambda error, _: outcomes.append(error))
    assert producer.flush(20) == 0
    assert outcomes == [None]


def test_the_admin_server_tells_configuration_and_state(way: Any, parts: Any) -> None:
    if parts.container != STAND_IN:
        pytest.skip("Kroxylicious has no /config, and this version tells no state of a virtual cluster")
    _, gateway, *_ = way()
    told = json.loads(parts.admin(gateway, "/config"))
    assert told["configId"] is None and told["appliedAt"]
    metrics = parts.admin(gateway, "/metrics")
    assert 'kroxylicious_virtual_cluster_state{virtual_cluster="orders",state="serving"} 1.0' in metrics
    assert 'kroxylicious_virtual_cluster_state{virtual_cluster="orders",state="failed"} 0.0' in metrics
    assert "kroxylicious_proxy_to_server_active_connections" in metrics


@pytest.mark.parametrize("api_key", [PRODUCE, FETCH])
def test_brokers_in_the_answer_to_a_write_or_read_are_the_routes(parts: Any, config: Any, api_key: int) -> None:
    """A leader that moved (KIP-951). The mock moves none, so a broker is played that answers so."""
    schema = load_response_schema(api_key, 16 if api_key == FETCH else 10)
    node = _filled(_item(schema, "node_endpoints"), ErrorCode.none, node_id=3, host="b3.example.com", port=9)
    message = _filled(schema, ErrorCode.none, responses=(), node_endpoints=(node,))
    asked = framed(struct.pack(">hhih", api_key, schema.__version__, 7, 2) + b"me\0" + REQUEST[api_key])
    with socket.create_server(("127.0.0.1", 0)) as broker:
        gateway = parts.gateway(config("gw.example.com:9092", f"127.0.0.1:{broker.getsockname()[1]}"))
        with socket.create_connection(("127.0.0.1", gateway.ready["routes"]["orders"]), 10) as client:
            client.sendall(asked)
            broker.settimeout(60)
            upstream, _ = broker.accept()
            with upstream:
                request = upstream.recv(len(asked), socket.MSG_WAITALL)
                assert (request[:8], request[12:]) == (asked[:8], asked[12:]), "but for its correlation id"
                upstream.sendall(response_to(request, schema, message))
                answer = client.recv(65_536)
    read: Callable[..., Any] = entity_reader(schema)
    told, _ = read(answer, 9)
    assert [(each.node_id, each.host, each.port) for each in told.node_endpoints] == [(3, "gw.example.com", 9095)]
