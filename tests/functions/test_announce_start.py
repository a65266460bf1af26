"""announce_start: people hear that something begins once it is decided, once, and of nothing that changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from failover.aws.clients import client
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from tests.conftest import Context
from tests.functions.conftest import Message

Call = Callable[[str, dict[str, Any]], dict[str, Any]]
Messages = Callable[[], list[Message]]
EVENTS = Path(__file__).resolve().parents[2] / "events"
ASSESSED = {
    "verdict": "proceed",
    "why": "3 votes against east",
    "votes": ["probe/us-west-2"],
    "expected_loss": {"records": {"low": 900, "high": 1500}},
}


def event(**start: Any) -> dict[str, Any]:
    running: dict[str, Any] = json.loads((EVENTS / "announce_start.json").read_text())
    started = json.dumps({"plan": "orders", "to": "west"} | start)
    return running | {"detail": running["detail"] | {"input": started}}


@pytest.fixture
def claimed(deployed: Any, call: Call) -> Execution:
    """An execution that holds the lease."""
    start = {"plan": "orders", "to": "west", "by": "Ada", "reason": "east burns"}
    answer = call("claim", {"start": start, "execution_name": "orders-1-failover"})
    return Execution.model_validate(answer["execution"])


def decide(claimed: Execution, **observed: Any) -> None:
    Ledger(client("dynamodb"), "ledger").record_step(claimed, "assess", "done", ASSESSED | observed, started=0.0)


def test_what_begins_is_told_once_with_who_started_it_why_and_what_it_may_cost(
    claimed: Execution, call: Call, messages: Messages
) -> None:
    decide(claimed)
    assert [call("announce_start", event())["announced"] for _ in range(2)] == [True, True]
    (message,) = messages()
    assert message.subject == "orders: failover to west begins"
    for words in (
        "The failover of orders from east to west begins: 3 votes against east",
        "nothing yet; expected to be stranded: 900 to 1,500 records (estimated)",
        "failover status orders --watch",
        "started by Ada: east burns",
        "says that east is lost: probe/us-west-2",
        "console.aws.amazon.com/states/home?region=us-west-2#/v2/executions/details/arn:aws:states:us-west-2",
    ):
        assert words in message.body["text"], words
    assert "failover abort" not in message.body["text"]
    assert len(message.body["text"].splitlines()) <= 10


def test_a_restore_that_begins_says_that_what_is_stranded_is_counted_first(
    deployed: Any, call: Call, messages: Messages
) -> None:
    start = {"plan": "orders", "from": "west", "to": "east", "discard": True}
    answer = call("claim", {"start": start, "execution_name": "orders-1-failover", "kind": "restore"})
    restore = Execution.model_validate(answer["execution"])
    Ledger(client("dynamodb"), "ledger").record_step(restore, "precheck", "done", {"verdict": "proceed"}, started=0.0)
    call("announce_start", event())
    (message,) = messages()
    assert message.subject == "orders: restore of west begins"
    assert "Done: nothing yet; what is stranded is counted before anything is truncated" in message.body["text"]


def test_a_switchover_that_begins_says_how_it_is_put_back_and_a_failover_does_not(
    deployed: Any, call: Call, messages: Messages
) -> None:
    start = {"plan": "orders", "to": "west"}
    claimed = call("claim", {"start": start, "execution_name": "orders-1-failover", "kind": "switchover"})
    switchover = Execution.model_validate(claimed["execution"])
    Ledger(client("dynamodb"), "ledger").record_step(
        switchover, "precheck", "done", {"verdict": "proceed"}, started=0.0
    )
    call("announce_start", event())
    (message,) = messages()
    assert "failover abort orders" in message.body["text"]
    assert "begins: nothing is in doubt" in message.body["text"]
    assert "they stand still for a while" in message.body["text"]
    assert "nothing yet; no record is left behind on purpose" in message.body["text"]
    assert "started by the controller: no reason given" in message.body["text"]


def test_its_link_leads_to_the_run_of_its_own_state_machine(claimed: Execution, call: Call, messages: Messages) -> None:
    decide(claimed)
    of_another, switchover = event(), "arn:aws:states:us-west-2:123456789012:execution:switchover:orders-1-failover"
    of_another["detail"] |= {"executionArn": switchover}
    call("announce_start", of_another)
    (message,) = messages()
    assert f"#/v2/executions/details/{switchover}\n" in message.body["text"]


@pytest.mark.parametrize("verdict", ["stand-down", "ask"])
def test_who_changes_nothing_yet_is_not_said_to_begin(
    claimed: Execution, call: Call, messages: Messages, verdict: str
) -> None:
    decide(claimed, verdict=verdict)
    assert call("announce_start", event()) == {"announced": False}
    assert messages() == []


def test_nothing_is_said_of_what_is_not_decided_in_time_of_a_dry_run_and_of_no_plan(
    claimed: Execution, call: Call, messages: Messages
) -> None:
    assert call("announce_start", event()) == {"announced": False}
    decide(claimed)
    assert call("announce_start", event(dry_run=True)) == {"announced": False}
    for plan in ("", 3, "nobody"):
        assert call("announce_start", event(plan=plan)) == {"announced": False}
    assert messages() == []


def test_a_loss_that_is_not_known_is_no_number(claimed: Execution, call: Call, messages: Messages) -> None:
    decide(claimed, expected_loss={"records": None})
    call("announce_start", event())
    (message,) = messages()
    assert "expected to be stranded: not known" in message.body["text"]


class FewSeconds(Context):
    def get_remaining_time_in_millis(self) -> int:
        return 23_000


def test_it_waits_for_a_decision_as_long_as_there_is_time_to_tell_it(
    claimed: Execution, function: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    module, slept = function("announce_start"), [0.0]

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        assert sum(slept) < 10, "the function's time is over"

    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: sum(slept), sleep=sleep))
    assert module.handler(event(), FewSeconds()) == {"announced": False}
    assert 23 - module.SPARE_S <= sum(slept) <= 23 - module.SPARE_S + 1


@pytest.mark.parametrize("ended", ["failed", "stood-down"])
def test_what_ended_before_it_was_decided_is_not_waited_for(
    claimed: Execution, call: Call, messages: Messages, monkeypatch: pytest.MonkeyPatch, ended: Any
) -> None:
    monkeypatch.setattr("tests.conftest.Context.get_remaining_time_in_millis", lambda _: 3_600_000)
    Ledger(client("dynamodb"), "ledger").conclude(claimed, ended, {})
    assert call("announce_start", event()) == {"announced": False}
    assert messages() == []


def test_what_is_decided_while_it_waits_is_told(
    claimed: Execution, call: Call, messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.conftest.Context.get_remaining_time_in_millis", lambda _: 3_600_000)
    monkeypatch.setattr("time.sleep", lambda _: decide(claimed))
    assert call("announce_start", event()) == {"announced": True}
    assert len(messages()) == 1
