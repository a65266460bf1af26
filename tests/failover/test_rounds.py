"""Of the rounds of two minutes that come at once, the older ones are left alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from failover.detection.rounds import AHEAD_S, Minutes, Round
from failover.errors import UnknownPlan
from failover.plan.model import parse

NOW = 1_800_000_000.0
MINUTE = datetime.fromtimestamp(NOW, UTC)
BAD = UnknownPlan("it is not deployed")


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


def test_a_round_is_for_the_plans_that_are_deployed_and_names_the_others(plan_text: str) -> None:
    minutes, plan = Minutes(), parse(plan_text)
    assert minutes.superseded(of("orders")) == ()
    due = minutes.due(of("orders", "payments", "refunds", "returns", seconds=-60), {"payments": plan, "refunds": BAD})
    assert (due.plans, due.undeployed, due.superseded) == ({"payments": plan}, ["refunds", "returns"], ("orders",))


def test_a_round_is_for_one_plan_at_least() -> None:
    assert Round(plans=("orders",)).scheduled_at is None
    with pytest.raises(ValidationError, match="plans"):
        Round(plans=())
