"""What a gateway costs in throughput: a producer of 1 KB records, straight to a cluster and through a gateway, in turn.

Both ways end at the same mock cluster, without the guard, on the same machine in the same minute: read the ratio, not
the numbers. Producer, gateway and cluster share its processors.
"""

from __future__ import annotations

import statistics
import time
from typing import Final

from confluent_kafka import Consumer, Producer, TopicPartition

from bench.gateway_world import World, world
from bench.result import NotMeasured, Result

RECORD: Final = b"\xa5" * 1024
RECORDS: Final = 500_000
TOPIC: Final = "throughput"
ROUNDS: Final = 5


class NotDelivered(RuntimeError):
    """A record of the measurement was not acknowledged, so the time says nothing."""


def results() -> list[Result]:
    """The share of the direct throughput that is left through a gateway, in percent, and both rates.

    Raises:
        NotMeasured: if a record was not acknowledged.
    """
    try:
        with world("east") as here:
            rates = measure(here)
    except NotDelivered as error:
        raise NotMeasured(str(error)) from error
    return [
        Result(name="gateway.throughput.direct", value=rates["direct_mb_s"], unit="MB/s", limit=None),
        Result(name="gateway.throughput.through", value=rates["gateway_mb_s"], unit="MB/s", limit=None),
        Result(name="gateway.throughput.share", value=100 * rates["ratio"], unit="%", limit=65, at_least=True),
    ]


def measure(here: World, records: int = RECORDS, rounds: int = ROUNDS) -> dict[str, float]:
    """`direct_mb_s` and `gateway_mb_s`: medians of the rounds, in 10^6 bytes a second; `ratio`: the median of theirs.

    Raises:
        NotDelivered: if a record was not acknowledged.
    """
    rates: dict[str, list[float]] = {"direct": [], "gateway": []}
    ways = {"direct": here.clusters["east"], "gateway": here.gateway}
    for bootstrap in ways.values():
        _rate(bootstrap, records // 10)
    for _ in range(rounds):
        for way, bootstrap in ways.items():
            rates[way].append(_rate(bootstrap, records))
    direct, gateway = statistics.median(rates["direct"]), statistics.median(rates["gateway"])
    ratios = [through / straight for through, straight in zip(rates["gateway"], rates["direct"], strict=True)]
    return {"direct_mb_s": direct, "gateway_mb_s": gateway, "ratio": statistics.median(ratios)}


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
    unsent = producer.flush(60)
    seconds = time.perf_counter() - started
    written = _written(bootstrap) - before
    if unsent or written != records:
        raise NotDelivered(f"of {records} records through {bootstrap} {written} were written, {unsent} are still to go")
    return records * len(RECORD) / seconds / 1e6


def _written(bootstrap: str) -> int:
    """How many records the cluster has ever taken."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "throughput", "log_level": 0})
    try:
        partitions = consumer.list_topics(TOPIC, timeout=10).topics[TOPIC].partitions
        ends = (
            consumer.get_watermark_offsets(TopicPartition(TOPIC, partition), timeout=10) for partition in partitions
        )
        return sum(high for _, high in ends)
    finally:
        consumer.close()
