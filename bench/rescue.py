"""Rescue of half a million stranded records of 1 KB from Apache Kafka, by the handler itself, called as the state
machine calls it: read, written as lines, hashed, put into a bucket. Broker, bucket and handler share the machine."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final

import yaml
from confluent_kafka import Producer
from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]

from bench.bucket import bucket
from bench.handlers import aws, client, run
from bench.result import NotMeasured, Result
from drill import fixture_plan
from drill.deployment import plan_item
from drill.engines import kafka
from drill.engines.jars import EngineMissing
from drill.fixture_plan import HOME, PLAN, STANDBY

RECORDS: Final = 500_000
PARTITIONS: Final = 12
TOPIC: Final = "orders"
EXECUTION: Final = f"{PLAN}-2-restore"
_VALUE: Final = bytes(range(256)) * 4
_RESCUE: Final = {
    "bucket": "rescued",
    "key": f"arn:aws:kms:us-west-2:{fixture_plan.ACCOUNT}:key/11111111-2222-3333-4444-555555555555",
    "retention_days": 400,
    "readers": [f"arn:aws:iam::{fixture_plan.ACCOUNT}:role/rescue-reader"],
}

_DRIVE: Final = """
from failover.execution.step import ledger
from failover.ledger.execution import Execution
from failover.rescue.record import save_stranded
from failover.rescue.stranded import Stranded, StrandedRange

ranges = tuple(StrandedRange(**row) for row in event.pop("ranges"))
execution = Execution.model_validate(event["execution"])
save_stranded(ledger(), execution, Stranded(site=execution.from_site, ranges=ranges))
started, processor = time.perf_counter(), time.process_time()
while True:
    report = app.handler(dict(event), Context())
    if report["status"] == "done" or time.perf_counter() - started > 300:
        break
facts = {"seconds": time.perf_counter() - started, "processor_s": time.process_time() - processor}
facts |= {"saved": report["observed"]["saved"], "status": report["status"]}
print("\\n" + json.dumps(facts))
"""


def measure() -> list[Result]:
    """Records a second, and memory.

    Raises:
        NotMeasured: if the machine has no Kafka, or not every record was saved.
    """
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        try:
            broker = stack.enter_context(closing(kafka.start(directory / "kafka").broker))
        except EngineMissing as error:
            raise NotMeasured(str(error)) from error
        ranges = _strand(broker)
        endpoint, s3 = stack.enter_context(aws()), stack.enter_context(bucket())
        _deploy(endpoint, broker.bootstrap)
        event = {"execution": _execution(), "ranges": ranges}
        figures, peak_mb = run(endpoint, "rescue_records", _DRIVE, event, AWS_ENDPOINT_URL_S3=s3)
    if figures["status"] != "done" or figures["saved"] != RECORDS:
        raise NotMeasured(f"{figures['saved']:,} of {RECORDS:,} records were saved, and it is {figures['status']}")
    rate = RECORDS / figures["seconds"]
    return [
        Result(name="rescue.rate", value=rate, unit="records/s", limit=50_000, at_least=True),
        Result(name="rescue.processor", value=figures["processor_s"] / RECORDS * 1e6, unit="µs a record", limit=None),
        Result(name="rescue.peak_memory", value=peak_mb, unit="MB", limit=256),
    ]


def _strand(broker: kafka.Broker) -> list[dict[str, Any]]:
    """Records of 1 KB in partitions of a topic; the range of each.

    Raises:
        NotMeasured: the broker did not take one.
    """
    broker.admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])[TOPIC].result(20)
    chosen: dict[str, Any] = {"bootstrap.servers": broker.bootstrap, "linger.ms": 50, "batch.size": 1_000_000}
    producer = Producer(chosen | {"acks": 1})
    for number in range(RECORDS):
        key = b"%d" % number
        while True:
            try:
                producer.produce(TOPIC, _VALUE, key, partition=number % PARTITIONS, headers=[("n", key)])
                break
            except BufferError:
                producer.poll(0.1)
    if refused := producer.flush(120):
        raise NotMeasured(f"the broker did not take {refused:,} records")
    ends = [RECORDS // PARTITIONS + (number < RECORDS % PARTITIONS) for number in range(PARTITIONS)]
    return [{"topic": TOPIC, "partition": number, "begin": 0, "end": end} for number, end in enumerate(ends)]


def _deploy(endpoint: str, bootstrap: str) -> None:
    """The plan, whose site to be read is at that broker, and the lease, as `claim` leaves it."""
    nowhere = "127.0.0.1:9"
    addresses = {
        site: fixture_plan.SiteAddresses(
            cluster_id=f"lkc-{site}01", bootstrap=bootstrap, rest=f"http://{nowhere}", balancer=nowhere
        )
        for site in fixture_plan.API_KEYS
    }
    document = fixture_plan.plan_document(
        addresses, client_bootstrap=nowhere, nameserver=nowhere, zone_id="Z1", policy={}
    )
    state = {"active": STANDBY, "holder": EXECUTION, "pk": f"plan#{PLAN}", "sk": "state"}
    lease = {name: {"S": value} for name, value in state.items()} | {"epoch": {"N": "2"}}
    for item in (plan_item(PLAN, yaml.safe_dump(document | {"rescue": _RESCUE})), lease):
        client(endpoint, "dynamodb").put_item(TableName="ledger", Item=item)


def _execution() -> dict[str, Any]:
    return {
        "plan": PLAN,
        "epoch": 2,
        "name": EXECUTION,
        "kind": "restore",
        "from": HOME,
        "to": STANDBY,
        "claimed_at": time.time(),
    }
