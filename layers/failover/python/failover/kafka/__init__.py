"""Speaking Kafka as a client does: reach a cluster, ask who it is, write a record and read it back."""

from __future__ import annotations

import functools
import socket
import ssl
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from failover.aws.secrets import ApiKey, Credentials, OAuthClient, without
from failover.errors import KafkaUnauthorized, KafkaUnavailable

Settings = Mapping[str, str | int | bool]

_REFUSED = (KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED)
_NOT_ALLOWED = (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED)


def settings(bootstrap: str, security_protocol: str, credentials: Credentials | None) -> dict[str, str | int | bool]:
    """librdkafka's settings to reach `bootstrap`, with timeouts for a region in trouble."""
    chosen: dict[str, str | int | bool] = {
        "bootstrap.servers": bootstrap,
        "security.protocol": security_protocol,
        "socket.connection.setup.timeout.ms": 2000,
        "socket.timeout.ms": 4000,
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": 250,
        "log_level": 0,
    }
    match credentials:
        case ApiKey(key, secret):
            chosen |= {"sasl.mechanism": "PLAIN", "sasl.username": key, "sasl.password": secret}
        case OAuthClient():
            chosen |= _oidc(credentials)
    return chosen


def _oidc(oauth: OAuthClient) -> dict[str, str | int | bool]:
    """librdkafka gets and renews the token itself (https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md)."""
    named = {"logicalCluster": oauth.logical_cluster, "identityPoolId": oauth.identity_pool_id}
    chosen: dict[str, str | int | bool] = {
        "sasl.mechanism": "OAUTHBEARER",
        "sasl.oauthbearer.method": "oidc",
        "sasl.oauthbearer.client.id": oauth.client_id,
        "sasl.oauthbearer.client.secret": oauth.client_secret,
        "sasl.oauthbearer.token.endpoint.url": oauth.token_endpoint,
    }
    if oauth.scope:
        chosen["sasl.oauthbearer.scope"] = oauth.scope
    if extensions := ",".join(f"{name}={value}" for name, value in named.items() if value):
        chosen["sasl.oauthbearer.extensions"] = extensions
    return chosen


def connectable(bootstrap: str, timeout: float = 2.0, tls: bool = False) -> str | None:
    """None if one of the addresses takes a TCP connection, and with `tls` ends a handshake, within `timeout` seconds
    each, otherwise why none does. Whose certificate it is does not matter here: that somebody is there does."""
    why = []
    for address in bootstrap.split(","):
        host, _, port = address.rpartition(":")
        try:
            with socket.create_connection((host, int(port)), timeout) as connection:
                if tls:
                    _anyones().wrap_socket(connection, server_hostname=host).close()
        except OSError as error:
            if isinstance(error, ssl.SSLError) and "ALERT" in str(error.reason):
                return None
            why.append(f"{address}: {error}")
        else:
            return None
    return "; ".join(why)


@functools.cache
def _anyones() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def cluster_id(chosen: Settings, timeout: float = 3.0) -> str:
    """The id of the cluster that answers a Metadata request.

    Raises:
        KafkaUnauthorized: if the credentials are refused.
        KafkaUnavailable: if none does within `timeout` seconds.
    """
    bootstrap = str(chosen["bootstrap.servers"])
    if why := connectable(bootstrap, min(timeout, 2.0)):
        raise KafkaUnavailable(f"no connection to Kafka at {why}")
    admin = Admin(chosen)
    try:
        found = admin.client.list_topics(timeout=timeout).cluster_id
    except KafkaException as error:
        raise admin.trouble(f"gave no metadata: {error.args[0]}") from error
    if not found:
        raise KafkaUnavailable(f"{bootstrap} gave no cluster id")
    return str(found)


def leads_to(chosen: Settings, topic: str, timeout: float = 1.0) -> str | None:
    """The id of the cluster that is behind an address and has the topic, or None.

    Raises:
        KafkaUnauthorized: if the credentials are refused.
        KafkaUnavailable: if nobody answers within `timeout` seconds.
    """
    admin = Admin(chosen)
    try:
        found = admin.client.list_topics(topic, timeout=timeout)
    except KafkaException as error:
        raise admin.trouble(f"gave no metadata: {error.args[0]}") from error
    there = found.topics.get(topic)
    return str(found.cluster_id) if there is not None and there.error is None else None


def write_and_read_back(chosen: Settings, topic: str, timeout: float = 8.0) -> tuple[int, int]:
    """Write a canary record and read that very record back; its partition and offset.

    Raises:
        KafkaUnauthorized: if the credentials are refused.
        KafkaUnavailable: if the record is not acknowledged, or not read back, within `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    canary = uuid.uuid4().bytes
    written = _write(chosen, topic, canary, deadline)
    partition, offset = int(written.partition() or 0), int(written.offset() or 0)
    consumer = Consumer({**chosen, "group.id": "failover-canary", "enable.auto.commit": False, "fetch.wait.max.ms": 50})
    try:
        consumer.assign([TopicPartition(topic, partition, offset)])
        while (left := deadline - time.monotonic()) > 0:
            message = consumer.poll(min(left, 0.2))
            if message is not None and message.error() is None and message.value() == canary:
                return partition, offset
    finally:
        consumer.close()
    raise KafkaUnavailable(f"the canary record at {topic}[{partition}]@{offset} was acknowledged but not read back")


def _write(chosen: Settings, topic: str, canary: bytes, deadline: float) -> Message:
    answers: list[tuple[KafkaError | None, Message]] = []
    said: list[KafkaError] = []
    left_ms = max(1, int((deadline - time.monotonic()) * 1000))
    producer = Producer({**chosen, "acks": "all", "message.timeout.ms": left_ms} | _telling(said))
    producer.produce(topic, canary, on_delivery=lambda error, message: answers.append((error, message)))
    producer.flush(max(0.0, deadline - time.monotonic()))
    if not answers:
        raise _trouble(chosen, said, f"acknowledged no canary record for {topic} in time")
    error, message = answers[0]
    if error is not None and error.code() in _NOT_ALLOWED:
        raise KafkaUnauthorized(f"the canary may not be written to {topic}: {error}")
    if error is not None:
        raise _trouble(chosen, said, f"refused the canary record for {topic}: {error}")
    return message


class Admin:
    """An admin client that knows why it is in trouble: one that is refused goes on trying until its time is up."""

    def __init__(self, chosen: Settings) -> None:
        self._chosen = chosen
        self._said: list[KafkaError] = []
        self.client = AdminClient({**chosen} | _telling(self._said))

    def trouble(self, what: str) -> KafkaUnavailable:
        """The error for what went wrong: `KafkaUnauthorized` if the credentials were refused meanwhile."""
        self.client.poll(0)
        return _trouble(self._chosen, self._said, what)


def _telling(said: list[KafkaError]) -> dict[str, Any]:
    """The setting that has a client put into `said` what goes wrong with its connections."""
    return {"error_cb": said.append}


def _trouble(chosen: Settings, said: Sequence[KafkaError], what: str) -> KafkaUnavailable:
    where = f"Kafka at {chosen['bootstrap.servers']}"
    for error in said:
        if error.code() in _REFUSED:
            why = without(str(error.str()), str(chosen.get("sasl.oauthbearer.client.secret", "")))
            return KafkaUnauthorized(
                f"{where} refused the credentials of the plan's secret: {why}. The secret must hold a key of this very"
                " cluster, or a client that the cluster's identity pool admits"
            )
    return KafkaUnavailable(f"{where} {what}")
