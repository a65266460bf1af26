"""No is no: what a person denied, or nobody answered, is not asked again until a person resumes or the site was well.

What another look may find otherwise is looked at again: if the votes suffice, something runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import yaml

from failover.aws.clients import client
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.ledger.records import Denial
from tests.functions.conftest import Message
from tests.functions.heard_events import event, executions, sighting
from tests.plans import put_plan

Call = Callable[[str, dict[str, Any]], dict[str, Any]]
VANTAGES = ("us-west-2", "us-east-1")
DENIED = "a person denied it: Ada: the region is back in a minute"


@pytest.fixture(autouse=True)
def votes_decide_alone(deployed: Callable[..., Any], plan_text: str) -> None:
    document = yaml.safe_load(plan_text)
    document["policy"] |= {
        "mode": "approve",
        "on_approval_timeout": "proceed",
        "fast_path": True,
        "cooldown_seconds": 0,
    }
    text = yaml.safe_dump(document)
    put_plan(deployed, text)


def book() -> Ledger:
    return Ledger(client("dynamodb"), "ledger")


def looks_lost(call: Call, first: float = 4.0) -> dict[str, Any]:
    """Both vantage points see the active site lost for long enough; the last judgement. `first`: seconds ago."""
    for ago in (first, first - 4):
        for vantage in VANTAGES:
            judged = call("judge", sighting(vantage, ago=ago))["judged"][0]
    return dict(judged)


def looks_well(call: Call) -> None:
    for vantage in VANTAGES:
        call("judge", sighting(vantage, lost=()))


def stands_down(call: Call, name: str, why: str, guard: str, *, stands: bool, **start: Any) -> None:
    """An execution claims, decides so, ends without a failover, and tells of it."""
    request = {"start": {"plan": "orders", "to": "west"} | start, "execution_name": name}
    execution = call("claim", request)["execution"]
    assessed = {"verdict": "ask" if stands else "stand-down", "why": guard, "stands_until_resumed": stands}
    book().record_step(Execution.model_validate(execution), "assess", "done", assessed, time.time())
    call("conclude", {"execution": execution, "outcome": "stood-down", "why": why})
    call("announce", {"execution": execution})


def test_a_denial_stands_whatever_the_votes_say_until_a_person_resumes(
    deployed: Any, call: Call, messages: Callable[[], list[Message]]
) -> None:
    assert looks_lost(call)["started"] == "orders-1-failover"
    stands_down(call, "orders-1-failover", DENIED, "approval_required", stands=True, epoch=1)
    for _ in range(3):
        judged = looks_lost(call)
        assert judged["started"] is None and DENIED in judged["why"]
    assert executions(deployed) == ["orders-1-failover"]
    assert [message.body["why"] for message in messages()] == [DENIED], "told as it ended, and not a second time"
    book().resume("orders")
    assert looks_lost(call)["started"] == "orders-2-failover"


def test_a_denial_is_told_of_again_while_the_site_looks_lost_an_hour_later(
    deployed: Any, call: Call, messages: Callable[[], list[Message]]
) -> None:
    looks_lost(call)
    stands_down(call, "orders-1-failover", DENIED, "approval_required", stands=True, epoch=1)
    messages()
    denial = book().state("orders", "east").denial
    assert denial is not None
    _deny_at(denial, time.time() - 3601)
    for _ in range(2):
        looks_lost(call)
    (again,) = messages()
    assert again.subject.startswith("orders: east looks lost, nothing is done") and DENIED in again.body["why"]


def _deny_at(denial: Denial, at: float) -> None:
    client("dynamodb").update_item(
        TableName="ledger",
        Key={"pk": {"S": "plan#orders"}, "sk": {"S": "state"}},
        UpdateExpression="SET denial = :denial",
        ExpressionAttributeValues={":denial": {"S": replace(denial, at=at).as_json()}},
    )


def test_a_denial_ends_when_every_vantage_point_has_seen_the_site_well(deployed: Any, call: Call) -> None:
    looks_lost(call)
    stands_down(call, "orders-1-failover", DENIED, "approval_required", stands=True, epoch=1)
    call("judge", sighting(VANTAGES[1]))
    call("judge", sighting(VANTAGES[0], lost=()))
    assert book().state("orders", "east").denial is not None, "the other still sees it lost"
    looks_well(call)
    assert book().state("orders", "east").denial is None
    assert looks_lost(call, first=-0.5)["started"] == "orders-2-failover"


def test_a_denial_where_nobody_watches_ends_with_its_alarm(deployed: Any, call: Call) -> None:
    assert call("judge", event("alarm-metric"))["judged"][0]["started"] == "orders-1-failover"
    stands_down(call, "orders-1-failover", DENIED, "approval_required", stands=True, epoch=1)
    assert call("judge", event("alarm-metric", ago=4))["judged"][0]["started"] is None
    call("judge", event("alarm-ok", ago=-1))
    assert book().state("orders", "east").denial is None
    assert call("judge", event("alarm-metric", ago=-2))["judged"][0]["started"] == "orders-2-failover"


def test_a_person_may_fail_over_by_hand_what_another_denied(deployed: Any, call: Call) -> None:
    looks_lost(call)
    stands_down(call, "orders-1-failover", DENIED, "approval_required", stands=True, epoch=1)
    by_hand = {"start": {"plan": "orders", "to": "west"}, "execution_name": "by-hand"}
    execution = call("claim", by_hand)["execution"]
    call("conclude", {"execution": execution, "outcome": "succeeded"})
    state = book().state("orders", "east")
    assert (state.active, state.denial) == ("west", None), "it was overtaken"


def test_a_no_to_who_started_by_hand_is_none_to_the_signals(deployed: Any, call: Call) -> None:
    stands_down(call, "by-hand", DENIED, "approval_required", stands=True)
    assert looks_lost(call)["started"] == "orders-2-failover"


def test_what_another_look_may_find_otherwise_is_looked_at_again(deployed: Any, call: Call) -> None:
    looks_lost(call)
    stands_down(call, "orders-1-failover", "not in time", "standby_unreachable", stands=False, epoch=1)
    assert looks_lost(call)["started"] == "orders-2-failover"


def test_a_denial_of_leaving_one_site_is_none_of_leaving_the_other(deployed: Any, call: Call) -> None:
    looks_lost(call)
    stands_down(call, "orders-1-failover", DENIED, "approval_required", stands=True, epoch=1)
    denial = book().state("orders", "east").denial
    assert denial is not None and (denial.site, denial.why, denial.execution) == ("east", DENIED, "orders-1-failover")
