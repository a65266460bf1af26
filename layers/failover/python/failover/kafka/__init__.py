"""Speaking Kafka as a client does: reach a cluster, ask who it is, write a record and read it back."""

from __future__ import annotations

import socket
import time
import uuid
from collections.abc import Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from failover.credentials import Credentials
from failover.errors import KafkaUnavailable

Settings = Mapping[str, str | int | bool]


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
    if credentials is not None:
        chosen |= {"sasl.mechanism": "PLAIN", "sasl.username": credentials.key, "sasl.password": credentials.secret}
    return chosen


def connectable(bootstrap: str, timeout: float = 2.0) -> str | None:
    """None if one of the addresses takes a TCP connection within `timeout` seconds, otherwise why none does."""
    why = []
    for address in bootstrap.split(","):
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout).close()
        except OSError as error:
            why.append(f"{address}: {error}")
        else:
            return None
    return "; ".join(why)


def cluster_id(chosen: Settings, timeout: float = 3.0) -> str:
    """The id of the cluster that answers a Metadata request.

    Raises:
        KafkaUnavailable: if none does within `timeout` seconds.
    """
    bootstrap = str(chosen["bootstrap.servers"])
    if why := connectable(bootstrap, min(timeout, 2.0)):
        raise KafkaUnavailable(f"no connection to Kafka at {why}")
    try:
        found = AdminClient(dict(chosen)).list_topics(timeout=timeout).cluster_id
    except KafkaException as error:
        raise KafkaUnavailable(f"no Kafka metadata from {bootstrap}: {error.args[0]}") from error
    if not found:
        raise KafkaUnavailable(f"{bootstrap} gave no cluster id")
    return str(found)


def write_and_read_back(chosen: Settings, topic: str, timeout: float = 8.0) -> tuple[int, int]:
    """Write a canary record and read that very record back; its partition and offset.

    Raises:
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
    producer = Producer(
        {**chosen, "acks": "all", "message.timeout.ms": max(1, int((deadline - time.monotonic()) * 1000))}
    )
    producer.produce(topic, canary, on_delivery=lambda error, message: answers.append((error, message)))
    producer.flush(max(0.0, deadline - time.monotonic()))
    if not answers:
        raise KafkaUnavailable(f"the canary record for {topic} was not acknowledged in time")
    error, message = answers[0]
    if error is not None:
        raise KafkaUnavailable(f"the canary record for {topic} was refused: {error}")
    return message
