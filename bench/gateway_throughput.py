"""What a gateway costs in throughput: a producer of 1 KB records, straight to a cluster and through a gateway, in turn.

Both ways end at the same mock cluster, without the guard, on the same machine in the same minute: read the ratio, not
the numbers. Producer, gateway and cluster share its processors.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import yaml
from confluent_kafka import Consumer, Producer, TopicPartition

from bench.result import NotMeasured, Result
from drill.ports import free_ports
from drill.process import spawn

RECORD: Final = b"\xa5" * 1024
RECORDS: Final = 500_000
TOPIC: Final = "throughput"
ROUNDS: Final = 5
BROKERS: Final = 3


class NotDelivered(RuntimeError):
    """A record of the measurement was not acknowledged, so the time says nothing."""


def results() -> list[Result]:
    """The share of the direct throughput that is left through a gateway, in percent, and both rates.

    Raises:
        NotMeasured: if a record was not acknowledged.
    """
    try:
        rates = measure()
    except NotDelivered as error:
        raise NotMeasured(str(error)) from error
    return [
        Result("gateway.throughput.direct", rates["direct_mb_s"], "MB/s", None),
        Result("gateway.throughput.through", rates["gateway_mb_s"], "MB/s", None),
        Result("gateway.throughput.share", 100 * rates["ratio"], "%", 50, at_least=True),
    ]


def measure(records: int = RECORDS, rounds: int = ROUNDS) -> dict[str, float]:
    """`direct_mb_s` and `gateway_mb_s`: medians of the rounds, in 10^6 bytes a second; `ratio`: the median of theirs.

    Raises:
        NotDelivered: if a record was not acknowledged.
    """
    rates: dict[str, list[float]] = {"direct": [], "gateway": []}
    with _bootstraps() as bootstraps:
        for bootstrap in bootstraps.values():
            _rate(bootstrap, records // 10)
        for _ in range(rounds):
            for way, bootstrap in bootstraps.items():
                rates[way].append(_rate(bootstrap, records))
    direct, gateway = statistics.median(rates["direct"]), statistics.median(rates["gateway"])
    ratios = [through / straight for through, straight in zip(rates["gateway"], rates["direct"], strict=True)]
    return {"direct_mb_s": direct, "gateway_mb_s": gateway, "ratio": statistics.median(ratios)}


@contextmanager
def _bootstraps() -> Iterator[dict[str, str]]:
    """A cluster, and a gateway in front of it: where each is bootstrapped from."""
    with tempfile.TemporaryDirectory() as logs:
        cluster = spawn("drill.kafka.cluster", {"site": "bench", "brokers": BROKERS}, log=Path(logs) / "kafka.log")
        try:
            raw = str(cluster.ready["raw_bootstrap"])
            endpoint = f"127.0.0.1:{free_ports(1 + BROKERS)}"
            environment = {"GATEWAY_CONFIG": yaml.safe_dump(_gateway_config(raw.split(",")[0], endpoint))}
            settings = {"own_ports": True}
            gateway = spawn("drill.gateway.instance", settings, log=Path(logs) / "gateway.log", env=environment)
            try:
                yield {"direct": raw, "gateway": endpoint}
            finally:
                gateway.stop()
        finally:
            cluster.stop()


def _gateway_config(bootstrap: str, endpoint: str) -> dict[str, object]:
    cluster = {
        "name": "bench",
        "bootstrapServers": [{"id": "all", "endpoint": bootstrap}],
        "nodeIdRanges": [{"name": "brokers", "start": 1, "end": BROKERS}],
    }
    route = {
        "name": "bench",
        "endpoint": endpoint,
        "brokerIdentificationStrategy": {"type": "port"},
        "streamingDomain": {"name": "bench", "bootstrapServerId": "all"},
        "security": {"auth": "passthrough"},
    }
    domain = {"name": "bench", "type": "kafka", "kafkaCluster": cluster}
    return {"gateway": {"name": "bench", "streamingDomains": [domain], "routes": [route]}}


def _rate(bootstrap: str, records: int) -> float:
    """Millions of value bytes a second, from the first record given to the producer to the last acknowledged."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "linger.ms": 20,
            "batch.size": 1_000_000,
            "queue.buffering.max.messages": 200_000,
            "queue.buffering.max.kbytes": 1_000_000,
            "log_level": 0,
        }
    )
    producer.produce(TOPIC, RECORD)
    producer.flush(30)
    before = _written(bootstrap)
    started = time.perf_counter()
    for _ in range(records):
        while True:
            try:
                producer.produce(TOPIC, RECORD)
                break
            except BufferError:
                producer.poll(0.005)
    left = producer.flush(60)
    seconds = time.perf_counter() - started
    written = _written(bootstrap) - before
    if left or written != records:
        raise NotDelivered(f"of {records} records through {bootstrap} {written} were written, {left} are still to go")
    return records * len(RECORD) / seconds / 1e6


def _written(bootstrap: str) -> int:
    """How many records the cluster has ever taken."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "throughput", "log_level": 0})
    try:
        partitions = consumer.list_topics(TOPIC, timeout=10).topics[TOPIC].partitions
        ends = (consumer.get_watermark_offsets(TopicPartition(TOPIC, each), timeout=10) for each in partitions)
        return sum(high for _, high in ends)
    finally:
        consumer.close()


if __name__ == "__main__":
    for name, value in measure().items():
        print(f"{name:14} {value:8.2f}")
