"""Offsets are not contiguous: where a reader was shown no record is counted as such, and never before it is proven."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, TopicPartition

from failover.errors import KafkaUnauthorized, KafkaUnavailable
from failover.kafka.range_reader import Part, RangeReader, partitions_of

SPOT = ("orders", 0)


@dataclass
class Shown:
    """What a broker shows at an offset: a record, the end of the log, or an error."""

    at: int
    code: int | None = None

    def topic(self) -> str:
        return SPOT[0]

    def partition(self) -> int:
        return SPOT[1]

    def offset(self) -> int:
        return self.at

    def error(self) -> KafkaError | None:
        return None if self.code is None else KafkaError(self.code)


def end_of_log(at: int) -> Shown:
    return Shown(at, KafkaError._PARTITION_EOF)


@dataclass
class Consumer:
    """A consumer whose broker shows what a test says."""

    script: list[list[Shown]] = field(default_factory=list)
    watermarks: tuple[int, int] = (0, 0)
    assigned: list[tuple[int, int]] = field(default_factory=list)

    def __call__(self, settings: dict[str, Any]) -> Consumer:
        self.settings = settings
        return self

    def incremental_assign(self, rows: list[TopicPartition]) -> None:
        self.assigned += [(row.partition, row.offset) for row in rows]

    def incremental_unassign(self, rows: list[TopicPartition]) -> None:
        pass

    def consume(self, count: int, timeout: float) -> list[Shown]:
        return self.script.pop(0) if self.script else []

    def get_watermark_offsets(self, row: TopicPartition, timeout: float) -> tuple[int, int]:
        return self.watermarks

    def close(self) -> None:
        pass


@pytest.fixture
def consumer(monkeypatch: pytest.MonkeyPatch) -> Consumer:
    consumer = Consumer()
    monkeypatch.setattr("failover.kafka.range_reader.Consumer", consumer)
    return consumer


def read(consumer: Consumer, begin: int, end: int, *script: list[Shown]) -> list[Part]:
    consumer.script = list(script)
    with RangeReader({"bootstrap.servers": "east:9092"}) as reader:
        reader.add({SPOT: (begin, end)})
        parts = [part for _ in script for part in reader.read(0.0)]
        assert reader.unread == (set() if parts and parts[-1].end == end else {SPOT})
    return parts


def accounts(parts: list[Part]) -> list[tuple[int, int, int]]:
    return [(part.begin, part.end, len(part.messages)) for part in parts]


def test_a_record_behind_a_gap_proves_that_there_is_none_in_it(consumer: Consumer) -> None:
    assert accounts(read(consumer, 0, 10, [Shown(0), Shown(4)], [Shown(9)])) == [(0, 5, 2), (5, 10, 1)]


def test_a_marker_at_the_end_is_proven_by_the_end_of_the_log(consumer: Consumer) -> None:
    assert accounts(read(consumer, 0, 10, [Shown(8)], [end_of_log(10)])) == [(0, 9, 1), (9, 10, 0)]


def test_a_range_without_any_record_is_proven_too(consumer: Consumer) -> None:
    assert accounts(read(consumer, 3, 10, [end_of_log(10)])) == [(3, 10, 0)]


def test_the_end_of_a_log_that_is_not_there_yet_proves_no_more_than_itself(consumer: Consumer) -> None:
    assert accounts(read(consumer, 0, 10, [end_of_log(7)], [end_of_log(7)])) == [(0, 7, 0)]


def test_records_after_the_range_prove_its_end_and_are_not_of_it(consumer: Consumer) -> None:
    assert accounts(read(consumer, 0, 10, [Shown(8), Shown(12), Shown(13)])) == [(0, 10, 1)]


def test_what_expired_is_gone_and_what_is_left_is_read(consumer: Consumer) -> None:
    consumer.watermarks = (6, 20)
    parts = read(consumer, 0, 10, [Shown(0, KafkaError._AUTO_OFFSET_RESET)], [Shown(9)])
    assert [(part.end, part.gone) for part in parts] == [(6, 6), (10, 0)]
    assert consumer.assigned == [(0, 0), (0, 6)]


def test_of_a_topic_made_anew_all_is_gone(consumer: Consumer) -> None:
    consumer.watermarks = (0, 2)
    parts = read(consumer, 5, 10, [Shown(5, KafkaError._AUTO_OFFSET_RESET)])
    assert [(part.end, part.gone) for part in parts] == [(10, 5)]


@pytest.mark.parametrize("watermarks", [(-1001, -1001), (-1, 20), (0, -1)])
def test_a_sentinel_in_place_of_a_logs_begin_or_end_makes_nothing_gone(
    consumer: Consumer, watermarks: tuple[int, int]
) -> None:
    consumer.watermarks = watermarks
    with pytest.raises(KafkaUnavailable, match="no offsets"):
        read(consumer, 5, 10, [Shown(5, KafkaError._AUTO_OFFSET_RESET)])


def test_an_offset_that_is_there_after_all_is_read(consumer: Consumer) -> None:
    consumer.watermarks = (0, 20)
    parts = read(consumer, 5, 10, [Shown(5, KafkaError._AUTO_OFFSET_RESET)], [Shown(9)])
    assert [(part.end, part.gone) for part in parts] == [(10, 0)]
    assert consumer.assigned == [(0, 5), (0, 5)]


def test_an_error_that_passes_proves_nothing(consumer: Consumer) -> None:
    assert read(consumer, 0, 10, [Shown(0, KafkaError.NOT_LEADER_FOR_PARTITION)]) == []


def test_who_may_not_read_is_told_so(consumer: Consumer) -> None:
    with pytest.raises(KafkaUnauthorized, match=r"orders\[0\]"):
        read(consumer, 0, 10, [Shown(0, KafkaError.TOPIC_AUTHORIZATION_FAILED)])


def test_open_and_aborted_transactions_are_read_too_and_bytes_are_checked(consumer: Consumer) -> None:
    read(consumer, 0, 10)
    assert consumer.settings["isolation.level"] == "read_uncommitted"
    assert consumer.settings["check.crcs"] is True


def test_a_full_queue_is_filled_again_before_it_is_empty(consumer: Consumer) -> None:
    """At 50,000 records of 1 KB a second."""
    read(consumer, 0, 10)
    seconds = consumer.settings["queued.max.messages.kbytes"] / 50_000
    assert consumer.settings["fetch.queue.backoff.ms"] / 1000 < seconds / 2


@pytest.mark.parametrize(
    ("code", "known"),
    [(KafkaError.UNKNOWN_TOPIC_OR_PART, []), (KafkaError.LEADER_NOT_AVAILABLE, None), (None, [0, 1])],
)
def test_a_topic_that_a_cluster_can_not_tell_of_now_is_not_one_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, code: int | None, known: list[int] | None
) -> None:
    described = SimpleNamespace(error=None if code is None else KafkaError(code), partitions={1: None, 0: None})
    consumer = SimpleNamespace(
        list_topics=lambda *_, **__: SimpleNamespace(topics={"orders": described}), close=lambda: None
    )
    monkeypatch.setattr("failover.kafka.range_reader.Consumer", lambda _: consumer)
    chosen = {"bootstrap.servers": "kafka:9092"}
    if known is None:
        with pytest.raises(KafkaUnavailable, match="tells nothing of orders now"):
            partitions_of(chosen, "orders")
    else:
        assert partitions_of(chosen, "orders") == known
