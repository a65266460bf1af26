"""One call of the data path's `copy`, between two real mock clusters."""

from __future__ import annotations

from typing import Any

import pytest

from drill.confluent.kafka_topics import ensure_topics
from drill.confluent.replication import DataPath, MirrorDiverged, Range, Spot, admin_client

ORDERS = Spot("orders", 0)


def never() -> bool:
    return False


@pytest.fixture
def path(source: Any, local: Any) -> DataPath:
    source.produce("orders", [b"%d" % number for number in range(100)])
    made = DataPath(admin_client(source.bootstrap), admin_client(local.bootstrap), source.bootstrap, local.bootstrap)
    assert ensure_topics(admin_client(local.bootstrap), {"orders": None}) == {"orders": 4}
    return made


def values(cluster: Any) -> list[bytes]:
    return [message.value() for message in cluster.records("orders")]


def test_exactly_the_range_and_nothing_that_was_fetched_beside_it(path: DataPath, local: Any) -> None:
    assert path.copy({ORDERS: Range(0, 7)}, never) == {ORDERS: 7}
    assert values(local) == [b"%d" % number for number in range(7)]
    assert path.copy({ORDERS: Range(7, 40)}, never) == {ORDERS: 40}
    assert values(local) == [b"%d" % number for number in range(40)]


def test_what_is_urgent_is_not_kept_waiting_by_a_copy(path: DataPath, local: Any) -> None:
    assert path.copy({ORDERS: Range(0, 7)}, lambda: True) == {ORDERS: 0}
    assert local.end("orders") == 0


def test_a_range_the_source_does_not_fill_is_left_in_time(path: DataPath, local: Any) -> None:
    assert path.copy({ORDERS: Range(0, 500)}, never, limit_s=1.0) == {ORDERS: 100}


def test_a_record_that_got_another_offset_is_noticed(path: DataPath, local: Any) -> None:
    local.produce("orders", [b"stray"])
    with pytest.raises(MirrorDiverged, match="orders-0"):
        path.copy({ORDERS: Range(0, 1)}, never)


def test_a_source_lost_between_cycles_gives_nothing_more(path: DataPath, source: Any, local: Any) -> None:
    path.copy({ORDERS: Range(0, 7)}, never)
    source.kill()
    assert path.copy({ORDERS: Range(7, 100)}, never, limit_s=0.5) == {ORDERS: 7}
    assert local.end("orders") == 7
