"""A gateway that reloads in place: what changes, how clients are drained, and what is refused or ignored."""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from confluent_kafka import KafkaException, Producer

from drill.kafka.messages import metadata_request
from drill.ports import free_ports
from drill.process import ChildFailed
from tests.drill.gateway.clients import consumer, read
from tests.patience import eventually

pytestmark = pytest.mark.slow
CANNOT_BE_ANSWERED = struct.pack(">ihhih", 10, 3, 1, 7, -1)


@pytest.fixture
def watched(parts: Any, config: Callable[..., dict[str, Any]], tmp_path: Path) -> Callable[..., Any]:
    """A gateway with two domains that watches its file: (gateway, apply), `apply` to change and replace the file."""

    def make(bootstraps: dict[str, str], licence: str = "enterprise", **settings: Any) -> Any:
        endpoint = parts.balancer().ready["port"]
        document = config(f"127.0.0.1:{endpoint}", "127.0.0.1:9")
        (domain,) = document["gateway"]["streamingDomains"]
        domains = []
        for name, bootstrap in bootstraps.items():
            server = {"id": f"{name}-kafka", "endpoint": bootstrap}
            cluster = domain["kafkaCluster"] | {"bootstrapServers": [server]}
            domains.append(domain | {"name": name, "kafkaCluster": cluster})
        document["gateway"]["streamingDomains"] = domains
        file = tmp_path / "gateway.yaml"

        def apply(config_id: str, target: str = "west", **more: Any) -> None:
            document["gateway"]["configId"] = config_id
            document["gateway"]["routes"][0] |= {
                "streamingDomain": {"name": target, "bootstrapServerId": f"{target}-kafka"},
                **more,
            }
            fresh = tmp_path / "fresh.yaml"
            fresh.write_text(yaml.safe_dump(document))
            fresh.replace(file)

        apply("first", "east")
        environment = {"GATEWAY_CONFIG_FILE": str(file), "GATEWAY_LICENSES": licence}
        started = parts.start("drill.gateway.instance", {"hot_reload": True, **settings}, environment)
        return started, apply

    return make


def config_id(parts: Any, gateway: Any) -> str:
    return str(json.loads(parts.admin(gateway, "/config"))["configId"])


def cluster_behind(gateway: Any) -> str:
    bootstrap = f"127.0.0.1:{gateway.ready['routes']['orders']}"
    return str(Producer({"bootstrap.servers": bootstrap, "log_level": 0}).list_topics(timeout=10).cluster_id)


def test_a_route_moves_in_place_and_idle_clients_are_drained_at_once(watched: Any, parts: Any) -> None:
    east, west = parts.cluster(), parts.cluster()
    gateway, apply = watched({"east": east.ready["bootstrap"], "west": west.ready["bootstrap"]})
    assert cluster_behind(gateway) == east.ready["cluster_id"]
    with socket.create_connection(("127.0.0.1", gateway.ready["routes"]["orders"])) as idle:
        time.sleep(0.2)
        apply("second")
        started = time.monotonic()
        assert idle.recv(1) == b""
        assert time.monotonic() - started < 5
    eventually(lambda: config_id(parts, gateway) == "second")
    assert cluster_behind(gateway) == west.ready["cluster_id"]
    metrics = parts.admin(gateway, "/metrics")
    assert 'kroxylicious_reconfigure_total{outcome="success"} 1' in metrics
    assert 'transitions_total{virtual_cluster="orders",from="serving",to="draining"} 1' in metrics
    assert 'kroxylicious_virtual_cluster_state{virtual_cluster="orders",state="serving"} 1' in metrics
    assert 'cause="drain_completed"} 1' in metrics


def test_a_client_whose_request_is_never_answered_is_closed_by_force(watched: Any, parts: Any) -> None:
    """A dead upstream: requests under way are never answered, so the whole drain is waited for."""
    west = parts.cluster()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        gateway, apply = watched(
            {"east": f"127.0.0.1:{silent.getsockname()[1]}", "west": west.ready["bootstrap"]}, drain_timeout_s=1.0
        )
        with socket.create_connection(("127.0.0.1", gateway.ready["routes"]["orders"])) as client:
            client.sendall(CANNOT_BE_ANSWERED)
            upstream, _ = silent.accept()
            upstream.recv(1)
            apply("second")
            started = time.monotonic()
            assert client.recv(1) == b""
            assert time.monotonic() - started > 0.8
            upstream.close()
    eventually(lambda: config_id(parts, gateway) == "second")
    assert 'cause="drain_timeout"} 1' in parts.admin(gateway, "/metrics")


def test_without_an_enterprise_licence_nothing_happens_and_nothing_is_said(watched: Any, parts: Any) -> None:
    gateway, apply = watched({"east": "127.0.0.1:9", "west": "127.0.0.1:9"}, licence="trial")
    apply("second")
    time.sleep(1)
    assert config_id(parts, gateway) == "first"
    assert gateway.log.read_text() == ""


def test_what_cannot_be_changed_in_place_is_rejected_and_not_counted(watched: Any, parts: Any) -> None:
    gateway, apply = watched({"east": "127.0.0.1:9", "west": "127.0.0.1:9"})
    apply("second", name="another")
    eventually(lambda: "reload rejected: routes were added or removed" in gateway.log.read_text())
    assert config_id(parts, gateway) == "first"
    assert "kroxylicious_reconfigure_total{" not in parts.admin(gateway, "/metrics")


def test_a_fence_is_a_reload_and_lifted_by_one(watched: Any, parts: Any) -> None:
    east = parts.cluster()
    gateway, apply = watched({"east": east.ready["bootstrap"], "west": "127.0.0.1:9"})
    outcomes: list[Any] = []
    bootstrap = f"127.0.0.1:{gateway.ready['routes']['orders']}"
    apply("fenced", "east", fence={"scope": "ALL", "errorCode": "BROKER_NOT_AVAILABLE"})
    eventually(lambda: config_id(parts, gateway) == "fenced")
    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0})
    producer.produce("orders", b"x", on_delivery=lambda error, _: outcomes.append(error))
    assert producer.flush(2) == 1
    apply("open", "east", fence=None)
    eventually(lambda: config_id(parts, gateway) == "open")
    assert cluster_behind(gateway) == east.ready["cluster_id"]


@pytest.mark.parametrize(("version", "known"), [("1.2.0", False), ("1.3.0", True)])
def test_config_is_served_from_1_3_on(parts: Any, config: Any, version: str, known: bool) -> None:
    environment = {"GATEWAY_CONFIG": yaml.safe_dump(config("127.0.0.1:9092", "127.0.0.1:9"))}
    gateway = parts.start("drill.gateway.instance", {"version": version}, environment)
    if known:
        assert config_id(parts, gateway) == "None"
    else:
        with pytest.raises(Exception, match="404"):
            parts.admin(gateway, "/config")


@pytest.fixture
def pair(parts: Any, config: Callable[..., dict[str, Any]], tmp_path: Path) -> Callable[..., Any]:
    """A gateway with the routes `orders` and `payments`, from port `first` and 10 ports further: (gateway, apply).

    `wide` has five nodes where the other domains have three.
    """

    def make(bootstraps: dict[str, str], first: int) -> Any:
        document = config(f"127.0.0.1:{first}", "127.0.0.1:9")
        gateway = document["gateway"]
        (domain,), (route,) = gateway["streamingDomains"], gateway["routes"]
        gateway["streamingDomains"] = []
        for name, bootstrap in bootstraps.items():
            cluster = dict(domain["kafkaCluster"]) | {"bootstrapServers": [{"id": "kafka", "endpoint": bootstrap}]}
            if name == "wide":
                cluster["nodeIdRanges"] = [{"name": "brokers", "start": 1, "end": 5}]
            gateway["streamingDomains"].append(domain | {"name": name, "kafkaCluster": cluster})
        first_domain = next(iter(bootstraps))
        gateway["routes"] = [
            route
            | {
                "name": name,
                "endpoint": f"127.0.0.1:{port}",
                "streamingDomain": {"name": first_domain, "bootstrapServerId": "kafka"},
            }
            for name, port in (("orders", first), ("payments", first + 10))
        ]
        file = tmp_path / "gateway.yaml"

        def apply(config_id: str, orders_to: str = first_domain) -> None:
            gateway["configId"] = config_id
            gateway["routes"][0]["streamingDomain"] = {"name": orders_to, "bootstrapServerId": "kafka"}
            fresh = tmp_path / "fresh.yaml"
            fresh.write_text(yaml.safe_dump(document))
            fresh.replace(file)

        apply("first")
        environment = {"GATEWAY_CONFIG_FILE": str(file), "GATEWAY_LICENSES": "enterprise"}
        settings = {"hot_reload": True, "own_ports": True, "drain_timeout_s": 1.0}
        return parts.start("drill.gateway.instance", settings, environment), apply

    return make


def test_a_route_moves_and_the_other_does_not_notice(parts: Any, pair: Any) -> None:
    east, west = parts.cluster(), parts.cluster()
    first = free_ports(14)
    gateway, apply = pair({"east": east.ready["bootstrap"], "west": west.ready["bootstrap"]}, first)
    with (
        socket.create_connection(("127.0.0.1", first + 10), 10) as stays,
        socket.create_connection(("127.0.0.1", first), 10) as moves,
    ):
        for client in (stays, moves):
            client.sendall(metadata_request(1))
            assert client.recv(65_536)
        apply("second", "west")
        assert moves.recv(1) == b""
        eventually(lambda: config_id(parts, gateway) == "second")
        stays.sendall(metadata_request(2))
        assert stays.recv(65_536)[4:8] == (2).to_bytes(4, "big")
    metrics = parts.admin(gateway, "/metrics")
    assert 'transitions_total{virtual_cluster="orders",from="serving",to="draining"} 1' in metrics
    assert 'transitions_total{virtual_cluster="payments",from="serving",to="draining"}' not in metrics


def test_a_route_that_has_no_room_for_more_nodes_fails_and_the_other_goes_on(parts: Any, pair: Any) -> None:
    """Ranges of another size change the set of ports: here one of the new ones is taken."""
    east, wide = parts.cluster(), parts.cluster()
    first = free_ports(14)
    with socket.create_server(("127.0.0.1", first + 5)):
        gateway, apply = pair({"east": east.ready["bootstrap"], "wide": wide.ready["bootstrap"]}, first)
        apply("second", "wide")
        failed = 'kroxylicious_virtual_cluster_state{virtual_cluster="orders",state="failed"} 1'
        eventually(lambda: failed in parts.admin(gateway, "/metrics"))
    metrics = parts.admin(gateway, "/metrics")
    assert 'kroxylicious_reconfigure_total{outcome="partial_failure"} 1' in metrics
    assert 'kroxylicious_virtual_cluster_state{virtual_cluster="payments",state="serving"} 1' in metrics
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", first), 5)
    bootstrap = f"127.0.0.1:{first + 10}"
    metadata = Producer({"bootstrap.servers": bootstrap, "log_level": 0}).list_topics(timeout=10)
    assert metadata.cluster_id == east.ready["cluster_id"]


def test_the_ports_of_a_wider_range_are_there_after_the_move(parts: Any, pair: Any) -> None:
    east, wide = parts.cluster(), parts.start("drill.kafka.cluster", {"site": "test", "brokers": 5})
    first = free_ports(14)
    gateway, apply = pair({"east": east.ready["bootstrap"], "wide": wide.ready["bootstrap"]}, first)
    apply("second", "wide")
    eventually(lambda: config_id(parts, gateway) == "second")
    metadata = Producer({"bootstrap.servers": f"127.0.0.1:{first}", "log_level": 0}).list_topics(timeout=10)
    assert {node: broker.port for node, broker in metadata.brokers.items()} == {n: first + n for n in range(1, 6)}


def test_routes_beyond_those_of_a_trial_need_a_licence(parts: Any, config: Any) -> None:
    document = config("127.0.0.1:9092", "127.0.0.1:9")
    (route,) = document["gateway"]["routes"]
    document["gateway"]["routes"] = [route | {"name": f"r{n}"} for n in range(5)]
    environment = {"GATEWAY_CONFIG": yaml.safe_dump(document)}
    with pytest.raises(ChildFailed, match="5 routes need a licence"):
        parts.start("drill.gateway.instance", {}, environment)
    licensed = parts.start("drill.gateway.instance", {}, environment | {"GATEWAY_LICENSES": "any"})
    assert len(licensed.ready["routes"]) == 5


def test_a_change_that_can_not_be_served_is_rejected_and_the_route_goes_on(watched: Any, parts: Any) -> None:
    east = parts.cluster()
    gateway, apply = watched({"east": east.ready["bootstrap"], "west": "127.0.0.1:9"})
    keystore = {"type": "PEM", "location": "/does/not/exist"}
    apply("second", security={"auth": "passthrough", "ssl": {"keystore": keystore}})
    eventually(lambda: "reload rejected: the keystore /does/not/exist can't be used" in gateway.log.read_text())
    assert config_id(parts, gateway) == "first"
    assert cluster_behind(gateway) == east.ready["cluster_id"]


def test_a_transaction_ends_with_its_cluster_and_the_next_one_is_as_good_as_any(pair: Any, parts: Any) -> None:
    """Transactions do not move: one that is open at a flip is lost, and said so; a producer that begins anew works."""
    east, west = parts.cluster(), parts.cluster()
    first = free_ports(14)
    gateway, apply = pair({"east": east.ready["bootstrap"], "west": west.ready["bootstrap"]}, first)
    bootstrap = f"127.0.0.1:{first}"
    settings = {"bootstrap.servers": bootstrap, "transactional.id": "t", "log_level": 0}
    producer = Producer(settings)
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce("orders", b"open")
    producer.flush(20)
    apply("second", "west")
    eventually(lambda: config_id(parts, gateway) == "second")
    with pytest.raises(KafkaException):
        producer.commit_transaction(10)
    again = Producer(settings)
    again.init_transactions(20)
    again.begin_transaction()
    again.produce("orders", b"done")
    again.commit_transaction(20)
    kafka = consumer(bootstrap, **{"isolation.level": "read_committed"})
    kafka.subscribe(["orders"])
    assert [message.value() for message in read(kafka, 1)] == [b"done"]
    kafka.close()
