"""What a practice's executions are called and whose yes they have, and what a plan that was never claimed stands at."""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from failover.detection.rounds import Round
from failover.execution.practice import LONGEST_S, approved_there, way_there, ways_back
from failover.ledger.execution import Execution
from failover.ledger.records import ExecutionRecord, plan_state

THERE = ExecutionRecord(
    name="p-1-there",
    epoch=7,
    kind="switchover",
    status="succeeded",
    started_at=0.0,
    from_site="east",
    to_site="west",
    document={},
    ended_at=time.time() - 600.0,
)
BACK = Execution(
    plan="orders",
    epoch=8,
    name="p-1-back",
    kind="switchover",
    from_site="west",
    to_site="east",
    practice="p-1",
    claimed_at=0.0,
)


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


@pytest.mark.parametrize(
    ("back", "there", "answer", "by"),
    [
        ({}, {}, "approve", "Ada"),
        ({"name": "p-1-back-3", "epoch": 10}, {}, "approve", "Ada"),
        ({"name": "p-1-back-3", "epoch": 11}, {}, "approve", None),
        ({"epoch": 7}, {}, "approve", None),
        ({"name": "by-hand"}, {}, "approve", None),
        ({"from_site": "east", "to_site": "west"}, {}, "approve", None),
        ({}, {"status": "stood-down"}, "approve", None),
        ({}, {"status": "failed"}, "approve", None),
        ({}, {"ended_at": time.time() - LONGEST_S - 60.0}, "approve", None),
        ({}, {}, "deny", None),
        ({}, {}, None, None),
        ({}, None, "approve", None),
    ],
)
def test_a_yes_to_the_way_there_is_one_to_the_ways_back_that_are_next_to_it(
    back: dict[str, Any], there: dict[str, Any] | None, answer: str | None, by: str | None
) -> None:
    answered = {"answered_by": "Ada", "answered_at": "0", "answered_why": ""}
    book: Any = SimpleNamespace(
        execution=lambda _, name: None if there is None or name != THERE.name else replace(THERE, **there),
        item=lambda *_: answered | {"answer": answer} if answer else {},
    )
    assert approved_there(book, BACK.model_copy(update=back)) == by
