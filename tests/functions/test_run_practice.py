"""A practice leads clients away and back, each way a switchover of its own; it never leads them from where somebody
else did, asks a second person once, and keeps what became of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
import yaml

from failover.aws.clients import client
from failover.container import forget
from failover.errors import FailoverStopped, MalformedEvent
from failover.execution.practice import approved_there
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.ledger.topic_tables import save_plan_table
from failover.readiness.practice import load_practice
from failover.readiness.practice_report import practices
from tests.functions.conftest import Message
from tests.plans import put_plan

Call = Callable[[str, dict[str, Any]], dict[str, Any]]
NAME = "orders-practice-1"
THERE, BACK = f"{NAME}-there", f"{NAME}-back"
DRAINED = {"partitions": 4, "behind": 0, "behind_by": 0, "not_drained": [], "growing": [], "not_told": []}


def book() -> Ledger:
    return Ledger(client("dynamodb"), "ledger")


@dataclass
class Practice:
    """A practice, and the switchovers that it starts, as their machine would play them."""

    call: Call
    aws: Callable[..., Any]
    machine: str

    def go_on(self, *, last_chance: bool = False, **start: Any) -> dict[str, Any]:
        """One call: `waiting` or `done`, and what it observed."""
        request = {"start": {"plan": "orders", "by": "anna", "stay_seconds": 0} | start, "practice": NAME}
        return self.call("run_practice", request | {"last_chance": last_chance})

    def started(self) -> dict[str, dict[str, Any]]:
        """The input of every switchover, by its name."""
        states = self.aws("stepfunctions")
        runs = states.list_executions(stateMachineArn=self.machine)["executions"]
        return {
            run["name"]: json.loads(states.describe_execution(executionArn=run["executionArn"])["input"])
            for run in runs
        }

    def claim(self, name: str) -> Execution:
        start = {"start": self.started()[name], "execution_name": name, "kind": "switchover"}
        return Execution.model_validate(self.call("claim", start)["execution"])

    def play(self, name: str, outcome: str = "succeeded", **ending: Any) -> Execution:
        """Claim, step and end it."""
        execution = self.claim(name)
        book().record_step(execution, "fence", "done", {"fleets": {}}, 100.0)
        book().record_step(execution, "drain_mirrors", "done", DRAINED, 101.0)
        book().record_step(execution, "flip_dns", "done", {}, 102.0)
        self.call("conclude", {"execution": execution.as_state(), "outcome": outcome} | ending)
        return execution


@pytest.fixture
def practice(deployed: Callable[..., Any], call: Call, plan_text: str, monkeypatch: pytest.MonkeyPatch) -> Practice:
    machine = deployed("stepfunctions").create_state_machine(
        name="switchover", definition="{}", roleArn="arn:aws:iam::123456789012:role/states"
    )["stateMachineArn"]
    monkeypatch.setenv("SWITCHOVER_MACHINE_ARN", machine)
    set_plan(deployed, plan_text)
    return Practice(call, deployed, machine)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the time."""
    return lambda moment: monkeypatch.setattr("time.time", lambda: moment)


def set_plan(deployed: Callable[..., Any], text: str, policy: dict[str, Any] | None = None, **more: Any) -> None:
    document = yaml.safe_load(text)
    document["policy"] |= {"failback_after_seconds": 0} | (policy or {})
    put_plan(deployed, json.dumps(document | more))
    forget()


def test_clients_are_led_away_and_back_and_the_evidence_is_kept_and_told_once(
    practice: Practice, messages: Callable[[], list[Message]]
) -> None:
    assert practice.go_on()["status"] == practice.go_on()["status"] == "waiting"
    way = practice.started()[THERE]
    assert (way["from"], way["to"], way["practice"]) == ("east", "west", NAME)
    practice.play(THERE)
    assert practice.go_on()["status"] == "waiting"
    assert (practice.started()[BACK]["from"], practice.started()[BACK]["to"]) == ("west", "east")
    practice.claim(BACK)
    assert practice.go_on()["status"] == "waiting" and list(practice.started()) == [BACK, THERE]
    practice.play(BACK)
    messages()
    answers = [practice.go_on(), practice.go_on()]
    assert [answer["observed"]["outcome"] for answer in answers] == ["succeeded"] * 2
    assert len(messages()) == 1
    (report,) = practices(book(), "orders")
    assert report["there"] and report["back"] and (report["active"], report["started_by"]) == ("east", "anna")
    assert report["there"]["to"] == report["back"]["from"] == "west"
    assert report["there"]["lost_records"] == 0 and report["there"]["fenced_seconds"] is not None


def test_what_is_given_up_on_the_way_there_leaves_clients_where_they_are(practice: Practice) -> None:
    practice.go_on()
    practice.play(THERE, "stood-down", why="a doubt")
    ended = practice.go_on()["observed"]
    assert ended["outcome"] == "stood-down" and "a doubt" in ended["why"]
    assert list(practice.started()) == [THERE]


@pytest.mark.parametrize("how", ["aborted", "denied"])
def test_no_is_no_on_the_way_back_too(practice: Practice, how: str, later: Callable[[float], None]) -> None:
    practice.go_on()
    practice.play(THERE)
    practice.go_on()
    if how == "denied":
        no = {"token": "t", "answer": "deny", "answered_by": "bob", "answered_at": "1", "answered_why": ""}
        book().put("orders", f"approval#{BACK}", no)
    practice.play(BACK, "stood-down", **({"error": {"Error": "AbortRequested"}} if how == "aborted" else {}))
    later(time.time() + 61)
    assert practice.go_on()["observed"]["outcome"] == "failed"
    assert f"{BACK}-2" not in practice.started()


def test_a_way_back_is_tried_three_times_a_minute_apart_and_then_a_person_is_needed(
    practice: Practice, later: Callable[[float], None], messages: Callable[[], list[Message]]
) -> None:
    practice.go_on()
    practice.play(THERE)
    practice.go_on()
    for name, following in ((BACK, f"{BACK}-2"), (f"{BACK}-2", f"{BACK}-3")):
        practice.play(name, "stood-down", why="mirrors trail")
        ended = ended_at(name)
        later(ended + 59.9)
        assert "mirrors trail" in practice.go_on()["observed"]["why"] and following not in practice.started()
        later(ended + 60)
        assert practice.go_on()["status"] == "waiting" and following in practice.started()
    practice.play(f"{BACK}-3", "stood-down", why="mirrors trail")
    messages()
    later(ended_at(f"{BACK}-3") + 61)
    assert practice.go_on()["observed"]["outcome"] == "failed"
    assert [message.subject for message in messages()] == ["orders: practice FAILED, a person is needed"]
    assert set(practice.started()) == {THERE, BACK, f"{BACK}-2", f"{BACK}-3"}


@pytest.mark.parametrize(("planned", "stay"), [(None, 300), (90, 90)])
def test_clients_stay_for_as_long_as_the_plan_says_and_are_then_led_back(
    practice: Practice, plan_text: str, later: Callable[[float], None], planned: int | None, stay: int
) -> None:
    if planned is not None:
        window = {"windows": [{"begins": "00:00", "ends": "00:00"}], "stay_seconds": planned}
        set_plan(practice.aws, plan_text, practice=window)
    practice.go_on()
    practice.play(THERE)
    later(ended_at(THERE) + stay - 0.1)
    assert practice.go_on(stay_seconds=None)["observed"]["why"] == f"clients work on west for {stay} s"
    assert BACK not in practice.started()
    later(ended_at(THERE) + stay)
    practice.go_on(stay_seconds=None)
    assert BACK in practice.started()


def test_a_start_that_was_refused_is_told_and_after_the_way_there_it_has_failed(practice: Practice) -> None:
    practice.go_on()
    assert practice.go_on(by="bob")["observed"]["why"] == f"{THERE} begins", "it has not claimed the plan yet"
    stop(practice, THERE)
    ended = practice.go_on()["observed"]
    assert (ended["outcome"], ended["why"]) == ("stood-down", f"the start of {THERE} was refused (ABORTED)")


def test_a_way_back_whose_start_was_refused_leaves_clients_away(practice: Practice) -> None:
    practice.go_on()
    practice.play(THERE)
    practice.go_on()
    stop(practice, BACK)
    ended = practice.go_on()["observed"]
    assert (ended["outcome"], ended["why"]) == ("failed", f"the start of {BACK} was refused (ABORTED)")


def test_a_failover_that_took_over_ends_it_and_one_that_stopped_is_waited_for(practice: Practice) -> None:
    practice.go_on()
    execution = practice.claim(THERE)
    stopped = {"outcome": "failed", "stopped_at": "fence", "error": {"Error": "FleetRejected", "Cause": "403"}}
    with pytest.raises(FailoverStopped):
        practice.call("conclude", {"execution": execution.as_state(), **stopped})
    assert practice.go_on()["observed"]["why"] == f"{THERE} is stopped"
    practice.call(
        "claim", {"start": {"plan": "orders", "to": "west", "supersedes": THERE}, "execution_name": "by-hand"}
    )
    ended = practice.go_on()["observed"]
    assert (ended["outcome"], ended["why"]) == ("failed", f"by-hand took over from {THERE}")


def stop(practice: Practice, name: str) -> None:
    """End a run before it claimed anything."""
    states = practice.aws("stepfunctions")
    arn = f"{practice.machine.replace(':stateMachine:', ':execution:')}:{name}"
    states.stop_execution(executionArn=arn)


def ended_at(execution: str) -> float:
    record = book().execution("orders", execution)
    assert record is not None and record.ended_at is not None
    return record.ended_at


def test_nobody_is_led_from_where_somebody_else_led_them(
    practice: Practice, messages: Callable[[], list[Message]]
) -> None:
    practice.go_on()
    practice.play(THERE)
    other = practice.call("claim", {"start": {"plan": "orders", "to": "east"}, "execution_name": "other"})["execution"]
    practice.call("conclude", {"execution": other, "outcome": "stood-down", "why": "nothing"})
    messages()
    ended = practice.go_on()["observed"]
    assert ended["outcome"] == "failed" and BACK not in practice.started()
    assert "failback orders" in messages()[0].body["text"]


def test_another_holder_of_the_lease_keeps_it_from_beginning(practice: Practice) -> None:
    practice.call("claim", {"start": {"plan": "orders", "to": "west"}, "execution_name": "other"})
    assert practice.go_on()["observed"]["outcome"] == "stood-down" and practice.started() == {}


def test_what_is_not_over_in_time_has_failed_and_stays_so(practice: Practice) -> None:
    practice.go_on()
    practice.claim(THERE)
    assert practice.go_on(last_chance=True)["observed"]["outcome"] == "failed"
    assert practice.go_on()["observed"]["outcome"] == "failed", "its end is kept"


def test_home_is_waited_for_until_its_mirrors_have_trailed_by_little(
    practice: Practice, plan_text: str, later: Callable[[float], None]
) -> None:
    set_plan(practice.aws, plan_text, {"failback_after_seconds": 300})
    practice.go_on()
    practice.play(THERE)
    waits = practice.go_on()
    assert "trail by little for 0 s only" in waits["observed"]["why"] and BACK not in practice.started()
    moment = time.time()
    later(moment)
    save_plan_table(book(), "orders", "watch", {"west": {"low_since": moment - 299}})
    assert "trail by little for 299 s only" in practice.go_on()["observed"]["why"]
    save_plan_table(book(), "orders", "watch", {"west": {"low_since": moment - 300}})
    practice.go_on()
    assert BACK in practice.started()


def test_where_the_way_back_does_not_lead_home_no_mirrors_are_waited_for(practice: Practice, plan_text: str) -> None:
    set_plan(practice.aws, plan_text, {"failback_after_seconds": 300}, home="west")
    practice.go_on()
    practice.play(THERE)
    set_plan(practice.aws, plan_text, {"failback_after_seconds": 300})
    practice.go_on()
    assert practice.started()[BACK]["to"] == "west"


def test_a_pause_holds_clients_where_they_are(practice: Practice) -> None:
    practice.go_on()
    practice.play(THERE)
    book().pause("orders", "bob: wait")
    assert "bob: wait" in practice.go_on()["observed"]["why"] and BACK not in practice.started()
    book().resume("orders")
    practice.go_on()
    assert BACK in practice.started()


def test_a_second_person_is_asked_once_for_both_ways(practice: Practice, plan_text: str) -> None:
    set_plan(practice.aws, plan_text, {"by_hand": "approve"})
    practice.go_on()
    there = practice.claim(THERE)
    answered = {"token": "t", "answer": "approve", "answered_by": "bob", "answered_at": "1", "answered_why": ""}
    book().put("orders", f"approval#{THERE}", answered)
    assert approved_there(book(), there) is None, "the way there is what is asked for"
    practice.call("conclude", {"execution": there.as_state(), "outcome": "succeeded"})
    practice.go_on()
    back = practice.claim(BACK)
    assert approved_there(book(), back) == "bob"
    for other in ({"name": "mine"}, {"from": "east", "to": "west"}, {"epoch": back.epoch + 9}, {"practice": ""}):
        assert approved_there(book(), Execution.model_validate(back.as_state() | other)) is None, other
    book().put("orders", f"approval#{THERE}", answered | {"answer": "deny"})
    assert approved_there(book(), back) is None


@pytest.mark.parametrize(
    ("now", "parts", "begins"),
    [
        ("2026-11-29T03:30:00+00:00", {}, True),
        ("2026-11-29T05:30:00+00:00", {}, False),
        ("2026-11-29T03:30:00+00:00", {"maintenance": [{"begins": "03:00", "ends": "04:00"}]}, False),
    ],
)
def test_the_schedule_begins_in_its_window_and_not_in_maintenance(
    practice: Practice, plan_text: str, monkeypatch: pytest.MonkeyPatch, now: str, parts: dict[str, Any], begins: bool
) -> None:
    window = {"windows": [{"days": ["sun"], "begins": "03:00", "ends": "04:00"}]}
    set_plan(practice.aws, plan_text, parts, practice=window)
    moment = datetime.fromisoformat(now).timestamp()
    monkeypatch.setattr("time.time", lambda: moment)
    answer = practice.go_on(scheduled=True)
    assert (THERE in practice.started()) is begins, answer
    assert practices(book(), "orders") == [], "what is not due is no practice"


def test_the_schedule_leaves_what_was_practised_lately(
    practice: Practice, plan_text: str, later: Callable[[float], None]
) -> None:
    practice.go_on()
    practice.play(THERE)
    practice.go_on()
    practice.play(BACK)
    practice.go_on()
    always = {"windows": [{"begins": "00:00", "ends": "00:00"}]}
    set_plan(practice.aws, plan_text, practice=always)
    request = {"start": {"plan": "orders", "scheduled": True}, "practice": "orders-practice-2"}
    assert practice.call("run_practice", request)["observed"] == {
        "outcome": "stood-down",
        "why": "practised 0 days ago",
    }
    last = load_practice(book(), "orders").back
    assert last is not None
    month = last.ended_at + 30 * 86_400
    later(month - 1)
    assert practice.call("run_practice", request)["observed"]["why"] == "practised 30 days ago"
    later(month)
    assert practice.call("run_practice", request)["status"] == "waiting"
    assert "orders-practice-2-there" in practice.started()


def test_no_other_kind_is_a_way_of_a_practice(practice: Practice) -> None:
    with pytest.raises(MalformedEvent, match="practice"):
        practice.call("claim", {"start": {"plan": "orders", "to": "west", "practice": NAME}, "execution_name": "x"})
