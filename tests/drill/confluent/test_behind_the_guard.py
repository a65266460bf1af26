"""The link and the guarded cluster together: no client's write gets into a mirror before it is STOPPED."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, Producer

from drill.process import Child, spawn
from tests.patience import eventually


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Child]:
    child = spawn("drill.kafka.cluster", {"site": "west"}, log=tmp_path / "kafka-west.log")
    yield child
    child.stop()


@pytest.mark.slow
def test_writes_are_refused_until_stopped_and_none_slips_in(
    start: Callable[..., Any], source: Any, guarded: Child
) -> None:
    """A producer that never stops trying: what it is acknowledged begins exactly where the link's records end."""
    source.produce("orders", [b"%d" % n for n in range(30)])
    raw = guarded.ready["raw_bootstrap"]
    west = start(raw_bootstrap=raw, admin=guarded.ready["admin"], stop_delay_s=0.5)
    eventually(lambda: west.lag() == (0, 30))
    refused: list[int] = []
    accepted: list[tuple[int, float]] = []

    def delivered(error: Any, message: Any) -> None:
        if error is None:
            accepted.append((message.offset(), time.monotonic()))
        else:
            refused.append(error.code())

    producer = Producer({"bootstrap.servers": guarded.ready["bootstrap"], "linger.ms": 0, "log_level": 0})

    def knock() -> None:
        producer.produce("orders", b"client", partition=0, on_delivery=delivered)
        producer.flush(5)

    for _ in range(5):
        knock()
    west.verb("failover", ["orders", "payments"])
    before = after = ""
    while not accepted:
        before = west.status()
        knock()
        after = west.status()
    assert len(refused) > 5 and set(refused) == {KafkaError.INVALID_REQUEST}
    assert "STOPPED" in (before, after) or eventually(lambda: west.status() == "STOPPED", 2.0)
    eventually(lambda: west.status() == "STOPPED")
    assert accepted[0][0] == 30 == west.promoted()["orders"]["0"]
