"""Whether a gateway changes a byte of a record, either way: what is written through it is read from the cluster itself,
and what is written to the cluster is read through it. Compared by hash."""

from __future__ import annotations

import hashlib
import random
import time
from typing import Final

from confluent_kafka import Consumer, Producer

from bench.gateway_world import world
from bench.result import NotMeasured, Result

RECORDS: Final = 12_000  # what the mock's four partitions keep
SIZE: Final = 1024
READ_S: Final = 60.0


def measure() -> list[Result]:
    """How many records arrived changed, or not at all.

    Raises:
        NotMeasured: if they could not be written.
    """
    with world("east") as here:
        direct, gateway = here.clusters["east"], here.gateway
        changed = _changed("to", gateway, direct) + _changed("from", direct, gateway)
    return [Result(name="gateway.records_changed", value=changed, unit="", limit=0)]


def _changed(topic: str, written_to: str, read_from: str) -> int:
    sent = _write(topic, written_to)
    got = _read(topic, read_from)
    return sum(got.get(key) != digest for key, digest in sent.items())


def _write(topic: str, bootstrap: str) -> dict[bytes, str]:
    noise = random.Random(topic)
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "log_level": 0})
    digests: dict[bytes, str] = {}
    for number in range(RECORDS):
        key, value, header = str(number).encode(), noise.randbytes(SIZE), noise.randbytes(8)
        digests[key] = _digest(value, header)
        producer.produce(topic, value, key, partition=number % 4, headers={"h": header})
    if unsent := producer.flush(60):
        raise NotMeasured(f"{unsent} records could not be written to {bootstrap}")
    return digests


def _read(topic: str, bootstrap: str) -> dict[bytes, str]:
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": topic, "auto.offset.reset": "earliest", "log_level": 0}
    )
    consumer.subscribe([topic])
    digests: dict[bytes, str] = {}
    deadline = time.monotonic() + READ_S
    try:
        while len(digests) < RECORDS and time.monotonic() < deadline:
            for message in consumer.consume(1000, 0.2):
                if message.error() is None:
                    headers = dict(message.headers() or [])
                    digests[message.key() or b""] = _digest(message.value() or b"", headers.get("h") or b"")
    finally:
        consumer.close()
    return digests


def _digest(value: bytes, header: bytes | str) -> str:
    return hashlib.sha256(value + (header if isinstance(header, bytes) else header.encode())).hexdigest()
