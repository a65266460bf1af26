"""No name can be used up, and a lease that nobody works under is never taken for work: whoever finds one tells."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from failover.aws.clients import client
from failover.container import forget
from failover.errors import DuplicateExecution, FailoverStopped, ServiceUnavailable
from failover.execution import runs
from failover.execution.runs import Run
from failover.ledger.ledger import Ledger
from failover.ledger.records import PlanState
from tests.conftest import Context
from tests.functions.conftest import Message
from tests.functions.heard_events import event, executions, sighting

Call = Callable[[str, dict[str, Any]], dict[str, Any]]
Messages = Callable[[], list[Message]]


def arn(aws: Callable[..., Any], name: str) -> str:
    machine = aws("stepfunctions").list_state_machines()["stateMachines"][0]["stateMachineArn"]
    runs = aws("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
    return next(str(run["executionArn"]) for run in runs if run["name"] == name)


def stop(aws: Callable[..., Any], name: str) -> None:
    """Abort an execution; a container that remembers how it stood is gone."""
    aws("stepfunctions").stop_execution(executionArn=arn(aws, name))
    forget()


def claim(aws: Callable[..., Any], call: Call, name: str, **start: Any) -> dict[str, Any]:
    request = {"start": {"plan": "orders", "to": "west"} | start, "execution_name": name}
    return call("claim", request | {"execution_arn": arn(aws, name)})


def started(call: Call) -> str | None:
    answer = call("judge", event("alarm-metric"))["judged"][0]["started"]
    return None if answer is None else str(answer)


def test_an_execution_that_ended_before_it_claimed_is_followed_by_the_next_attempt(deployed: Any, call: Call) -> None:
    assert started(call) == "orders-1-failover"
    assert started(call) == "orders-1-failover", "while it runs, it is the one"
    for attempt in (2, 3):
        stop(deployed, executions(deployed)[0])
        assert started(call) == started(call) == f"orders-1-failover-{attempt}"
    assert sorted(executions(deployed)) == ["orders-1-failover", "orders-1-failover-2", "orders-1-failover-3"]
    claimed = claim(deployed, call, "orders-1-failover-3", epoch=1)
    assert claimed["execution"]["epoch"] == 1


def test_a_new_ledger_meets_the_names_of_the_old_one_and_goes_on(deployed: Any, call: Call) -> None:
    machine = deployed("stepfunctions").list_state_machines()["stateMachines"][0]["stateMachineArn"]
    for name in ("orders-1-failover", "orders-1-failover-2"):
        deployed("stepfunctions").start_execution(stateMachineArn=machine, name=name, input="{}")
        stop(deployed, name)
    assert started(call) == "orders-1-failover-3"


def test_whoever_saw_an_attempt_end_starts_the_same_next_one(deployed: Any) -> None:
    ledger = Ledger(client("dynamodb"), "ledger")
    assert [ledger.next_attempt("orders", 1, "failover", ended) for ended in (1, 1, 2, 1)] == [2, 2, 3, 3]
    assert ledger.attempt("orders", 2, "failover") == 1, "each epoch begins anew"


def test_one_judgement_tries_so_many_names_and_the_next_goes_on_from_there(
    deployed: Any, function: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    judge, names = function("judge"), list[str]()
    monkeypatch.setattr(judge, "ATTEMPTS_AT_ONCE", 2)
    monkeypatch.setattr(judge, "start_run", lambda name, _: names.append(name))
    monkeypatch.setattr(judge, "describe_run", lambda _: Run("FAILED"))
    for _ in range(2):
        with pytest.raises(ServiceUnavailable, match="unclaimed"):
            judge.handler(event("alarm-metric"), Context())
    assert names == [f"orders-1-failover{attempt}" for attempt in ("", "-2", "-3", "-4")]


def test_an_attempt_in_the_name_counts_as_its_epoch(deployed: Any, call: Call) -> None:
    named = {"start": {"plan": "orders", "to": "west"}, "execution_name": "orders-7-failover-2"}
    with pytest.raises(DuplicateExecution, match="epoch 7"):
        call("claim", named)


def test_a_claim_that_landed_after_its_execution_was_aborted_is_told_and_not_taken_for_work(
    deployed: Any, call: Call, messages: Messages
) -> None:
    started(call)
    stop(deployed, "orders-1-failover")
    claim(deployed, call, "orders-1-failover", epoch=1, by="judge/us-west-2", reason="east is lost")
    for _ in range(3):
        why = call("judge", event("alarm-metric"))["judged"][0]["why"]
    assert "orders-1-failover has ended (ABORTED) and keeps the lease" in why
    (message,) = messages()
    assert message.body["started_by"] == "judge/us-west-2" and "is lost" in message.body["reason"]
    assert "orders-1-failover" in message.subject and "a person is needed" in message.subject
    assert "supersedes='orders-1-failover'" in message.body["remedy"]
    assert executions(deployed) == ["orders-1-failover"]


def test_a_lease_that_nobody_works_under_is_told_although_the_site_is_well(
    deployed: Any, call: Call, messages: Messages
) -> None:
    started(call)
    claim(deployed, call, "orders-1-failover", epoch=1)
    call("judge", sighting("us-west-2", lost=()))
    assert messages() == [], "it runs"
    stop(deployed, "orders-1-failover")
    call("judge", sighting("us-west-2", lost=()))
    assert [message.body["status"] for message in messages()] == ["ABORTED"]


@pytest.mark.parametrize(
    ("minutes_ago", "redrives", "subjects"),
    [
        (1, 0, ["orders: failover STOPPED, a person is needed"]),
        (
            61,
            0,
            ["orders: failover STOPPED, a person is needed", "orders: STOPPED 1 h ago, a person is needed"],
        ),
        (
            1,
            1,
            [
                "orders: failover STOPPED, a person is needed",
                "orders: STOPPED, a person is needed: orders-1-failover",
            ],
        ),
    ],
    ids=["it told itself", "an hour later", "redriven since, and could not tell"],
)
def test_a_stop_is_told_once_and_once_more_each_hour(
    deployed: Any,
    call: Call,
    messages: Messages,
    monkeypatch: pytest.MonkeyPatch,
    minutes_ago: int,
    redrives: int,
    subjects: list[str],
) -> None:
    started(call)
    execution = claim(deployed, call, "orders-1-failover", epoch=1)["execution"]
    failure = {"Error": "LinkRejected", "Cause": "403: give the key the rights"}
    with pytest.raises(FailoverStopped):
        call("conclude", {"execution": execution, "outcome": "failed", "stopped_at": "Promote", "error": failure})
    ended = Run("FAILED", time.time() - 60 * minutes_ago, redrives)
    monkeypatch.setattr(runs, "describe_run", lambda _: ended)
    for _ in range(2):
        call("judge", event("alarm-metric"))
    told = messages()
    assert [message.subject for message in told] == subjects
    assert redrives or all("give the key the rights" in message.body["text"] for message in told)


def test_a_start_that_is_refused_for_a_lease_nobody_works_under_says_so(deployed: Any, call: Call) -> None:
    started(call)
    claim(deployed, call, "orders-1-failover", epoch=1)
    by_hand = {"start": {"plan": "orders", "to": "west"}, "execution_name": "by-hand"}
    with pytest.raises(DuplicateExecution, match="let it end"):
        call("claim", by_hand)
    stop(deployed, "orders-1-failover")
    with pytest.raises(DuplicateExecution, match=r"has ended \(ABORTED\) and keeps the lease: redrive it"):
        call("claim", by_hand)


def test_an_execution_whose_name_begins_alike_is_another(deployed: Any, call: Call) -> None:
    ledger = Ledger(client("dynamodb"), "ledger")
    tenth = {"start": {"plan": "orders", "to": "standby", "dry_run": True}, "execution_name": "by-hand-10"}
    from failover.ledger.execution import Execution

    execution = Execution.model_validate(call("claim", tenth)["execution"])
    ledger.record_step(execution, "assess", "done", {"why": "of the tenth"}, time.time())
    assert ledger.step("orders", "by-hand-10", "assess") is not None
    assert ledger.step("orders", "by-hand-1", "assess") is None


def test_nothing_is_started_once_the_ledger_moved_on_meanwhile(
    deployed: Any, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It claimed and ended between judge's look at the ledger and its question whether it runs."""
    started(call)
    first = {"start": {"plan": "orders", "to": "west", "epoch": 1}, "execution_name": "orders-1-failover"}

    def over(_: str) -> Run:
        execution = call("claim", first)["execution"]
        call("conclude", {"execution": execution, "outcome": "stood-down", "why": "it was well"})
        return Run("SUCCEEDED")

    monkeypatch.setattr("failover.execution.runs.describe_run", over)
    judged = call("judge", event("alarm-metric"))["judged"][0]
    assert judged["started"] is None
    assert executions(deployed) == ["orders-1-failover"]


def test_whether_a_holder_runs_is_asked_in_its_own_region_and_not_at_every_observation(
    deployed: Any, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, describe = list[str](), runs.describe_run

    def ask(arn: str) -> Run:
        asked.append(arn)
        return describe(arn)

    monkeypatch.setattr(runs, "describe_run", ask)
    started(call)
    claim(deployed, call, "orders-1-failover", epoch=1)
    state = Ledger(client("dynamodb"), "ledger").state("orders", "east")
    assert [runs.ended_holder(state) for _ in range(3)] == [None] * 3
    assert asked == [state.holder_arn] and ":us-west-2:" in state.holder_arn


def test_a_holder_that_ends_while_it_is_judged_needs_nobody(
    deployed: Any, call: Call, messages: Callable[[], list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between a look at the ledger and one at Step Functions it gave its lease back."""
    started(call)
    execution = claim(deployed, call, "orders-1-failover", epoch=1)["execution"]

    def describe(arn: str) -> Run:
        call("conclude", {"execution": execution, "outcome": "stood-down", "why": "no vote stands"})
        return Run("SUCCEEDED", time.time())

    monkeypatch.setattr(runs, "describe_run", describe)
    call("judge", event("alarm-metric"))
    assert not any("a person is needed" in message.subject for message in messages())


def test_a_holder_that_can_not_be_asked_about_is_taken_to_run(
    deployed: Any, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    started(call)
    claim(deployed, call, "orders-1-failover", epoch=1)
    stop(deployed, "orders-1-failover")
    state = Ledger(client("dynamodb"), "ledger").state("orders", "east")
    with monkeypatch.context() as silent:
        silent.setenv("AWS_ENDPOINT_URL_SFN", "http://127.0.0.1:9")
        client.cache_clear()
        assert runs.ended_holder(state) is None
        assert runs.holder_silent_for(state) == 0.0
        assert runs.ended_holder(state) is None
        assert runs.holder_silent_for(state) > 0.0
    client.cache_clear()
    ended = runs.ended_holder(state)
    assert ended is not None and ended.at == pytest.approx(time.time(), abs=60)
    assert runs.holder_silent_for(state) == 0.0
    gone = replace(state, holder_arn=f"{state.holder_arn}-of-old")
    ended = runs.ended_holder(gone)
    assert ended is not None and ended.status == "not known any more"


def test_a_lease_given_back_while_nobody_could_tell_of_its_holder_is_free(
    deployed: Any, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    started(call)
    execution = claim(deployed, call, "orders-1-failover", epoch=1)["execution"]
    state = Ledger(client("dynamodb"), "ledger").state("orders", "east")
    with monkeypatch.context() as silent:
        silent.setenv("AWS_ENDPOINT_URL_SFN", "http://127.0.0.1:9")
        client.cache_clear()
        for moment in (1_000.0, 1_080.0):
            silent.setattr(runs, "time", SimpleNamespace(monotonic=partial(float, moment), time=time.time))
            assert runs.ended_holder(state) is None
        assert runs.holder_silent_for(state) == 80.0
        call("conclude", {"execution": execution, "outcome": "stood-down", "why": "no vote stands"})
    client.cache_clear()
    assert started(call) == "orders-2-failover"


def test_a_holder_is_asked_after_anew_once_its_last_answer_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    forget()
    answers = [Run("RUNNING"), Run("ABORTED")]
    monkeypatch.setattr(runs, "describe_run", lambda _: answers.pop(0))
    state = PlanState(active="east", epoch=1, holder="orders-1-failover", holder_arn="arn:of-it")
    assert [runs.ended_holder(state), runs.ended_holder(state), len(answers)] == [None, None, 1]
    monkeypatch.setattr(runs, "ASK_AGAIN_S", -1.0)
    ended = runs.ended_holder(state)
    assert ended is not None
    assert (ended.name, ended.status, ended.redrives) == ("orders-1-failover", "ABORTED", 0)
