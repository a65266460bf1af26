"""claim and conclude: one execution holds a plan; a bad start changes nothing and says what to write instead."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from failover.aws.clients import client
from failover.errors import (
    BadPlan,
    DuplicateExecution,
    LeaseLost,
    LedgerRejected,
    MalformedEvent,
    UnknownPlan,
    UnknownSite,
    WrongDirection,
)
from failover.ledger.ledger import Ledger
from tests.plans import put_plan

Call = Callable[[str, dict[str, Any]], dict[str, Any]]


def start(name: str = "orders-1-failover", **wanted: Any) -> dict[str, Any]:
    return {"start": {"plan": "orders", "to": "west"} | wanted, "execution_name": name}


def ledger() -> Ledger:
    return Ledger(client("dynamodb"), "ledger")


def untouched() -> bool:
    state = ledger().state("orders", "east")
    return (state.active, state.epoch, state.holder) == ("east", 0, None)


@pytest.fixture
def inbox(deployed: Callable[..., Any]) -> Callable[[], list[str]]:
    """What people were told."""
    queue = deployed("sqs").create_queue(QueueName="inbox")["QueueUrl"]
    topic = deployed("sns").list_topics()["Topics"][0]["TopicArn"]
    deployed("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-west-2:123456789012:inbox")

    def subjects() -> list[str]:
        messages = deployed("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"])["Subject"] for message in messages]

    return subjects


def test_a_claim_twice_is_one_claim(deployed: Any, call: Call) -> None:
    first, second = call("claim", start()), call("claim", start())
    assert first["execution"]["epoch"] == second["execution"]["epoch"] == 1
    assert ledger().state("orders", "east").epoch == 1
    assert (first["superseding"], first["predecessor_wait_seconds"]) == (False, 0)
    assert first["fleets_joining"] == [{"site": "west", "fleet": "gateway-west"}] and first["fleets_staying"] == []
    assert first["fleets_leaving"] == [{"site": "east", "fleet": "gateway-east"}]


def test_two_starts_at_once_are_one_execution(deployed: Any, call: Call) -> None:
    call("claim", start("orders-1-failover", epoch=1))
    with pytest.raises(DuplicateExecution):
        call("claim", start("by-hand"))
    with pytest.raises(DuplicateExecution):
        call("claim", start("orders-1-failover-again", epoch=1))


def test_the_epoch_in_an_executions_name_counts(deployed: Any, call: Call) -> None:
    with pytest.raises(DuplicateExecution, match="epoch 7"):
        call("claim", start("orders-7-failover"))
    assert untouched()


@pytest.mark.parametrize(
    ("wanted", "error", "says"),
    [
        ({"to": "east"}, WrongDirection, "write to='west'"),
        ({"from": "west", "to": "west"}, WrongDirection, "write from='east'"),
        ({"to": "north"}, UnknownSite, "its sites are east and west"),
        ({"from": "north"}, UnknownSite, "its sites are east and west"),
        ({"plan": "payments"}, UnknownPlan, "failover plans put"),
        ({"too": "west"}, MalformedEvent, "too"),
        ({"to": None}, MalformedEvent, "to"),
        ({"to": "standby"}, UnknownSite, "no site 'standby'"),
        ({"epoch": 0}, MalformedEvent, "epoch"),
        ({"kind": "switchover"}, MalformedEvent, "a switchover is started on another one"),
    ],
)
def test_a_bad_start_says_what_to_write_and_changes_nothing(
    deployed: Any, call: Call, wanted: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error) as refused:
        call("claim", start(**wanted))
    assert says in str(refused.value)
    assert untouched()


def test_a_start_by_hand_that_a_second_person_must_approve_names_the_first(
    deployed: Any, call: Call, plan_text: str
) -> None:
    document = yaml.safe_load(plan_text)
    document["policy"]["by_hand"] = "approve"
    text = yaml.safe_dump(document)
    put_plan(deployed, text)
    with pytest.raises(MalformedEvent, match='write "by"'):
        call("claim", start("by-hand"))
    assert untouched()
    assert call("claim", start("rehearsal", to="standby", dry_run=True))["execution"]["started_by"] == ""
    claimed = call("claim", start("by-hand", by="Ada", reason="a walk-through"))["execution"]
    assert (claimed["started_by"], claimed["reason"], claimed["forced"]) == ("Ada", "a walk-through", False)


def test_a_plan_with_wrong_fields_changes_nothing(deployed: Any, call: Call, plan_text: str) -> None:
    broken = yaml.safe_load(plan_text)
    broken["home"] = "north"
    put_plan(deployed, yaml.safe_dump(broken))
    with pytest.raises(BadPlan, match="home: names no site of the plan"):
        call("claim", start())
    assert untouched()


def test_a_dry_run_claims_nothing_and_may_say_standby(deployed: Any, call: Call) -> None:
    claimed = call("claim", start("rehearsal", to="standby", dry_run=True))
    assert (claimed["execution"]["to"], claimed["execution"]["dry_run"]) == ("west", True)
    assert untouched()
    over = call("claim", start("rehearsal-2", dry_run=True, supersedes="nobody"))
    assert (over["superseding"], over["predecessor_wait_seconds"]) == (False, 0)


def test_success_makes_the_standby_active_once(deployed: Any, call: Call) -> None:
    execution = call("claim", start())["execution"]
    for _ in range(3):
        assert call("conclude", {"execution": execution, "outcome": "succeeded"})["outcome"] == "succeeded"
    state = ledger().state("orders", "east")
    assert (state.active, state.holder, state.epoch) == ("west", None, 1)


def test_standing_down_changes_no_site_and_releases_the_lease(deployed: Any, call: Call) -> None:
    execution = call("claim", start())["execution"]
    call("conclude", {"execution": execution, "outcome": "stood-down", "why": "one vote of two"})
    state = ledger().state("orders", "east")
    assert (state.active, state.holder, state.epoch) == ("east", None, 1)


@pytest.mark.parametrize(
    ("keep", "kind", "start"),
    [
        ("dry_run.save_dry_run", "failover", {"dry_run": True}),
        ("practice.save_leg", "switchover", {"by": "Ada"}),
    ],
)
def test_evidence_that_may_not_be_kept_changes_no_outcome(
    deployed: Any, call: Call, monkeypatch: pytest.MonkeyPatch, keep: str, kind: str, start: dict[str, Any]
) -> None:
    def refuse(*_: Any) -> None:
        raise LedgerRejected("this role may not")

    monkeypatch.setattr(f"failover.readiness.{keep}", refuse)
    request = {"start": {"plan": "orders", "to": "west"} | start, "execution_name": "by-hand", "kind": kind}
    execution = call("claim", request)["execution"]
    assert call("conclude", {"execution": execution, "outcome": "succeeded"})["outcome"] == "succeeded"


def test_a_failure_is_recorded_told_and_raised_and_a_redrive_goes_on(deployed: Any, call: Call, inbox: Any) -> None:
    execution = call("claim", start())["execution"]
    failure = {"execution": execution, "outcome": "failed", "stopped_at": "BeginVerify", "error": {"Error": "X"}}
    for _ in range(2):
        with pytest.raises(Exception, match="stopped at BeginVerify") as stopped:
            call("conclude", failure)
        assert type(stopped.value).__name__ == "FailoverStopped"
    assert len(inbox()) == 1
    assert ledger().state("orders", "east").holder == "orders-1-failover"
    assert call("conclude", failure | {"redrives": 1, "redriven": True}) == {"version": 1, "resume": "BeginVerify"}


def test_a_failure_that_can_never_be_recorded_is_in_the_error(deployed: Any, call: Call) -> None:
    execution = call("claim", start())["execution"]
    deployed("dynamodb").delete_table(TableName="ledger")
    failure = {"execution": execution, "outcome": "failed", "stopped_at": "FlipAndReroute", "error": {"Error": "Odd"}}
    with pytest.raises(Exception, match=r"stopped at FlipAndReroute: .*Odd.*could not be recorded.*ledger") as stopped:
        call("conclude", failure)
    assert type(stopped.value).__name__ == "FailoverStopped"


def test_a_redrive_of_what_was_never_recorded_goes_on_the_first_time(deployed: Any, call: Call, inbox: Any) -> None:
    execution = call("claim", start())["execution"]
    failure = {"execution": execution, "outcome": "failed", "stopped_at": "FlipAndReroute", "error": {"Error": "X"}}
    assert call("conclude", failure | {"redrives": 1, "redriven": True}) == {"version": 1, "resume": "FlipAndReroute"}
    assert inbox() == []


def test_a_stuck_execution_can_be_superseded_and_can_then_do_nothing(deployed: Any, call: Call) -> None:
    old = call("claim", start())["execution"]
    call("claim", start("orders-2-failover", supersedes="orders-1-failover"))
    calls: list[tuple[str, dict[str, Any]]] = [
        ("assess", {}),
        ("fence", {}),
        ("promote_mirrors", {}),
        ("check_offsets", {}),
        ("create_groups", {}),
        ("switch_routes", {"site": "west", "fleet": "gateway-west"}),
        ("flip_dns", {}),
        ("verify", {}),
        ("request_approval", {"task_token": "t", "assessed": {}}),
        ("conclude", {"outcome": "succeeded"}),
        ("conclude", {"outcome": "failed"}),
    ]
    for function, more in calls:
        with pytest.raises(LeaseLost):
            call(function, {"execution": old, **more})


def test_an_approval_is_asked_once_and_its_token_is_in_no_message(deployed: Any, call: Call, inbox: Any) -> None:
    execution = call("claim", start())["execution"]
    request = {"execution": execution, "task_token": "secret-token", "assessed": {"why": "policy", "votes": []}}
    call("request_approval", request)
    call("request_approval", request)
    told = inbox()
    assert len(told) == 1 and told[0].startswith("Approve the failover of orders")
    items = deployed("dynamodb").scan(TableName="ledger")["Items"]
    assert [item["token"]["S"] for item in items if "token" in item] == ["secret-token"]


@pytest.mark.parametrize(
    "step",
    [
        "assess",
        "fence",
        "promote_mirrors",
        "check_offsets",
        "create_groups",
        "sample_lag",
        "switch_routes",
        "flip_dns",
        "verify",
        "conclude",
        "watch_site",
    ],
)
@pytest.mark.parametrize("rubbish", [{}, {"execution": None}, {"execution": {"plan": "orders"}}, {"plan": 3, "x": 1}])
def test_rubbish_is_refused_by_name(deployed: Any, call: Call, step: str, rubbish: dict[str, Any]) -> None:
    with pytest.raises(MalformedEvent):
        call(step, rubbish)


def test_a_restore_is_of_the_site_that_is_not_active_and_makes_no_other_one_active(deployed: Any, call: Call) -> None:
    with pytest.raises(WrongDirection, match="west is not the active site"):
        call("claim", start("orders-1-restore") | {"kind": "restore"})
    with pytest.raises(MalformedEvent, match="a failover truncates nothing"):
        call("claim", start(discard=True))
    for wanted in ({"epoch": 1}, {"force": True}, {"supersedes": "orders-0-failover"}):
        with pytest.raises(MalformedEvent, match="a restore is started by hand"):
            call("claim", start("orders-1-restore", to="east", **wanted) | {"kind": "restore"})
    assert untouched()
    answer = call("claim", start("orders-1-restore", to="east", discard=True) | {"kind": "restore"})
    assert (answer["execution"]["from"], answer["execution"]["to"], answer["discard"]) == ("west", "east", True)
    assert call("claim", start("orders-1-restore", to="east") | {"kind": "restore"})["execution"]["epoch"] == 1
    call("conclude", {"execution": answer["execution"], "outcome": "succeeded"})
    assert (ledger().state("orders", "east").active, ledger().state("orders", "east").failovers) == ("east", ())


def test_a_switchover_is_a_persons_and_takes_over_from_nobody(deployed: Any, call: Call) -> None:
    for wanted in ({"epoch": 1}, {"force": True}, {"supersedes": "orders-1-failover"}, {"kind": "failover"}):
        with pytest.raises(MalformedEvent):
            call("claim", start("orders-1-switchover", **wanted) | {"kind": "switchover"})
    assert untouched()
    claimed = call("claim", start("orders-1-switchover", by="anna") | {"kind": "switchover"})["execution"]
    assert (claimed["kind"], claimed["manual"], claimed["epoch"]) == ("switchover", True, 1)
