"""Untouched clients of default settings go over to the other cluster, and the account of it holds together."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drill.clients.families import KAFKA_PYTHON, FamilyMissing
from drill.clients.read_log import read_cluster
from drill.clients.record_log import consumer_log, producer_log
from drill.clients.stop import finish
from drill.record_accounting import account
from tests.patience import eventually

TOPICS = ["orders", "payments"]


@pytest.mark.slow
def test_untouched_clients_go_over_and_every_record_is_accounted_for(
    two_sites: Any, copier: Callable[[str, str], Any], tmp_path: Path
) -> None:
    copying = copier(two_sites.raw("east"), two_sites.raw("west"))
    logs = tmp_path / "producer.rec", tmp_path / "consumer.rec"
    clients = {"bootstrap": two_sites.bootstrap, "topics": TOPICS}
    producer = two_sites.spawn("drill.clients.producer", {**clients, "rate": 200, "log": str(logs[0])}, "producer")
    consumer = two_sites.spawn(
        "drill.clients.consumer", {**clients, "group": "fulfilment", "log": str(logs[1])}, "consumer"
    )
    eventually(lambda: len(consumer_log(logs[1]).received) > 400)
    promoted = copying.stop()
    time.sleep(0.5)
    killed_at = two_sites.lose_east()
    time.sleep(1.5)
    flipped_at = two_sites.flip()
    eventually(lambda: consumer_log(logs[1]).received[-1].at > flipped_at + 2)
    assert finish(producer)
    sent = producer_log(logs[0]).sent[-1].n
    eventually(lambda: any(r.n == sent for r in consumer_log(logs[1]).received[-500:]))
    assert finish(consumer)

    standby = read_cluster(two_sites.raw("west"), TOPICS)
    written, read = producer_log(logs[0]), consumer_log(logs[1])
    found = account(written, read, standby, killed_at=killed_at, promoted=promoted, writable_at=flipped_at)
    assert found.unmeasured == ()
    assert found.recovered
    assert (found.failed, found.undecided) == (0, 0)
    assert found.rto_s is not None
    assert found.rto_s > flipped_at - killed_at
    mirrored = sum(end for ends in promoted.values() for end in ends.values())
    assert found.acknowledged_by_standby == len(standby.records) - mirrored
    # What was acknowledged after the copying stopped is lost, but for records on their way when it did.
    assert found.lost is not None
    assert found.lost > 50
    assert found.acknowledged == found.lost + len({record.n for record in standby.records})


@pytest.mark.exhaustive
def test_untouched_clients_of_kafka_python_go_over(
    two_sites: Any, copier: Callable[[str, str], Any], tmp_path: Path
) -> None:
    family = KAFKA_PYTHON
    try:
        python = family.interpreter()
    except FamilyMissing as missing:
        pytest.skip(str(missing))
    copying = copier(two_sites.raw("east"), two_sites.raw("west"))
    logs = tmp_path / "writer.rec", tmp_path / "reader.rec"
    clients = {"bootstrap": two_sites.bootstrap, "topics": TOPICS}
    writing = {**clients, "rate": 50, "log": str(logs[0])}
    writer = two_sites.spawn(family.writer, writing, "writer", python=python)
    eventually(lambda: len(producer_log(logs[0]).acknowledged) > 20)
    reading = {**clients, "group": "fulfilment", "log": str(logs[1])}
    reader = two_sites.spawn(family.reader, reading, "reader", python=python)
    eventually(lambda: len(consumer_log(logs[1]).received) > 100)
    promoted = copying.stop()
    killed_at = two_sites.lose_east()
    time.sleep(1.5)
    flipped_at = two_sites.flip()
    eventually(lambda: consumer_log(logs[1]).received[-1].at > flipped_at + 2)
    assert finish(writer)
    assert finish(reader)
    standby = read_cluster(two_sites.raw("west"), TOPICS)
    written, read = producer_log(logs[0]), consumer_log(logs[1])
    found = account(written, read, standby, killed_at=killed_at, promoted=promoted, writable_at=flipped_at)
    assert found.unmeasured == ()
    assert found.first_acknowledged_by_standby is not None and found.first_acknowledged_by_standby > flipped_at
    assert found.first_consumed_from_standby is not None and found.first_consumed_from_standby > flipped_at
