"""A gateway with TLS: names tell the nodes apart, certificates are checked on both sides, real clients go through."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from confluent_kafka import KafkaError, KafkaException, Producer

from drill.gateway.config import BadGatewayConfig, parse
from drill.gateway.route import route_of
from drill.kafka.addresses import brokers_in
from drill.kafka.messages import metadata_request
from drill.network.certificate import certificate
from drill.ports import free_ports
from tests.drill.gateway.clients import consumer, produced, read

# Names that lead to 127.0.0.1 without DNS, and are no addresses to TLS: numbers in hexadecimal.
BOOTSTRAP, NODE_1 = "0x7f.1", "0x7f.0.0.1"
PATTERN = "0x7f.0.0.$(nodeId)"


@dataclass(frozen=True)
class Pki:
    """Files in PEM: the authority that clients trust, and a keystore it signed."""

    authority: Path
    keystore: Path
    chain: Path
    key: Path

    @property
    def clients(self) -> dict[str, Any]:
        return {"security.protocol": "SSL", "ssl.ca.location": str(self.authority)}


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    directory = tmp_path_factory.mktemp("pki")
    authority, chain, key = certificate(directory, BOOTSTRAP, NODE_1, "gw.example.com", "*.gw.example.com")
    files = Pki(directory / "authority.pem", directory / "keystore.pem", chain, key)
    files.authority.write_bytes(authority)
    files.keystore.write_bytes(key.read_bytes() + chain.read_bytes())
    return files


@pytest.fixture
def secured(config: Callable[..., dict[str, Any]], pki: Pki) -> Callable[..., dict[str, Any]]:
    """A configuration with TLS towards clients."""

    def make(endpoint: str, bootstrap: str, pattern: str | None = None, **ssl_: Any) -> dict[str, Any]:
        document = config(endpoint, bootstrap)
        (route,) = document["gateway"]["routes"]
        route["security"]["ssl"] = {"keystore": {"type": "PEM", "location": str(pki.keystore)}, **ssl_}
        if pattern:
            route["brokerIdentificationStrategy"] = {"type": "host", "pattern": pattern}
        return document

    return make


def start(parts: Any, document: dict[str, Any]) -> Any:
    """A gateway that listens where it says."""
    environment = {"GATEWAY_CONFIG": yaml.safe_dump(document)}
    return parts.start("drill.gateway.instance", {"own_ports": True}, environment)


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_clients_find_bootstrap_and_node_by_their_names_on_one_port(
    parts: Any, secured: Any, pki: Pki, protocol: str
) -> None:
    cluster = parts.start("drill.kafka.cluster", {"site": "test", "brokers": 1})
    port = free_ports(1)
    gateway = start(parts, secured(f"{BOOTSTRAP}:{port}", cluster.ready["bootstrap"], PATTERN))
    assert (gateway.ready["routes"]["orders"], gateway.ready["brokers"]["orders"]) == (port, [])
    bootstrap = f"{BOOTSTRAP}:{port}"
    metadata = Producer({"bootstrap.servers": bootstrap, "log_level": 0, **pki.clients}).list_topics(timeout=20)
    assert [(b.host, b.port) for b in metadata.brokers.values()] == [(NODE_1, port)]
    assert metadata.cluster_id == cluster.ready["cluster_id"]
    values = [b"x" * size for size in (0, 1, 20_000, 900_000)]
    assert produced(bootstrap, values, **pki.clients) == [None] * len(values)
    kafka = consumer(bootstrap, **pki.clients, **{"group.protocol": protocol})
    kafka.subscribe(["orders"])
    assert sorted(message.value() or b"" for message in read(kafka, len(values))) == values
    kafka.close()


@pytest.mark.slow
def test_each_name_leads_to_its_node_and_others_nowhere(parts: Any, secured: Any, pki: Pki) -> None:
    cluster = parts.cluster()
    document = secured("gw.example.com:9092", cluster.ready["bootstrap"], "broker-$(nodeId).gw.example.com:9192")
    gateway = parts.gateway(document)
    trusting = ssl.create_default_context(cafile=str(pki.authority))
    trusting.verify_flags &= ~ssl.VERIFY_X509_STRICT

    def asked(name: str | None) -> dict[int, tuple[str, int]] | None:
        """The brokers that are advertised to a client that comes with a name; None if it is hung up on."""
        address = ("127.0.0.1", gateway.ready["routes"]["orders"])
        trusting.check_hostname = name is not None
        with trusting.wrap_socket(socket.create_connection(address, 10), server_hostname=name) as client:
            client.sendall(metadata_request(7))
            answer = client.recv(4)
            if not answer:
                return None
            while len(answer) < 4 + int.from_bytes(answer[:4], "big"):
                answer += client.recv(65_536)
            return brokers_in(answer)

    advertised = {node: (f"broker-{node}.gw.example.com", 9192) for node in (1, 2, 3)}
    assert asked("gw.example.com") == advertised
    assert asked("broker-2.GW.example.com") == advertised
    fresh = parts.gateway(document)
    gateway = fresh
    assert asked("broker-2.gw.example.com") is None, "a node that is not known yet: learn, then close"
    assert asked("broker-2.gw.example.com") == advertised
    samples = parts.admin(gateway, "/metrics")
    assert 'client_to_proxy_connections_total{virtual_cluster="orders",node_id="2"} 2' in samples
    for wrong in ("broker-x.gw.example.com", "other.gw.example.com", None):
        with pytest.raises(ssl.SSLError):
            asked(wrong)
    assert 'client_to_proxy_errors_total{virtual_cluster="orders",node_id="bootstrap"} 3' in parts.admin(
        gateway, "/metrics"
    )


@pytest.mark.slow
def test_tls_on_both_sides_with_a_port_for_each_node(parts: Any, secured: Any, pki: Pki) -> None:
    cluster = parts.start(
        "drill.kafka.cluster", {"site": "test", "tls": {"chain": str(pki.chain), "key": str(pki.key)}}
    )
    first = free_ports(4)
    document = secured(f"127.0.0.1:{first}", f"SSL://{cluster.ready['bootstrap']}")
    (server,) = document["gateway"]["streamingDomains"][0]["kafkaCluster"]["bootstrapServers"]
    server["ssl"] = {"truststore": {"type": "PEM", "location": str(pki.authority)}}
    gateway = start(parts, document)
    values = [bytes([n]) * 400_000 for n in range(20)]
    assert produced(f"127.0.0.1:{first}", values, **pki.clients) == [None] * len(values)
    kafka = consumer(f"127.0.0.1:{first}", **pki.clients)
    kafka.subscribe(["orders"])
    assert sorted(message.value() or b"" for message in read(kafka, len(values))) == values
    kafka.close()
    distrustful = secured("127.0.0.1:9092", f"SSL://{cluster.ready['bootstrap']}")
    other = parts.gateway(distrustful)  # trusts what the system trusts
    with pytest.raises(KafkaException):
        bootstrap = f"127.0.0.1:{other.ready['routes']['orders']}"
        Producer({"bootstrap.servers": bootstrap, "log_level": 0, **pki.clients}).list_topics(timeout=2)
    assert 'proxy_to_server_errors_total{virtual_cluster="orders",node_id="bootstrap"} 0' not in parts.admin(
        other, "/metrics"
    )
    assert gateway.log.read_text() == ""


@pytest.mark.slow
def test_a_client_without_a_certificate_is_refused_where_one_is_required(parts: Any, secured: Any, pki: Pki) -> None:
    cluster = parts.cluster()
    trust = {"type": "PEM", "location": str(pki.authority)}
    first = free_ports(4)
    start(
        parts,
        secured(f"127.0.0.1:{first}", cluster.ready["bootstrap"], truststore=trust, clientAuth="required"),
    )
    settings = {"bootstrap.servers": f"127.0.0.1:{first}", "log_level": 0, **pki.clients}
    with pytest.raises(KafkaException) as error:
        Producer(settings).list_topics(timeout=2)
    assert error.value.args[0].code() in (KafkaError._TRANSPORT, KafkaError._TIMED_OUT)
    own = {"ssl.certificate.location": str(pki.chain), "ssl.key.location": str(pki.key)}
    assert Producer(settings | own).list_topics(timeout=20).cluster_id == cluster.ready["cluster_id"]


@pytest.mark.slow
def test_who_does_not_speak_tls_holds_up_nobody(parts: Any, secured: Any, pki: Pki) -> None:
    cluster = parts.cluster()
    first = free_ports(4)
    start(parts, secured(f"127.0.0.1:{first}", cluster.ready["bootstrap"]))
    with socket.create_connection(("127.0.0.1", first)), socket.create_connection(("127.0.0.1", first)) as plain:
        plain.sendall(struct.pack(">ihhih", 10, 3, 1, 7, -1))
        with contextlib.suppress(ConnectionResetError):
            assert plain.recv(100)[:1] in (b"\x15", b""), "an alert, or hung up"
        assert produced(f"127.0.0.1:{first}", [b"x"], **pki.clients) == [None]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"keystore": {"type": "JKS", "location": "/k.jks"}}, "use PEM"),
        ({"keystore": {"type": "PEM", "location": "/does/not/exist"}}, "/does/not/exist can't be used"),
        ({"clientAuth": "sometimes"}, "clientAuth is one of"),
        ({"clientAuth": "required", "truststore": {"type": "PEM", "location": "/nowhere"}}, "/nowhere can't be used"),
        ({"keystore": None}, "needs a keystore"),
    ],
)
def test_a_store_that_can_not_be_used_is_named(secured: Any, change: dict[str, Any], said: str) -> None:
    gateway = parse(yaml.safe_dump(secured("gw:9092", "kafka:9092", **change)))
    with pytest.raises(BadGatewayConfig, match=said):
        route_of(gateway, gateway.routes[0])


def test_names_without_tls_are_refused(config: Any) -> None:
    document = config("gw.example.com:9092", "kafka:9092")
    strategy = {"type": "host", "pattern": "b$(nodeId).gw.example.com"}
    document["gateway"]["routes"][0]["brokerIdentificationStrategy"] = strategy
    gateway = parse(yaml.safe_dump(document))
    with pytest.raises(BadGatewayConfig, match="strategy 'host' needs TLS"):
        route_of(gateway, gateway.routes[0])
