"""Credentials in Secrets Manager: both shapes, rotation, and Kafka clients that log in with them for real."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from confluent_kafka import Producer

from failover.aws.secrets import ApiKey, OAuthClient, Secret, credentials, with_credentials
from failover.detection.network import Network
from failover.errors import CredentialsMissing, KafkaUnauthorized, KafkaUnavailable, ServiceUnavailable
from failover.kafka.canary import write_and_read_back
from failover.kafka.client import settings
from failover.kafka.cluster import cluster_id
from failover.kafka.offsets import log_ends
from tests.failover.sasl_broker import SaslBroker

NAME = "failover/orders/west"
PLAIN = {"key": "KEY", "secret": "s3cr3t"}
OAUTH = {"client_id": "the-client", "client_secret": "cl13nt", "token_endpoint": "https://idp.example.com/token"}


@pytest.fixture
def put(aws: Callable[..., Any]) -> Callable[[Any], None]:
    """Puts a document into the secret."""
    manager = aws("secretsmanager")
    manager.create_secret(Name=NAME, SecretString="{}")
    return lambda document: manager.put_secret_value(
        SecretId=NAME, SecretString=document if isinstance(document, str) else json.dumps(document)
    )


@pytest.mark.parametrize(
    ("document", "held"),
    [
        (PLAIN, ApiKey("KEY", "s3cr3t")),
        ({"key": " KEY\n", "secret": "s3cr3t\n", "port": 9092}, ApiKey("KEY", "s3cr3t")),
        (OAUTH, OAuthClient(**OAUTH)),
        (OAUTH | {"scope": "", "identity_pool_id": None}, OAuthClient(**OAUTH)),
        (OAUTH | PLAIN, OAuthClient(**OAUTH)),
        (
            OAUTH | {"scope": "a b", "logical_cluster": "lkc-1", "identity_pool_id": "pool-1"},
            OAuthClient(**OAUTH, scope="a b", logical_cluster="lkc-1", identity_pool_id="pool-1"),
        ),
    ],
)
def test_a_secret_holds_a_key_or_an_oauth_client(put: Callable[[Any], None], document: Any, held: object) -> None:
    put(document)
    assert credentials(NAME) == held


@pytest.mark.parametrize(
    "document",
    [
        "s3cr3t",
        '"s3cr3t"',
        '["s3cr3t"]',
        '{"key": "s3cr3t"',
        {"key": "s3cr3t"},
        {"key": "", "secret": "s3cr3t"},
        {"key": 5, "secret": "s3cr3t"},
        {"client_id": "a", "client_secret": "s3cr3t"},
        OAUTH | {"client_secret": "s3cr3t", "token_endpoint": "http://idp.example.com/s3cr3t"},
        OAUTH | {"client_secret": "s3cr3t", "token_endpoint": "s3cr3t"},
    ],
)
def test_a_secret_of_another_shape_is_refused_without_a_word_of_it(put: Callable[[Any], None], document: Any) -> None:
    put(document)
    with pytest.raises(CredentialsMissing) as error:
        credentials(NAME)
    assert NAME in str(error.value) and "s3cr3t" not in str(error.value)
    assert error.value.__cause__ is None and (error.value.__context__ is None or error.value.__suppress_context__)


def test_no_name_is_no_credentials_and_a_missing_secret_is_an_error(aws: Callable[..., Any]) -> None:
    assert credentials(None) is None
    with pytest.raises(CredentialsMissing, match="must exist in this region"):
        credentials("no/such/secret")


def test_a_secret_is_read_once_in_five_minutes(put: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch) -> None:
    put(PLAIN)
    assert credentials(NAME) == ApiKey("KEY", "s3cr3t")
    put(PLAIN | {"secret": "rotated"})
    assert credentials(NAME) == ApiKey("KEY", "s3cr3t")
    now = time.time()
    monkeypatch.setattr("failover.aws.secrets.time.time", lambda: now + 301)
    assert credentials(NAME) == ApiKey("KEY", "rotated")


def test_credentials_outlive_secrets_manager(put: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch) -> None:
    from failover.aws.clients import client

    put(PLAIN)
    held = credentials(NAME)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    client.cache_clear()
    now = time.time()
    monkeypatch.setattr("failover.aws.secrets.time.time", lambda: now + 301)
    assert credentials(NAME) == held
    with pytest.raises(ServiceUnavailable):
        Secret(NAME).read_anew()
    with pytest.raises(ServiceUnavailable):
        credentials("another")


def test_a_refusal_reads_the_secret_anew_once(put: Callable[[Any], None]) -> None:
    put(PLAIN)
    assert credentials(NAME) == ApiKey("KEY", "s3cr3t")
    asked: list[object] = []

    def ask(held: object) -> str:
        asked.append(held)
        if held != ApiKey("KEY", "rotated"):
            raise KafkaUnauthorized("no")
        return "yes"

    with pytest.raises(KafkaUnauthorized):
        with_credentials(NAME, ask)
    assert len(asked) == 1, "the secret is what it was: asking again is of no use"
    put(PLAIN | {"secret": "rotated"})
    assert with_credentials(NAME, ask) == "yes"
    assert with_credentials(NAME, ask) == "yes"
    assert len(asked) == 4


@pytest.fixture(scope="module")
def behind() -> Iterator[str]:
    """A real broker, as far as librdkafka's mock is one."""
    mock = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "x", "log_level": 0})
    broker = next(iter(mock.list_topics().brokers.values()))
    yield f"{broker.host}:{broker.port}"


@pytest.fixture
def broker(behind: str) -> Iterator[Callable[[Callable[[str, bytes], bool]], SaslBroker]]:
    started: list[SaslBroker] = []

    def start(admits: Callable[[str, bytes], bool]) -> SaslBroker:
        started.append(SaslBroker(behind, admits))
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest.fixture
def provider() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """The token endpoint of an identity provider that knows one client; and what it was asked."""
    asked: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            who = base64.b64decode(self.headers["authorization"].removeprefix("Basic ")).decode()
            asked.append((who, body))
            known = who == "the-client:cl13nt"
            claims = {"sub": "the-client", "iat": int(time.time()), "exp": int(time.time()) + 300}
            parts = (
                base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in ({"alg": "x"}, claims)
            )
            given = {"access_token": b".".join([*parts, b"sig"]).decode(), "token_type": "Bearer", "expires_in": 300}
            answer = json.dumps(given if known else {"error": "invalid_client", "error_description": f"who is {who}"})
            self.send_response(200 if known else 401)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/token", asked
    server.shutdown()
    server.server_close()


def _base64(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def test_a_kafka_client_logs_in_with_an_api_key(broker: Callable[..., SaslBroker]) -> None:
    front = broker(lambda mechanism, said: (mechanism, said) == ("PLAIN", b"\0KEY\0s3cr3t"))
    assert cluster_id(settings(front.bootstrap, "SASL_PLAINTEXT", ApiKey("KEY", "s3cr3t")))


def test_a_kafka_client_logs_in_with_a_token_it_gets_itself(
    broker: Callable[..., SaslBroker], provider: tuple[str, list[tuple[str, bytes]]]
) -> None:
    endpoint, asked = provider
    front = broker(lambda mechanism, said: mechanism == "OAUTHBEARER")
    client = OAuthClient(
        client_id="the-client",
        client_secret="cl13nt",
        token_endpoint=endpoint,
        scope="kafka",
        logical_cluster="lkc-west01",
        identity_pool_id="pool-1",
    )
    assert cluster_id(settings(front.bootstrap, "SASL_PLAINTEXT", client))
    assert asked[0] == ("the-client:cl13nt", b"grant_type=client_credentials&scope=kafka")
    said = front.said[0][1].decode()
    assert "auth=Bearer ey" in said and "logicalCluster=lkc-west01" in said and "identityPoolId=pool-1" in said


@pytest.mark.slow
def test_a_refused_key_is_told_from_a_cluster_that_does_not_answer(broker: Callable[..., SaslBroker]) -> None:
    front = broker(lambda mechanism, said: False)
    refused = settings(front.bootstrap, "SASL_PLAINTEXT", ApiKey("KEY", "s3cr3t"))
    for ask in (
        lambda: cluster_id(refused, 1.0),
        lambda: write_and_read_back(refused, "canary", 1.0),
        lambda: log_ends(refused, [("orders", 0)]),
    ):
        with pytest.raises(KafkaUnauthorized, match="key of this very cluster") as error:
            ask()
        assert "s3cr3t" not in str(error.value) and front.bootstrap in str(error.value)


@pytest.mark.slow
def test_a_client_that_its_provider_refuses_is_told_without_its_secret(
    broker: Callable[..., SaslBroker], provider: tuple[str, list[tuple[str, bytes]]]
) -> None:
    front = broker(lambda mechanism, said: True)
    client = OAuthClient(client_id="the-client", client_secret="wr0ng", token_endpoint=provider[0])
    with pytest.raises(KafkaUnauthorized, match=r"invalid_client.*the-client:\*\*\*") as error:
        cluster_id(settings(front.bootstrap, "SASL_PLAINTEXT", client), 1.0)
    assert "wr0ng" not in str(error.value)


@pytest.mark.slow
def test_a_key_rotated_in_the_secret_is_used_within_the_same_call(
    put: Callable[[Any], None], broker: Callable[..., SaslBroker]
) -> None:
    put(PLAIN)
    credentials(NAME)
    put(PLAIN | {"secret": "rotated"})
    front = broker(lambda mechanism, said: said == b"\0KEY\0rotated")
    assert with_credentials(NAME, lambda held: cluster_id(settings(front.bootstrap, "SASL_PLAINTEXT", held), 1.0))
    assert credentials(NAME) == ApiKey("KEY", "rotated")


def test_a_probe_logs_in_with_a_token_where_clients_do(
    broker: Callable[..., SaslBroker], provider: tuple[str, list[tuple[str, bytes]]]
) -> None:
    front = broker(lambda mechanism, said: mechanism == "OAUTHBEARER")
    client = OAuthClient(client_id="the-client", client_secret="cl13nt", token_endpoint=provider[0])
    with closing(Network()) as network:
        look = network.cluster_id(front.bootstrap, "SASL_PLAINTEXT", client, time.monotonic() + 20.0)
        assert network.run(look) == cluster_id(settings(front.bootstrap, "SASL_PLAINTEXT", client))
        over = network.cluster_id(front.bootstrap, "SASL_PLAINTEXT", client, time.monotonic() - 1.0)
        with pytest.raises(KafkaUnavailable):
            network.run(over)
    assert {mechanism for mechanism, _ in front.said} == {"OAUTHBEARER"}
