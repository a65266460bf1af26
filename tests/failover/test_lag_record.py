"""The lag of a plan's mirrors from look to look: how long a container may go on from memory, and what is written."""

from __future__ import annotations

from typing import Any

import pytest

from failover.link import Mirror, PartitionLag
from failover.loss.lag_record import REMEMBERED_S, WRITTEN_EVERY_S, LagRecord, Look
from failover.loss.samples import SourceLiveness

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
