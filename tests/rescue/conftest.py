"""A returned site: a cluster of librdkafka's mock, records on it, a bucket for what is stranded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from confluent_kafka import Producer

from failover.aws.clients import client
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.rescue.line import Record, record_of
from failover.rescue.record import save_stranded
from failover.rescue.stranded import Stranded, StrandedRange

BUCKET = "rescued"
KEY = "arn:aws:kms:us-west-2:123456789012:key/11111111-2222-3333-4444-555555555555"
RESCUE: dict[str, Any] = {
    "bucket": BUCKET,
    "key": KEY,
    "retention_days": 400,
    "readers": ["arn:aws:iam::123456789012:role/rescue-reader"],
}
EXECUTION = Execution(
    plan="orders",
    epoch=1,
    name="orders-1-switchover",
    kind="switchover",
    from_site="west",
    to_site="east",
    claimed_at=1000.0,
)
PREFIX = f"rescue/orders/{EXECUTION.name}/"


@dataclass(frozen=True)
class Returned:
    """The returned site's cluster."""

    bootstrap: str

    def write(self, topic: str, count: int, *, partition: int = 0, first: int = 0, size: int = 0) -> None:
        """Write numbered records."""
        producer = Producer({"bootstrap.servers": self.bootstrap, "queue.buffering.max.messages": 1_000_000})
        for number in range(first, first + count):
            key, value = f"{topic}-{number}".encode(), f"{number:06}".encode() + b"x" * size
            producer.produce(topic, value, key, partition=partition)
        assert producer.flush(30) == 0


@dataclass(frozen=True)
class Bucket:
    """The bucket, looked at past the product."""

    s3: Any

    def keys(self, suffix: str) -> list[str]:
        """The keys of its objects."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        return [row["Key"] for page in pages for row in page.get("Contents", []) if row["Key"].endswith(suffix)]

    def records(self, topic: str, partition: int = 0) -> list[Record]:
        """Every record that is saved of a partition, in the order of the keys."""
        folder = f"{PREFIX}{topic}/{partition}/"
        keys = sorted(key for key in self.keys(".ndjson") if key.startswith(folder))
        bodies = [self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys]
        return [record_of(line) for body in bodies for line in body.splitlines()]

    def index(self, topic: str, partition: int = 0) -> dict[str, Any]:
        """The index of a partition."""
        body = self.s3.get_object(Bucket=BUCKET, Key=f"{PREFIX}{topic}/{partition}/index.json")["Body"].read()
        return dict(json.loads(body))


@pytest.fixture
def rescue() -> dict[str, Any] | None:
    """What the plan says of its rescue."""
    return RESCUE


@pytest.fixture
def returned() -> Iterator[Returned]:
    mock = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "mock", "log_level": 3})
    brokers = mock.list_topics(timeout=10).brokers.values()
    yield Returned(",".join(f"{broker.host}:{broker.port}" for broker in brokers))
    mock.flush(0)


@pytest.fixture
def plan_text(plan_text: str, returned: Returned, rescue: dict[str, Any] | None) -> str:
    """The example plan, whose site east is the returned one."""
    document = yaml.safe_load(plan_text)
    document["sites"]["east"]["kafka"] |= {"bootstrap": returned.bootstrap, "security_protocol": "PLAINTEXT"}
    del document["sites"]["east"]["kafka"]["credentials"]
    document["rescue"] = rescue
    return yaml.safe_dump(document)


@pytest.fixture
def bucket(deployed: Callable[..., Any]) -> Bucket:
    deployed("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    return Bucket(deployed("s3"))


@pytest.fixture
def ledger(bucket: Bucket) -> Ledger:
    """With the lease held."""
    ledger = Ledger(client("dynamodb"), "ledger")
    ledger.claim(EXECUTION, "west")
    return ledger


@pytest.fixture
def strand(ledger: Ledger) -> Callable[..., None]:
    """Records what was measured: by topic and partition, where it begins and ends."""

    def strand(ranges: dict[tuple[str, int], tuple[int, int]]) -> None:
        measured = [
            StrandedRange(topic=topic, partition=partition, begin=begin, end=end)
            for (topic, partition), (begin, end) in ranges.items()
        ]
        save_stranded(ledger, EXECUTION, Stranded("east", tuple(measured)))

    return strand


@pytest.fixture
def rescue_records(ledger: Ledger, call: Callable[[str, dict[str, Any]], dict[str, Any]]) -> Callable[[], Any]:
    """One call of the step."""
    return lambda: call("rescue_records", {"execution": EXECUTION.as_state()})
