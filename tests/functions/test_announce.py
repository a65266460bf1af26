"""Every end is in the ledger and told, and telling changes no outcome, whatever becomes of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from failover.aws.clients import client
from failover.errors import FailoverStopped, LeaseLost, MalformedEvent, ServiceRejected, ServiceUnavailable
from failover.execution.report import headline
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.readiness.dry_run import load_dry_run
from tests.functions.conftest import Message

Call = Callable[[str, dict[str, Any]], dict[str, Any]]
Messages = Callable[[], list[Message]]


def book() -> Ledger:
    return Ledger(client("dynamodb"), "ledger")


def report(name: str = "orders-1-failover") -> dict[str, Any]:
    record = book().execution("orders", name)
    assert record is not None
    return record.document


def claimed(call: Call, name: str = "orders-1-failover", **start: Any) -> dict[str, Any]:
    request = {"start": {"plan": "orders", "to": "west"} | start, "execution_name": name}
    return dict(call("claim", request)["execution"])


def assessed(execution: dict[str, Any], **observed: Any) -> None:
    book().record_step(Execution.model_validate(execution), "assess", "done", observed, time.time())


@pytest.fixture
def events(deployed: Callable[..., Any]) -> Callable[[], list[str]]:
    """The kinds of the events on the bus since it was last asked, decisions left out."""
    sqs = deployed("sqs")
    queue = sqs.create_queue(QueueName="bus")["QueueUrl"]
    pattern = {"source": ["kafka.failover"], "detail-type": [{"anything-but": "Failover Decision"}]}
    deployed("events").put_rule(Name="bus", EventPattern=json.dumps(pattern))
    target = {"Id": "queue", "Arn": "arn:aws:sqs:us-west-2:123456789012:bus"}
    deployed("events").put_targets(Rule="bus", Targets=[target])

    def read() -> list[str]:
        found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        for message in found:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"])["detail-type"] for message in found]

    return read


def test_an_end_is_told_once_however_often_it_is_announced(
    deployed: Any, call: Call, messages: Messages, events: Callable[[], list[str]]
) -> None:
    execution = claimed(call, by="Ada", reason="a walk-through", force=True)
    for _ in range(3):
        call("conclude", {"execution": execution, "outcome": "succeeded"})
        assert call("announce", {"execution": execution}) == {"announced": True}
    (message,) = messages()
    assert "failed over in" in message.subject
    assert (message.body["started_by"], message.body["reason"]) == ("Ada", "a walk-through")
    assert events() == ["Failover succeeded"]


def test_a_topic_that_refuses_changes_no_outcome_keeps_no_event_back_and_is_told_later(
    deployed: Any, call: Call, messages: Messages, events: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = claimed(call)
    call("conclude", {"execution": execution, "outcome": "succeeded"})
    with monkeypatch.context() as broken:
        broken.setenv("NOTIFICATION_TOPIC_ARN", "arn:aws:sns:us-west-2:123456789012:gone")
        for _ in range(2):
            with pytest.raises(ServiceRejected):
                call("announce", {"execution": execution})
    state = book().state("orders", "east")
    assert (state.active, state.holder) == ("west", None)
    assert events() == ["Failover succeeded"]
    assert call("conclude", {"execution": execution, "outcome": "succeeded"})["outcome"] == "succeeded"
    call("announce", {"execution": execution})
    assert (len(messages()), events()) == (1, [])


def test_an_event_that_was_not_taken_is_put_again_and_people_are_not_told_twice(
    deployed: Any, call: Call, messages: Messages, events: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_taken(*_: Any, **__: Any) -> None:
        raise ServiceUnavailable("EventBridge: not taken (ThrottlingException: Rate exceeded)")

    execution = claimed(call)
    call("conclude", {"execution": execution, "outcome": "stood-down", "why": "one vote of two"})
    with monkeypatch.context() as throttled:
        throttled.setattr("failover.aws.notify.put_event", not_taken)
        with pytest.raises(ServiceUnavailable):
            call("announce", {"execution": execution})
    assert (len(messages()), events()) == (1, [])
    call("announce", {"execution": execution})
    assert (len(messages()), events()) == (0, ["Failover stood-down"])


def test_a_failure_that_can_not_be_told_is_a_failure_all_the_same(
    deployed: Any, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = claimed(call)
    failure = {"execution": execution, "outcome": "failed", "stopped_at": "BeginVerify", "error": {"Error": "X"}}
    monkeypatch.setenv("NOTIFICATION_TOPIC_ARN", "arn:aws:sns:us-west-2:123456789012:gone")
    with pytest.raises(FailoverStopped, match="stopped at BeginVerify"):
        call("conclude", failure)
    assert book().state("orders", "east").holder == "orders-1-failover"


def test_a_redriven_execution_that_succeeds_ends_with_a_report_the_new_site_and_a_free_lease(
    deployed: Any, call: Call, messages: Messages
) -> None:
    execution = claimed(call)
    failure = {"execution": execution, "outcome": "failed", "stopped_at": "BeginVerify", "error": {"Error": "X"}}
    with pytest.raises(FailoverStopped):
        call("conclude", failure)
    assert (report()["outcome"], report()["recovery_seconds"], report()["loss"]) == ("failed", None, None)
    assert (report()["stopped_at"], report()["error"]) == ("BeginVerify", {"Error": "X"})
    assert call("conclude", failure | {"redrives": 1, "redriven": True}) == {"version": 1, "resume": "BeginVerify"}
    answer = call("conclude", {"execution": execution, "outcome": "succeeded", "redrives": 1})
    assert answer["outcome"] == "succeeded"
    call("announce", {"execution": execution})
    record, state = book().execution("orders", "orders-1-failover"), book().state("orders", "east")
    assert record is not None and record.status == "succeeded"
    assert (record.document["outcome"], record.document["redrives"], record.document["stopped_at"]) == (
        "succeeded",
        1,
        None,
    )
    assert record.document["recovery_seconds"] > 0
    assert (state.active, state.holder) == ("west", None)
    assert ["STOPPED" in each.subject for each in messages()] == [True, False]


def test_who_was_stopped_by_hand_as_it_concluded_looks_again_before_it_does(deployed: Any, call: Call) -> None:
    execution = claimed(call)
    success = {"execution": execution, "outcome": "succeeded", "stopped_at": "BeginConclude"}
    redriven = success | {"redrives": 1, "redriven": True}
    assert call("conclude", redriven) == {"version": 1, "resume": "BeginConclude"}
    state = book().state("orders", "east")
    assert (state.active, state.holder) == ("east", "orders-1-failover"), "nothing is recorded yet"
    assert call("conclude", success | {"redrives": 1})["outcome"] == "succeeded"
    assert (report()["outcome"], report()["stopped_at"]) == ("succeeded", None)


def test_who_was_stopped_by_hand_once_it_was_concluded_is_told_so_again(deployed: Any, call: Call) -> None:
    success = {"execution": claimed(call), "outcome": "succeeded", "stopped_at": "BeginConclude"}
    call("conclude", success)
    answer = call("conclude", success | {"redrives": 1, "redriven": True})
    assert (answer["outcome"], book().state("orders", "east").holder) == ("succeeded", None)


def test_what_stops_again_is_reported_as_it_stopped_the_last_time(deployed: Any, call: Call) -> None:
    execution = claimed(call)
    failure = {"execution": execution, "outcome": "failed", "stopped_at": "BeginVerify", "error": {"Error": "X"}}
    with pytest.raises(FailoverStopped, match="stopped at BeginVerify"):
        call("conclude", failure)
    call("conclude", failure | {"redrives": 1, "redriven": True})
    again = failure | {"stopped_at": "BeginFlip", "error": {"Error": "Y"}, "redrives": 1}
    with pytest.raises(FailoverStopped, match="stopped at BeginFlip"):
        call("conclude", again)
    assert (report()["stopped_at"], report()["error"], report()["redrives"]) == ("BeginFlip", {"Error": "Y"}, 1)


def test_a_redrive_of_a_superseded_execution_goes_on_nowhere(deployed: Any, call: Call) -> None:
    execution = claimed(call)
    failure = {"execution": execution, "outcome": "failed", "stopped_at": "BeginVerify", "error": {"Error": "X"}}
    with pytest.raises(FailoverStopped):
        call("conclude", failure)
    claimed(call, "by-hand", supersedes="orders-1-failover")
    with pytest.raises(LeaseLost):
        call("conclude", failure | {"redrives": 1, "redriven": True})


def test_what_was_told_of_the_loss_stays_once_the_lease_is_free(deployed: Any, call: Call) -> None:
    execution = claimed(call)
    book().record_step(Execution.model_validate(execution), "promote_mirrors", "done", {}, time.time())
    first = call("conclude", {"execution": execution, "outcome": "succeeded"})["report"]["loss"]
    assert first, "it promoted, so the loss is spoken of"
    claimed(call, "by-hand", to="east")
    assert call("conclude", {"execution": execution, "outcome": "succeeded"})["report"]["loss"] == first


def test_only_what_recovered_has_a_recovery_time(deployed: Any, call: Call) -> None:
    stood_down = call("conclude", {"execution": claimed(call), "outcome": "stood-down", "why": "policy"})
    assert stood_down["report"]["recovery_seconds"] is None
    with pytest.raises(FailoverStopped):
        call("conclude", {"execution": claimed(call, "by-hand"), "outcome": "failed", "stopped_at": "BeginVerify"})
    dry = claimed(call, "dry", to="standby", dry_run=True)
    assert call("conclude", {"execution": dry, "outcome": "succeeded"})["report"]["recovery_seconds"] is None
    again = call("conclude", {"execution": claimed(call, "again", supersedes="by-hand"), "outcome": "succeeded"})
    assert again["report"]["recovery_seconds"] > 0


def test_a_dry_run_is_no_news_and_a_failover_is_no_dry_run(deployed: Any, call: Call, messages: Messages) -> None:
    call("conclude", {"execution": claimed(call), "outcome": "succeeded"})
    assert load_dry_run(book(), "orders") is None
    dry = claimed(call, "dry", to="standby", dry_run=True)
    call("conclude", {"execution": dry, "outcome": "succeeded"})
    assert call("announce", {"execution": dry}) == {"announced": False}
    again = claimed(call, "dry-again", to="standby", dry_run=True)
    with pytest.raises(FailoverStopped, match="It was a dry run: nothing was changed"):
        call("conclude", {"execution": again, "outcome": "failed", "stopped_at": "FlipAndReroute"})
    assert messages() == []
    last = load_dry_run(book(), "orders")
    assert last is not None and (last.execution, last.outcome) == ("dry-again", "failed")
    assert headline(report("dry")) == "orders west to east: dry run succeeded, nothing was changed"


@pytest.mark.parametrize(("stands", "told"), [(False, 1), (True, 3)])
def test_standing_down_again_and_again_for_what_may_pass_is_told_once_an_hour(
    deployed: Any, call: Call, messages: Messages, stands: bool, told: int
) -> None:
    for epoch in (1, 2, 3):
        execution = claimed(call, f"orders-{epoch}-failover", epoch=epoch)
        assessed(execution, why="not in time", guard="standby_unreachable", stands_until_resumed=stands)
        call("conclude", {"execution": execution, "outcome": "stood-down"})
        call("announce", {"execution": execution})
    bodies = [message.body for message in messages()]
    assert len(bodies) == told
    assert {(body["guard"], body["why"]) for body in bodies} == {("standby_unreachable", "not in time")}


def refusal(error: str, cause: str = "no", **start: Any) -> dict[str, Any]:
    request = {"plan": "orders", "to": "east"} | start
    return {"execution_name": "by-hand", "start": request, "error": {"Error": error, "Cause": cause}}


def test_a_start_that_was_refused_is_told_once_with_who_started_it_and_why(
    deployed: Any, call: Call, messages: Messages
) -> None:
    cause = json.dumps({"errorMessage": "east is the active site already", "errorType": "WrongDirection"})
    for _ in range(2):
        assert call("announce", refusal("WrongDirection", cause, by="Ada")) == {"announced": True}
    (message,) = messages()
    assert message.subject == "orders: start refused, WrongDirection"
    assert (message.body["why"], message.body["started_by"]) == ("east is the active site already", "Ada")


def test_another_start_of_the_same_name_that_is_refused_is_told_too(
    deployed: Any, call: Call, messages: Messages
) -> None:
    """The name is free still on the other state machines."""
    call("announce", refusal("WrongDirection", by="Ada"))
    call("announce", refusal("DuplicateExecution", by="Ada", kind="switchover"))
    assert len(messages()) == 2


def test_that_two_judges_started_the_same_is_no_news_and_that_a_person_did_is(
    deployed: Any, call: Call, messages: Messages
) -> None:
    assert call("announce", refusal("DuplicateExecution", epoch=1)) == {"announced": False}
    assert messages() == []
    call("announce", refusal("LedgerUnavailable", epoch=1))
    call("announce", refusal("DuplicateExecution") | {"execution_name": "by-hand-2"})
    assert len(messages()) == 2


@pytest.mark.parametrize("start", [None, "orders", [], {}])
def test_a_start_that_is_rubbish_is_told_as_it_is(deployed: Any, call: Call, messages: Messages, start: Any) -> None:
    call("announce", refusal("MalformedEvent") | {"start": start})
    assert [message.body["error"] for message in messages()] == ["MalformedEvent"]


def test_an_execution_without_a_report_has_nothing_to_announce(deployed: Any, call: Call, messages: Messages) -> None:
    assert call("announce", {"execution": claimed(call)}) == {"announced": False}
    assert messages() == []


@pytest.mark.parametrize("rubbish", [{}, {"execution": None}, {"execution_name": "x"}, {"execution_name": 1}])
def test_rubbish_is_refused_by_name(deployed: Any, call: Call, rubbish: dict[str, Any]) -> None:
    with pytest.raises(MalformedEvent):
        call("announce", rubbish)
