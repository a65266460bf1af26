"""What a practice's executions are called, and what a plan that was never claimed stands at."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from failover.detection.rounds import Round
from failover.execution.practice import way_there, ways_back
from failover.ledger.records import plan_state


def test_a_practice_leads_there_once_and_back_in_three_attempts() -> None:
    assert way_there("p-1") == "p-1-there"
    assert ways_back("p-1") == ["p-1-back", "p-1-back-2", "p-1-back-3"]


def test_a_plan_that_was_paused_and_never_claimed_is_at_home_in_no_epoch() -> None:
    state = plan_state({"paused": "a change"}, "east")
    assert (state.active, state.epoch, state.paused, state.holder) == ("east", 0, "a change", None)


def test_a_round_is_for_one_plan_at_least() -> None:
    assert Round(plans=("orders",)).scheduled_at is None
    with pytest.raises(ValidationError):
        Round(plans=())
