"""Who supersedes finds what the other left: its calls have landed, its record is ended, the truth is told of both."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from failover.aws.clients import client
from failover.errors import FailoverStopped, LeaseLost, WrongDirection
from failover.execution.predecessors import LOOK_AT_NAME
from failover.execution.runs import Run
from failover.fleets import FleetState
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.plan.model import parse
from tests.conftest import Context
from tests.functions.conftest import Message

Call = Callable[[str, dict[str, Any]], dict[str, Any]]


def book() -> Ledger:
    return Ledger(client("dynamodb"), "ledger")


def claim(call: Call, name: str, **start: Any) -> dict[str, Any]:
    return call("claim", {"start": {"plan": "orders", "to": "west"} | start, "execution_name": name})


def report(execution: dict[str, Any], step: str, status: str = "done", **observed: Any) -> None:
    book().record_step(Execution.model_validate(execution), step, status, observed, time.time())


def status(name: str) -> str:
    record = book().execution("orders", name)
    assert record is not None
    return record.status


def test_a_superseding_claim_that_died_midway_is_finished_by_its_next_call(
    deployed: Any, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim(call, "old")

    def die(*_: Any) -> None:
        raise MemoryError("the container is gone")

    with monkeypatch.context() as crash:
        crash.setattr(Ledger, "_begin", die)
        with pytest.raises(MemoryError):
            claim(call, "new", supersedes="old")
    assert book().state("orders", "east").holder == "new" and status("old") == "running"
    again = claim(call, "new", supersedes="old")
    assert (again["execution"]["epoch"], again["superseding"]) == (2, True)
    record = book().execution("orders", "old")
    assert record is not None and (record.status, record.superseded_by) == ("superseded", "new")
    assert status("new") == "running"


def way_back(call: Call, name: str = "back", **more: Any) -> dict[str, Any]:
    start = {"to": "east", "supersedes": "orders-1-switchover", "force": True} | more
    return dict(claim(call, name, **start)["execution"])


def switchover_under_way(call: Call) -> dict[str, Any]:
    start = {"start": {"plan": "orders", "to": "west"}, "execution_name": "orders-1-switchover"}
    return dict(call("claim", start | {"kind": "switchover"})["execution"])


def test_who_leads_clients_back_says_that_they_mean_it_and_from_what(deployed: Any, call: Call) -> None:
    switchover_under_way(call)
    with pytest.raises(WrongDirection, match=r"was leaving east: .* write force=true; .* stranded"):
        way_back(call, force=False)
    with pytest.raises(WrongDirection, match="active site of plan 'orders' already"):
        way_back(call, supersedes=None)
    with pytest.raises(WrongDirection, match="active site of plan 'orders' already"):
        way_back(call, supersedes="another")
    back = way_back(call)
    assert (back["from"], back["to"], back["leads_back"], back["forced"]) == ("west", "east", True, True)
    again = way_back(call)
    assert (again["epoch"], again["leads_back"]) == (back["epoch"], True), "called again, it is the same claim"
    assert not claim(call, "on", supersedes="back")["execution"]["leads_back"]
    assert way_back(call, "back-again", supersedes="on")["leads_back"]


def test_clients_are_led_back_also_after_what_took_over_has_stood_down(deployed: Any, call: Call) -> None:
    switchover_under_way(call)
    on = claim(call, "on", supersedes="orders-1-switchover")["execution"]
    call("conclude", {"execution": on, "outcome": "stood-down", "why": "west does not answer"})
    back = way_back(call, supersedes="on")
    assert back["leads_back"] and book().state("orders", "east").holder == "back"
    assert way_back(call, supersedes="on")["epoch"] == back["epoch"] == 3
    call("conclude", {"execution": back, "outcome": "succeeded"})
    state = book().state("orders", "west")
    assert (state.active, state.holder) == ("east", None)
    with pytest.raises(WrongDirection, match="already"):
        way_back(call, "once-more", supersedes="on")


def test_a_switchover_that_was_put_back_is_nothing_to_lead_back_from(deployed: Any, call: Call) -> None:
    call("conclude", {"execution": switchover_under_way(call), "outcome": "stood-down", "why": "aborted"})
    with pytest.raises(WrongDirection, match="already"):
        way_back(call)


def test_a_failure_is_not_recorded_again_under_a_lease_that_another_took(
    deployed: Any, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    failure = {"execution": claim(call, "old")["execution"], "outcome": "failed", "stopped_at": "BeginVerify"}
    with pytest.raises(FailoverStopped):
        call("conclude", failure)

    def die(*_: Any) -> None:
        raise MemoryError("the container is gone")

    with monkeypatch.context() as crash:
        crash.setattr(Ledger, "_begin", die)
        with pytest.raises(MemoryError):
            claim(call, "new", supersedes="old")
    assert status("old") == "failed", "its record does not say yet that it is superseded"
    with pytest.raises(LeaseLost):
        call("conclude", failure)


def test_who_supersedes_waits_until_no_call_of_the_other_can_be_in_flight(deployed: Any, call: Call) -> None:
    machine = deployed("stepfunctions").list_state_machines()["stateMachines"][0]["stateMachineArn"]
    arn = deployed("stepfunctions").start_execution(stateMachineArn=machine, name="old", input="{}")["executionArn"]
    first = call("claim", {"start": {"plan": "orders", "to": "west"}, "execution_name": "old", "execution_arn": arn})
    assert (first["superseding"], first["predecessor_wait_seconds"]) == (False, 0)
    assert claim(call, "while-it-runs", supersedes="old")["predecessor_wait_seconds"] == 20


@pytest.mark.parametrize(("ago", "wait"), [(0, 20), (9, 20), (15, 15), (29, 1), (31, 0)])
def test_who_supersedes_one_that_ended_waits_for_what_is_left_of_its_last_call(
    deployed: Any, call: Call, monkeypatch: pytest.MonkeyPatch, ago: int, wait: int
) -> None:
    """It may have been asked for a moment before the end, of a container that took ten seconds to start."""
    first = {"start": {"plan": "orders", "to": "west"}, "execution_name": "old", "execution_arn": "arn:aws:states:x"}
    call("claim", first)
    ended = Run("ABORTED", time.time() - ago)
    monkeypatch.setattr("failover.execution.runs.describe_run", lambda _: ended)
    waits = claim(call, "new", supersedes="old")["predecessor_wait_seconds"]
    assert max(0, wait - 1) <= waits <= wait


@pytest.fixture
def old(deployed: Any, call: Call) -> dict[str, Any]:
    """An execution that had promoted and flipped, and was superseded by one that looked where the name leads."""
    execution = claim(call, "old")["execution"]
    report(execution, "promote_mirrors")
    report(execution, "flip_dns", "waiting", record="gw-west")
    return dict(execution)


@pytest.mark.parametrize(("leads_to", "active"), [("west", "west"), ("east", "east"), (None, "east")])
def test_a_superseding_stand_down_puts_the_truth_about_the_active_site(
    old: Any,
    call: Call,
    plan_text: str,
    messages: Callable[[], list[Message]],
    leads_to: str | None,
    active: str,
) -> None:
    execution = claim(call, "new", supersedes="old")["execution"]
    if leads_to:
        report(execution, LOOK_AT_NAME, record=parse(plan_text).site(leads_to).dns_target.upper() + ".")
    call("conclude", {"execution": execution, "outcome": "stood-down", "why": "west does not answer"})
    call("announce", {"execution": execution})
    state = book().state("orders", "east")
    assert (state.active, state.holder) == (active, None)
    (message,) = messages()
    assert "nothing was changed but by old before" in message.subject
    assert message.body["predecessors"] == [
        {
            "execution": "old",
            "status": "superseded",
            "reached": {"promote_mirrors": "done", "flip_dns": "waiting"},
        }
    ]
    assert message.body["clients_found_at"] == leads_to


def test_a_chain_of_superseded_executions_is_told_whole(old: Any, call: Call) -> None:
    claim(call, "between", supersedes="old")
    execution = claim(call, "new", supersedes="between")["execution"]
    told = call("conclude", {"execution": execution, "outcome": "succeeded"})["report"]["predecessors"]
    assert [each["execution"] for each in told] == ["between", "old"]
    with pytest.raises(LeaseLost):
        call("conclude", {"execution": old, "outcome": "succeeded"})


def test_who_supersedes_nobody_moves_no_site_by_standing_down(deployed: Any, call: Call, plan_text: str) -> None:
    execution = claim(call, "new")["execution"]
    report(execution, LOOK_AT_NAME, record=parse(plan_text).site("west").dns_target)
    call("conclude", {"execution": execution, "outcome": "stood-down", "why": "refused"})
    assert book().state("orders", "east").active == "east"


class LongLook:
    """A fleet and a name that are looked at for so long that another execution takes the plan over meanwhile."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self.changes: list[str] = []

    def look(self, *_: object) -> Any:
        claim(self._call, "new", supersedes="old")
        fleet = FleetState(target="east", settled=True, instances=(), detail="1 of 1")
        return SimpleNamespace(**vars(fleet), routed_to=fleet.routed_to, record="gw-east", in_sync=True)

    def route(self, target: str) -> None:
        self.changes.append(target)

    def point_to(self, site: str) -> None:
        self.changes.append(site)


@pytest.mark.parametrize(
    ("name", "found_by", "more"),
    [
        ("fence", "fleets_of", {}),
        ("fence", "fleets_of", {"everywhere": True}),
        ("switch_routes", "fleet_of", {"site": "west", "fleet": "gateway-west"}),
        ("flip_dns", "client_name_of", {}),
    ],
)
def test_who_loses_the_lease_while_it_looks_changes_nothing(
    deployed: Any, call: Call, function: Any, monkeypatch: pytest.MonkeyPatch, name: str, found_by: str, more: Any
) -> None:
    execution = claim(call, "old")["execution"]
    looked_at = LongLook(call)
    found = [("gateway-east", looked_at)] if found_by == "fleets_of" else looked_at
    step = function(name)
    monkeypatch.setattr(step, found_by, lambda *_: found)
    monkeypatch.setattr(step, "look_in_time", lambda look, _: look(), raising=False)
    with pytest.raises(LeaseLost):
        step.handler({"execution": execution} | more, Context())
    assert looked_at.changes == []


@pytest.mark.parametrize("step", ["restore_mirrors", "call_hooks:before-fence", "sync_offsets", "create_groups"])
def test_whatever_a_superseded_one_had_changed_is_said_of_who_changes_nothing(
    deployed: Any, call: Call, messages: Callable[[], list[Message]], step: str
) -> None:
    report(claim(call, "old")["execution"], step, "waiting", hooks=[])
    execution = claim(call, "new", supersedes="old")["execution"]
    call("conclude", {"execution": execution, "outcome": "stood-down", "why": "west does not answer"})
    call("announce", {"execution": execution})
    (message,) = messages()
    assert "nothing was changed but by old before" in message.subject
    assert message.body["predecessors"][0]["reached"] == {step: "waiting"}


@pytest.mark.parametrize("answer", ["deny", "approve"])
def test_a_no_that_its_execution_could_not_leave_behind_is_left_by_who_took_over_and_stood_down(
    deployed: Any, call: Call, answer: str
) -> None:
    claim(call, "orders-1-failover", epoch=1)
    reply = {"answer": answer, "answered_by": "Ada", "answered_at": "1795426144", "answered_why": "it comes back"}
    book().set_fields("orders", "approval#orders-1-failover", reply)
    execution = claim(call, "by-hand", supersedes="orders-1-failover")["execution"]
    call("conclude", {"execution": execution, "outcome": "stood-down", "why": "west does not answer"})
    denial = book().state("orders", "east").denial
    if answer == "approve":
        assert denial is None
    else:
        assert denial is not None and (denial.site, denial.at) == ("east", 1795426144.0)
        assert (denial.execution, denial.why) == ("orders-1-failover", "Ada denied orders-1-failover: it comes back")
