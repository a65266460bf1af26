"""One call of the data path's `copy`, between two real mock clusters."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest

from drill.confluent import replication
from drill.confluent.kafka_topics import ensure_topics
from drill.confluent.replication import DataPath, MirrorDiverged, Range, Spot, admin_client, end_offsets
from tests.patience import eventually

ORDERS = Spot("orders", 0)
PAYMENTS = Spot("payments", 0)


def never() -> bool:
    return False


@pytest.fixture
def path(source: Any, local: Any) -> DataPath:
    source.produce("orders", [b"%d" % number for number in range(100)])
    made = DataPath(admin_client(local.bootstrap), source.bootstrap, local.bootstrap)
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


def test_a_topic_that_the_source_lacks_is_not_asked_for_its_end_again_until_it_is_there(
    path: DataPath, source: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """librdkafka may end the process over such a question."""
    asked: list[set[Spot]] = []

    def counted(admin: Any, spots: Collection[Spot], *rest: Any) -> dict[Spot, int]:
        asked.append(set(spots))
        return end_offsets(admin, spots, *rest)

    monkeypatch.setattr(replication, "end_offsets", counted)
    both = {ORDERS, PAYMENTS}
    eventually(lambda: path.high_watermarks(both, never) == {ORDERS: 100})
    asked.clear()
    assert path.high_watermarks(both, never) == {ORDERS: 100} and asked == [{ORDERS}]
    source.produce("payments", [b"1"])
    eventually(lambda: path.high_watermarks(both, never, was_there=True) == {ORDERS: 100, PAYMENTS: 1})
