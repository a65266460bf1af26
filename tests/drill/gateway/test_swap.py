"""An auth swap: clients log in to the gateway with their own password, and work on the cluster with the cluster's."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from confluent_kafka import KafkaError, KafkaException, Message, Producer
from moto.server import ThreadedMotoServer

from drill.ports import free_ports
from tests.drill.gateway.clients import consumer, produced, read
from tests.patience import eventually

pytestmark = pytest.mark.slow

ALICE = {
    "security.protocol": "SASL_PLAINTEXT",
    "sasl.mechanism": "PLAIN",
    "sasl.username": "alice",
    "sasl.password": 'her "own"',
}
JAAS = r"""KafkaServer {
  org.apache.kafka.common.security.plain.PlainLoginModule required
    user_alice="her \"own\""
    user_bob="bobs"
    user_carol="carols";
};
"""
TEMPLATE = 'org.apache.kafka.common.security.plain.PlainLoginModule required username="%s" password="%s";\n'
KEYS = {"east": ("EASTKEY", "east:secret"), "west": ("WESTKEY", "west:secret")}


@pytest.fixture(scope="module")
def aws() -> Iterator[dict[str, str]]:
    """The environment in which Secrets Manager holds alice's logins to both clusters, and a wrong one of carol's."""
    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    environment = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "NO_PROXY": "*",
    }
    secrets = boto3.client(
        "secretsmanager",
        "us-east-1",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    for site, (key, secret) in KEYS.items():
        secrets.create_secret(Name=f"gateway/{site}/alice", SecretString=f"{key}:{secret}")
        secrets.create_secret(Name=f"gateway/{site}/carol", SecretString=f"{key}:revoked")
    yield environment
    server.stop()


@pytest.fixture
def cluster(parts: Any) -> Callable[[str], Any]:
    """A cluster that takes nobody without its own key."""
    return lambda site: parts.start("drill.kafka.cluster", {"site": site, "logins": dict([KEYS[site]])})


@pytest.fixture
def swapping(config: Any, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """A configuration that leads to east, and swaps the credentials for those of the domain it leads to."""
    (tmp_path / "clients.jaas").write_text(JAAS)
    (tmp_path / "cluster.jaas").write_text(TEMPLATE)

    def make(endpoint: str, bootstraps: dict[str, str], **client: Any) -> dict[str, Any]:
        document: dict[str, Any] = config(endpoint, "")
        gateway = document["gateway"]
        (domain,) = gateway["streamingDomains"]
        gateway["streamingDomains"] = [
            domain
            | {
                "name": site,
                "kafkaCluster": domain["kafkaCluster"]
                | {"bootstrapServers": [{"id": f"{site}-kafka", "endpoint": f"SASL_PLAINTEXT://{bootstrap}"}]},
            }
            for site, bootstrap in bootstraps.items()
        ]
        store = {"region": "us-east-1", "separator": ":"}
        gateway["secretStores"] = [
            {"name": site, "provider": {"type": "AWS", "config": {**store, "prefixPath": f"gateway/{site}/"}}}
            for site in bootstraps
        ]
        jaas = {"mechanism": "PLAIN", "jaasConfig": {"file": str(tmp_path / "clients.jaas")}, **client}
        cluster = {"mechanism": "PLAIN", "jaasConfig": {"file": str(tmp_path / "cluster.jaas")}}
        gateway["routes"][0]["security"] = {
            "auth": "swap",
            "swapConfig": {"clientAuth": {"sasl": jaas}, "secretStore": "east", "clusterAuth": {"sasl": cluster}},
        }
        return document

    return make


@pytest.fixture
def gateway(parts: Any, swapping: Any, aws: dict[str, str], tmp_path: Path) -> Callable[..., Any]:
    """A gateway before clusters, by site: (process, bootstrap, apply), `apply` to lead its route to another site."""

    def make(bootstraps: dict[str, str], **client: Any) -> Any:
        first = free_ports(4)
        document = swapping(f"127.0.0.1:{first}", bootstraps, **client)
        file = tmp_path / "gateway.yaml"

        def apply(site: str) -> None:
            (route,) = document["gateway"]["routes"]
            document["gateway"]["configId"] = site
            route["streamingDomain"] = {"name": site, "bootstrapServerId": f"{site}-kafka"}
            route["security"]["swapConfig"]["secretStore"] = site
            fresh = file.with_suffix(".fresh")
            fresh.write_text(yaml.safe_dump(document))
            fresh.replace(file)

        apply("east")
        environment = aws | {"GATEWAY_CONFIG_FILE": str(file), "GATEWAY_LICENSES": "enterprise"}
        settings = {"own_ports": True, "hot_reload": True}
        return parts.start("drill.gateway.instance", settings, environment), f"127.0.0.1:{first}", apply

    return make


def swaps(parts: Any, gateway: Any) -> dict[tuple[str, str], int]:
    """How many logins of each side had each result."""
    samples = re.findall(
        r'^gateway_authswap_(\w+)_auth_total\{result="(\w+)"\} (\d+)\.0$', metrics(parts, gateway), re.M
    )
    return {(side, result): int(count) for side, result, count in samples}


def metrics(parts: Any, gateway: Any) -> str:
    return str(parts.admin(gateway, "/metrics"))


def refusal(bootstrap: str, **settings: Any) -> KafkaError:
    """Why a client can't log in."""
    said: list[KafkaError] = []
    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0, "error_cb": said.append, **settings})
    deadline = time.monotonic() + 90
    while not any(error.code() == KafkaError._AUTHENTICATION for error in said):
        assert time.monotonic() < deadline, said
        producer.poll(0.1)
    return next(error for error in said if error.code() == KafkaError._AUTHENTICATION)


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_clients_of_every_kind_work_with_their_own_login(parts: Any, cluster: Any, gateway: Any, protocol: str) -> None:
    """Idempotent and transactional producers, and groups of both protocols."""
    east = cluster("east")
    process, bootstrap, _ = gateway({"east": east.ready["bootstrap"]})
    metadata = Producer({"bootstrap.servers": bootstrap, "log_level": 0, **ALICE}).list_topics(timeout=20)
    assert metadata.cluster_id == east.ready["cluster_id"]
    assert produced(bootstrap, [b"1", b"2"], **ALICE) == [None, None]
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": "t", "log_level": 0, **ALICE})
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce("orders", b"3")
    producer.commit_transaction(20)
    kafka = consumer(bootstrap, **ALICE, **{"group.protocol": protocol, "isolation.level": "read_committed"})
    kafka.subscribe(["orders"])
    assert sorted(message.value() or b"" for message in read(kafka, 3)) == [b"1", b"2", b"3"]
    kafka.close()
    counted = swaps(parts, process)
    # A client that is closed as it connects may not wait for its gateway to log in at the cluster.
    assert counted["client", "success"] >= counted["cluster", "success"] > 3
    assert counted["client", "failure"] == counted["cluster", "failure"] == 0
    assert re.search(r"secret_store_latency_seconds_count \d", metrics(parts, process))
    text = process.log.read_text() + metrics(parts, process)
    assert not any(secret in text for _, secret in KEYS.values())


def test_who_has_no_login_is_told_so_and_counted(parts: Any, cluster: Any, gateway: Any) -> None:
    process, bootstrap, _ = gateway({"east": cluster("east").ready["bootstrap"]})
    key, secret = KEYS["east"]
    wrong = [
        ALICE | {"sasl.password": "guessed"},
        ALICE | {"sasl.username": key, "sasl.password": secret},  # the cluster's login is none of the gateway's
    ]
    for settings in wrong:
        assert "Invalid username or password" in refusal(bootstrap, **settings).str()
    before = swaps(parts, process)
    assert before["client", "failure"] >= 2
    assert before["cluster", "success"] == before["cluster", "failure"] == 0
    # of bob the store has nothing; what it has of carol, the cluster does not take any more
    refusal(bootstrap, **ALICE | {"sasl.username": "bob", "sasl.password": "bobs"})
    refusal(bootstrap, **ALICE | {"sasl.username": "carol", "sasl.password": "carols"})
    assert swaps(parts, process)["cluster", "failure"] >= 2
    log = process.log.read_text()
    assert "no secret gateway/east/bob" in log
    assert "revoked" not in log and secret not in log


def test_a_client_that_does_not_log_in_gets_nothing(parts: Any, cluster: Any, gateway: Any) -> None:
    process, bootstrap, _ = gateway({"east": cluster("east").ready["bootstrap"]})
    with pytest.raises(KafkaException):
        Producer({"bootstrap.servers": bootstrap, "log_level": 0}).list_topics(timeout=2)
    assert "outside of a session" in process.log.read_text()
    scram = ALICE | {"sasl.mechanism": "SCRAM-SHA-256"}
    assert "PLAIN" in refusal(bootstrap, **scram).str()


def test_a_flip_swaps_the_credentials_too_under_running_clients(parts: Any, cluster: Any, gateway: Any) -> None:
    """Passthrough could not do this: an API key belongs to one cluster."""
    east, west = cluster("east"), cluster("west")
    process, bootstrap, apply = gateway({"east": east.ready["bootstrap"], "west": west.ready["bootstrap"]})
    acknowledged: list[int] = []
    failures: list[Any] = []
    over = threading.Event()

    def delivered(error: KafkaError | None, message: Message) -> None:
        failures.append(error) if error else acknowledged.append(int(message.value() or b"0"))

    def produce() -> None:
        settings = {"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 5, "log_level": 0}
        producer = Producer({**settings, **ALICE, "error_cb": lambda e: failures.append(e) if e.fatal() else None})
        number = 0
        while not over.is_set():
            producer.produce("orders", str(number).encode(), on_delivery=delivered)
            producer.poll(0.005)
            number += 1
        producer.flush(30)

    thread = threading.Thread(target=produce, daemon=True)
    thread.start()
    eventually(lambda: len(acknowledged) > 50)
    east.kill()
    apply("west")
    before = len(acknowledged)
    eventually(lambda: len(acknowledged) > before + 100, 60)
    over.set()
    thread.join(40)
    assert failures == []
    metadata = Producer({"bootstrap.servers": bootstrap, "log_level": 0, **ALICE}).list_topics(timeout=20)
    assert metadata.cluster_id == west.ready["cluster_id"]
    assert swaps(parts, process)["cluster", "failure"] == 0


def test_a_session_is_renewed_under_a_running_producer(parts: Any, cluster: Any, gateway: Any) -> None:
    process, bootstrap, _ = gateway({"east": cluster("east").ready["bootstrap"]}, connectionsMaxReauthMs=1000)
    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0, **ALICE})
    outcomes: list[KafkaError | None] = []
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline:
        producer.produce("orders", b"x", on_delivery=lambda error, _: outcomes.append(error))
        producer.poll(0.05)
    assert producer.flush(20) == 0
    assert set(outcomes) == {None}
    samples = re.findall(
        r"^kroxylicious_client_to_proxy_connections_total\{.*\} (\d+)\.0$", metrics(parts, process), re.M
    )
    assert swaps(parts, process)["client", "success"] > sum(map(int, samples))


def test_a_fence_lets_clients_log_in_and_wait(parts: Any, cluster: Any, swapping: Any, aws: dict[str, str]) -> None:
    first = free_ports(4)
    document = swapping(f"127.0.0.1:{first}", {"east": cluster("east").ready["bootstrap"]})
    document["gateway"]["routes"][0]["fence"] = {"scope": "ALL", "errorCode": "BROKER_NOT_AVAILABLE"}
    environment = aws | {"GATEWAY_CONFIG": yaml.safe_dump(document)}
    process = parts.start("drill.gateway.instance", {"own_ports": True}, environment)
    said: list[KafkaError] = []
    outcomes: list[Any] = []
    producer = Producer({"bootstrap.servers": f"127.0.0.1:{first}", "log_level": 0, "error_cb": said.append, **ALICE})
    producer.produce("orders", b"x", on_delivery=lambda error, _: outcomes.append(error))
    assert producer.flush(4) == 1 and outcomes == []
    assert not [error for error in said if error.code() == KafkaError._AUTHENTICATION]
    assert swaps(parts, process)["cluster", "success"] >= 1


def test_the_cluster_takes_no_client_without_its_key(cluster: Any) -> None:
    bootstrap = cluster("east").ready["bootstrap"]
    assert "Invalid username or password" in refusal(bootstrap, **ALICE).str()
    key, secret = KEYS["east"]
    assert produced(bootstrap, [b"x"], **ALICE | {"sasl.username": key, "sasl.password": secret}) == [None]
