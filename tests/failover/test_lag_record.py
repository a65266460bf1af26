"""The lag of a plan's mirrors from look to look: how long a container may go on from memory, and what is written."""

from __future__ import annotations

from typing import Any

import pytest

from failover.ledger.ledger import Ledger
from failover.link import Mirror, PartitionLag
from failover.loss.lag_record import REMEMBERED_S, WRITTEN_EVERY_S, LagRecord, Look, add_look, load_lag
from failover.loss.samples import APART_S, FETCH_S, LOOKS_APART_S, SourceLiveness
from failover.plan.model import Plan, parse
from tests.ledger_in_memory import DynamoDB

NOW = 1_800_000_000.0
LOW_LAG = 10


def mirror(records: int | None, status: str = "ACTIVE") -> Mirror:
    return Mirror(topic=f"orders-{status}", status=status, lags=(PartitionLag(0, records, 100),))


def look(*mirrors: Mirror, began: float = NOW, answers: bool | None = True) -> Look:
    return Look(began=began, ended=began + 0.1, mirrors=mirrors, source_answers=answers)


def record(now: SourceLiveness, written: SourceLiveness | None = None) -> LagRecord:
    return LagRecord(source="east", watch=now, written_watch=written or now)


@pytest.mark.parametrize(
    ("source", "looked_at", "remembered"),
    [
        ("east", NOW, True),
        ("east", NOW - REMEMBERED_S, True),
        ("east", NOW - REMEMBERED_S - 0.1, False),
        ("east", NOW + 0.5, False),
        ("east", None, False),
        ("west", NOW, False),
    ],
    ids=["just now", "young", "old", "of a clock that was set back", "of no look", "of the other direction"],
)
def test_only_what_is_young_and_of_the_same_source_is_gone_on_from(
    source: str, looked_at: float | None, remembered: bool
) -> None:
    assert record(SourceLiveness(looked_at=looked_at)).is_remembered(source, NOW) is remembered


SILENT: dict[str, Any] = {"unanswered_since": NOW - 20}
LOW: dict[str, Any] = {"low_since": NOW - 20}


@pytest.mark.parametrize(
    ("before", "now", "seconds", "due"),
    [
        ({}, {}, WRITTEN_EVERY_S - 0.1, False),
        ({}, {}, WRITTEN_EVERY_S, True),
        (SILENT | LOW, SILENT | LOW, 5.0, False),
        ({}, SILENT, 5.0, True),
        (SILENT, {}, 5.0, True),
        ({}, LOW, 5.0, True),
        (LOW, {}, 5.0, True),
        (LOW, SILENT, 5.0, True),
    ],
)
def test_it_is_written_every_half_minute_and_at_once_when_a_reader_would_want_to_know(
    before: dict[str, Any], now: dict[str, Any], seconds: float, due: bool
) -> None:
    written = SourceLiveness(looked_at=NOW - seconds, **before)
    assert record(SourceLiveness(looked_at=NOW, **now), written).is_due is due


@pytest.mark.parametrize("records", [LOW_LAG, LOW_LAG + 1])
def test_a_first_look_is_written_whatever_it_saw(records: int) -> None:
    assert LagRecord(source="east").with_look(look(mirror(records)), LOW_LAG).is_due


@pytest.mark.parametrize(
    ("mirrors", "low_since"),
    [
        ([mirror(LOW_LAG)], NOW),
        ([mirror(LOW_LAG + 1)], None),
        ([mirror(0), mirror(LOW_LAG + 1, "STOPPED")], NOW),
        ([mirror(LOW_LAG + 1), mirror(0, "STOPPED")], None),
        ([mirror(0, "STOPPED")], None),
    ],
)
def test_the_lag_is_low_by_the_mirrors_that_mirror_and_by_no_others(
    mirrors: list[Mirror], low_since: float | None
) -> None:
    """One that was stopped holds no failback up, and none is near because of one."""
    assert LagRecord(source="east").with_look(look(*mirrors), LOW_LAG).watch.low_since == low_since


def test_a_silent_source_is_known_to_be_silent_at_the_end_of_a_look_and_samples_are_of_its_begin() -> None:
    first = LagRecord(source="east").with_look(look(mirror(3)), LOW_LAG)
    after = first.with_look(look(mirror(3), began=NOW + 5, answers=False), LOW_LAG)
    assert (after.watch.unanswered_since, after.watch.sampled_at) == (NOW + 5.1, NOW + 5)
    assert after.samples == first.samples


def test_samples_closer_than_two_waits_for_a_fetch_are_of_one_moment() -> None:
    assert (FETCH_S, APART_S) == (1.0, 2.0)


@pytest.mark.parametrize(
    ("second", "since"),
    [
        (look(mirror(LOW_LAG), began=NOW + LOOKS_APART_S), NOW),
        (look(mirror(LOW_LAG), began=NOW + LOOKS_APART_S + 0.5), NOW + LOOKS_APART_S + 0.5),
        (look(mirror(LOW_LAG + 1), began=NOW + 5), None),
        (look(mirror(None), began=NOW + 5), None),
        (look(mirror(0), mirror(None, "FAILED"), began=NOW + 5), NOW),
        (look(began=NOW + 5), None),
        (look(mirror(0), began=NOW + 5, answers=False), None),
        (look(mirror(0), began=NOW + 5, answers=None), None),
    ],
    ids=[
        "a minute later",
        "later than that",
        "high",
        "unknown",
        "unknown of none that mirrors",
        "no mirror",
        "frozen",
        "not known to be fresh",
    ],
)
def test_the_lag_is_low_since_the_first_of_looks_without_a_break_or_a_doubt(second: Look, since: float | None) -> None:
    first = LagRecord(source="east").with_look(look(mirror(LOW_LAG)), LOW_LAG)
    assert first.watch.low_since == NOW
    assert first.with_look(second, LOW_LAG).watch.low_since == since


def test_the_lag_is_low_since_it_came_down() -> None:
    high = LagRecord(source="east").with_look(look(mirror(LOW_LAG + 1)), LOW_LAG)
    assert high.with_look(look(mirror(LOW_LAG), began=NOW + 5), LOW_LAG).watch.low_since == NOW + 5


@pytest.fixture
def plan(plan_text: str) -> Plan:
    return parse(plan_text)


def tables(dynamodb: DynamoDB) -> list[str]:
    """Which tables were put since this was asked last."""
    puts = [request["Item"]["sk"]["S"] for operation, request in dynamodb.requests if operation == "PutItem"]
    dynamodb.requests.clear()
    return sorted(sort.removeprefix("plan-table#") for sort in puts)


def mirror_at(fetched_to: int) -> Mirror:
    return Mirror(topic="orders", status="ACTIVE", lags=(PartitionLag(0, 3, fetched_to),))


def test_what_is_written_is_what_changed_and_only_when_it_is_due(dynamodb: DynamoDB, book: Ledger, plan: Plan) -> None:
    record = load_lag(book, plan, "east")
    assert record == LagRecord(source="east")
    record = add_look(book, plan, record, look(mirror_at(100)))
    assert tables(dynamodb) == ["samples-west", "watch"]
    assert load_lag(book, plan, "east") == record and record.written_watch == record.watch
    record = add_look(book, plan, record, look(mirror_at(200), began=NOW + 5))
    assert tables(dynamodb) == [] and record.written_samples != record.samples
    record = add_look(book, plan, record, look(mirror_at(300), began=NOW + 30))
    assert tables(dynamodb) == ["samples-west", "watch"]
    silent = add_look(book, plan, record, look(mirror_at(300), began=NOW + 35, answers=False))
    assert tables(dynamodb) == ["watch"], "no sample is new"
    assert load_lag(book, plan, "east").watch == silent.watch
    assert load_lag(book, plan, "west") == LagRecord(source="west")


def test_what_another_wrote_meanwhile_is_gone_on_from(book: Ledger, plan: Plan) -> None:
    first = add_look(book, plan, LagRecord(source="east"), look(mirror_at(100)))
    add_look(book, plan, first, look(mirror_at(100), began=NOW + 5, answers=False))
    late = add_look(book, plan, first, look(mirror_at(100), began=NOW + 40, answers=False))
    assert late.watch.unanswered_since == NOW + 5.1, "the silence began as the other saw it"
