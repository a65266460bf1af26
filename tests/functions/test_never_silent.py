"""While the active site looks lost to anyone and nothing is done, people are told why, once an hour for each reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from failover.aws.clients import client
from failover.ledger.ledger import Ledger
from tests.functions.conftest import Message
from tests.functions.heard_events import event, executions, sighting
from tests.plans import put_plan

Call = Callable[[str, dict[str, Any]], dict[str, Any]]
Messages = Callable[[], list[Message]]
BOTH = ("us-west-2", "us-east-1")


@pytest.fixture
def policy(deployed: Callable[..., Any], plan_text: str) -> Callable[..., None]:
    """Deploys the plan with another policy."""

    def deploy(**changes: Any) -> None:
        document = yaml.safe_load(plan_text)
        document["policy"] |= changes
        text = yaml.safe_dump(document)
        put_plan(deployed, text)

    return deploy


def sees_lost(call: Call, seconds: int, vantages: tuple[str, ...] = BOTH, well: tuple[str, ...] = ()) -> None:
    """Each of the vantage points sees the active site lost every ten seconds, until now; others see it well."""
    for ago in range(seconds, -1, -10):
        for vantage in vantages:
            call("judge", sighting(vantage, ago=float(ago)))
        for vantage in well:
            call("judge", sighting(vantage, lost=(), ago=float(ago)))


def guards(messages: Messages) -> list[str]:
    return [message.body["guard"] for message in messages()]


def test_one_vantage_point_that_insists_is_heard_though_it_starts_nothing(
    deployed: Any, call: Call, messages: Messages, policy: Callable[..., None]
) -> None:
    policy(fast_path=True)
    sees_lost(call, 60, BOTH[:1], well=BOTH[1:])
    (message,) = messages()
    assert message.subject.startswith("orders: east looks lost, nothing is done")
    assert (message.body["guard"], message.body["site"]) == ("quorum_not_met", "east")
    assert executions(deployed) == []


def test_a_quorum_that_can_not_be_met_is_no_reason_for_silence(
    deployed: Any, call: Call, messages: Messages, policy: Callable[..., None]
) -> None:
    policy(fast_path=True, quorum=5)
    sees_lost(call, 60)
    assert guards(messages) == ["quorum_not_met"]


def test_probes_that_may_not_decide_alone_are_heard(
    deployed: Any, call: Call, messages: Messages, policy: Callable[..., None]
) -> None:
    policy(fast_path=False)
    sees_lost(call, 60)
    assert guards(messages)[-1] == "no_alarm"
    assert executions(deployed) == []


def test_another_reason_is_told_anew_and_the_same_is_not(
    deployed: Any, call: Call, messages: Messages, policy: Callable[..., None]
) -> None:
    policy(fast_path=False)
    sees_lost(call, 60)
    assert guards(messages)[-1] == "no_alarm"
    Ledger(client("dynamodb"), "ledger").pause("orders", "anna: we look first")
    sees_lost(call, 0)
    sees_lost(call, 0)
    assert guards(messages) == ["paused"]


def test_a_blip_and_an_execution_that_is_at_it_are_no_silence(
    deployed: Any, call: Call, messages: Messages, policy: Callable[..., None]
) -> None:
    policy(fast_path=False)
    sees_lost(call, 20)
    assert messages() == []
    call("claim", {"start": {"plan": "orders", "to": "west"}, "execution_name": "by-hand"})
    sees_lost(call, 60)
    assert messages() == []


def test_peoples_own_switchover_takes_over_from_nobody_and_is_no_reason_for_silence(
    deployed: Any, call: Call, messages: Messages, policy: Callable[..., None]
) -> None:
    policy(fast_path=True)
    claim = {"start": {"plan": "orders", "to": "west"}, "execution_name": "by-hand", "kind": "switchover"}
    call("claim", claim)
    sees_lost(call, 40)
    assert guards(messages)[-1] == "execution_in_progress"


def test_what_holds_the_plan_is_looked_up_only_where_it_does_and_its_site_is_said_to_be_lost(
    deployed: Any, call: Call, policy: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    policy(fast_path=True)
    names: list[str] = []
    execution = Ledger.execution

    def noted(book: Ledger, plan: str, name: str) -> Any:
        names.append(name)
        return execution(book, plan, name)

    monkeypatch.setattr(Ledger, "execution", noted)
    call("judge", sighting(BOTH[0]))
    claim = {"start": {"plan": "orders", "to": "west"}, "execution_name": "by-hand", "kind": "switchover"}
    call("claim", claim)
    call("judge", sighting(BOTH[0], lost=()))
    assert names == []
    call("judge", sighting(BOTH[0]))
    assert names == ["by-hand"]


@pytest.mark.parametrize("ago", [0.0, 1.0])
def test_an_alarm_that_comes_at_once_is_judged_once_it_has_stood_long_enough(
    deployed: Any, call: Call, policy: Callable[..., None], ago: float
) -> None:
    policy(quorum=1, min_vantage_points=1, fast_path=True, hold_seconds=2)
    call("judge", sighting(BOTH[0], lost=()))
    fresh = event("alarm-metric", ago=ago)
    fresh["detail"]["state"]["reasonData"] = "{}"
    assert call("judge", fresh)["judged"][0]["started"] == "orders-1-failover"


def test_what_can_not_be_started_is_told_as_the_reason(
    deployed: Any, call: Call, messages: Messages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_MACHINE_ARN", "arn:aws:states:us-west-2:123456789012:stateMachine:gone")
    with pytest.raises(Exception, match="Step Functions"):
        call("judge", event("alarm-metric"))
    assert guards(messages) == ["ServiceRejected"]
