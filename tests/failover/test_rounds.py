"""Of the rounds of two minutes that come at once, the older ones are left alone; and what a container remembers of the
lag is gone on from for a moment only."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from failover.detection.rounds import AHEAD_S, Minutes, Round
from failover.loss.lag_record import REMEMBERED_S, WRITTEN_EVERY_S, LagRecord
from failover.loss.samples import SourceLiveness

NOW = 1_800_000_000.0
MINUTE = datetime.fromtimestamp(NOW, UTC)


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: NOW)


def of(*plans: str, seconds: float | None = 0.0) -> Round:
    scheduled = None if seconds is None else MINUTE + timedelta(seconds=seconds)
    return Round(plans=plans, scheduled_at=scheduled)


def test_a_round_of_an_older_minute_is_left_alone_for_the_plans_that_have_begun_a_newer_one() -> None:
    minutes = Minutes()
    assert minutes.superseded(of("orders", "payments", seconds=-60)) == ()
    assert minutes.superseded(of("orders")) == ()
    assert minutes.superseded(of("orders")) == (), "the rounds of one minute are of one minute"
    assert minutes.superseded(of("orders", "payments", seconds=-60)) == ("orders",)
    assert minutes.superseded(of("orders", "payments", seconds=-60)) == ("orders",), "the newest stays so"
    assert minutes.superseded(of("payments")) == ()


def test_a_minute_that_no_schedule_has_yet_supersedes_none() -> None:
    minutes = Minutes()
    assert minutes.superseded(of("orders", seconds=AHEAD_S + 1)) == minutes.superseded(of("orders", seconds=None)) == ()
    assert minutes.superseded(of("orders")) == ()
    assert minutes.superseded(of("orders", seconds=AHEAD_S)) == ()
    assert minutes.superseded(of("orders")) == ("orders",)


def looked(at: float | None, **more: float | None) -> SourceLiveness:
    return SourceLiveness(looked_at=at, **more)


@pytest.mark.parametrize(
    ("looked_at", "source", "remembered"),
    [
        (NOW, "east", True),
        (NOW - REMEMBERED_S, "east", True),
        (NOW - REMEMBERED_S - 1, "east", False),
        (NOW + 1, "east", False),
        (None, "east", False),
        (NOW, "west", False),
    ],
)
def test_a_container_goes_on_from_what_it_remembers_for_a_moment_and_for_that_source_only(
    looked_at: float | None, source: str, remembered: bool
) -> None:
    assert LagRecord(source="east", watch=looked(looked_at)).is_remembered(source, NOW) is remembered


@pytest.mark.parametrize(
    ("watch", "written", "due"),
    [
        (looked(NOW), looked(NOW - WRITTEN_EVERY_S), True),
        (looked(NOW), looked(NOW - WRITTEN_EVERY_S + 1), False),
        (looked(NOW), looked(None), True),
        (looked(NOW, unanswered_since=NOW), looked(NOW - 1), True),
        (looked(NOW, unanswered_since=NOW), looked(NOW - 1, unanswered_since=NOW - 1), False),
        (looked(NOW), looked(NOW - 1, unanswered_since=NOW - 1), True),
        (looked(NOW, low_since=NOW), looked(NOW - 1), True),
        (looked(NOW), looked(NOW - 1, low_since=NOW - 1), True),
        (looked(NOW, low_since=NOW - 1), looked(NOW - 1, low_since=NOW - 1), False),
    ],
)
def test_what_changed_is_written_at_once_and_what_did_not_now_and_then(
    watch: SourceLiveness, written: SourceLiveness, due: bool
) -> None:
    assert LagRecord(source="east", watch=watch, written_watch=written).is_due is due
