"""A practice outlives a name that is used up, a pause and a message that is refused, but no person's no."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from failover.errors import LedgerRejected
from failover.execution.runs import Run
from failover.readiness.practice_report import practices
from tests.functions.test_run_practice import BACK, THERE, Call, Practice, book, set_plan, stop

RUNNING = Run("RUNNING")


@pytest.fixture
def practice(deployed: Callable[..., Any], call: Call, plan_text: str, monkeypatch: pytest.MonkeyPatch) -> Practice:
    machine = deployed("stepfunctions").create_state_machine(
        name="switchover", definition="{}", roleArn="arn:aws:iam::123456789012:role/states"
    )["stateMachineArn"]
    monkeypatch.setenv("SWITCHOVER_MACHINE_ARN", machine)
    set_plan(deployed, plan_text)
    return Practice(call, deployed, machine)


def test_a_way_back_that_ended_before_it_claimed_uses_up_no_more_than_its_name(
    practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    practice.go_on()
    practice.play(THERE)
    practice.go_on()
    stop(practice, BACK)
    over = Run("FAILED", time.time())
    monkeypatch.setattr("failover.execution.runs.describe_run", lambda arn: over if arn.endswith(BACK) else RUNNING)
    assert practice.go_on()["status"] == "waiting" and f"{BACK}-2" not in practice.started(), "not at once"
    later = time.time() + 61
    monkeypatch.setattr("time.time", lambda: later)
    assert practice.go_on()["status"] == "waiting" and f"{BACK}-2" in practice.started()
    practice.play(f"{BACK}-2", "stood-down", why="mirrors trail")
    monkeypatch.setattr("time.time", lambda: later + 100)
    practice.go_on()
    practice.play(f"{BACK}-3")
    assert practice.go_on()["observed"]["outcome"] == "succeeded"


def test_telling_that_is_refused_changes_no_outcome(practice: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    practice.go_on()
    practice.play(THERE, "stood-down", why="a doubt")

    def refuse(**_: Any) -> None:
        raise LedgerRejected("this role may not")

    monkeypatch.setattr("failover.readiness.practice_report.notify_at_least_once", refuse)
    assert practice.go_on()["observed"]["outcome"] == "stood-down"


def test_the_schedule_does_not_ask_again_what_a_person_denied(practice: Practice, plan_text: str) -> None:
    always = {"windows": [{"begins": "00:00", "ends": "00:00"}]}
    set_plan(practice.aws, plan_text, {"by_hand": "approve"}, practice=always)
    practice.go_on(scheduled=True)
    practice.claim(THERE)
    answered = {"token": "t", "answer": "deny", "answered_by": "bob", "answered_at": "1", "answered_why": "not now"}
    book().put("orders", f"approval#{THERE}", answered)
    practice.play(THERE, "stood-down", why="a person denied it: bob: not now")
    assert practice.go_on(scheduled=True)["observed"]["outcome"] == "stood-down"
    again = {"plan": "orders", "scheduled": True}
    answer = practice.call("run_practice", {"start": again, "practice": "orders-practice-2"})
    assert answer["status"] == "done" and "bob: not now" in answer["observed"]["why"]
    assert list(practice.started()) == [THERE]
    by_hand = practice.call("run_practice", {"start": {"plan": "orders", "by": "anna"}, "practice": "by-hand"})
    assert by_hand["status"] == "waiting" and "by-hand-there" in practice.started()


def test_what_is_due_and_held_back_begins_in_the_same_window_once_nothing_does(
    practice: Practice, plan_text: str
) -> None:
    set_plan(practice.aws, plan_text, practice={"windows": [{"begins": "00:00", "ends": "00:00"}]})
    book().pause("orders", "bob: wait")
    assert practice.go_on(scheduled=True)["status"] == "waiting" and practice.started() == {}
    held_back = practice.go_on(scheduled=True, last_chance=True)
    assert (held_back["status"], practices(book(), "orders")) == ("done", []), "it is no practice that failed"
    book().resume("orders")
    practice.go_on(scheduled=True)
    assert THERE in practice.started()
