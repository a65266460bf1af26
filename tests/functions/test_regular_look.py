"""What is known is judged again once a minute, though nothing is heard and nobody looks at the sites any more."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from failover.aws.clients import client
from failover.detection.signal_store import signals
from failover.errors import ServiceUnavailable, UnknownPlan
from failover.execution import runs
from failover.ledger.ledger import Ledger
from tests.alarms import put_alarm
from tests.conftest import Context
from tests.functions.conftest import Message
from tests.functions.heard_events import EVENTS, event, executions, sighting
from tests.notifications import an_hour_passes
from tests.plans import put_plan

Call = Callable[[str, dict[str, Any]], dict[str, Any]]
LOOK: dict[str, Any] = json.loads((EVENTS / "regular-look.json").read_text())


@pytest.fixture
def judged_later(function: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> Callable[[float], dict[str, Any]]:
    """Takes the regular look as if it were so many seconds later."""
    judge = function("judge")

    def look(seconds: float) -> dict[str, Any]:
        monkeypatch.setattr(judge, "time", SimpleNamespace(time=lambda: time.time() + seconds, sleep=time.sleep))
        return dict(judge.handler(LOOK, Context())["judged"][0])

    return look


@pytest.fixture
def patient(deployed: Callable[..., Any], plan_text: str) -> None:
    """One vote is enough, once it has stood for a minute."""
    plan = yaml.safe_load(plan_text)
    plan["policy"] |= {"quorum": 1, "min_vantage_points": 1, "fast_path": True, "hold_seconds": 60}
    put_plan(deployed, yaml.safe_dump(plan))


def test_an_alarm_that_was_too_young_is_judged_again_though_no_probe_looks_any_more(
    deployed: Any, call: Call, patient: None, judged_later: Callable[[float], dict[str, Any]]
) -> None:
    call("judge", sighting("us-west-2", lost=()))
    fresh = event("alarm-metric", ago=0.0)
    fresh["detail"]["state"]["reasonData"] = "{}"
    assert call("judge", fresh)["judged"][0]["started"] is None
    assert judged_later(70.0)["started"] == "orders-1-failover"
    assert executions(deployed) == ["orders-1-failover"]


def test_people_are_told_hourly_of_a_holder_that_nobody_can_ask_after_though_both_sites_look_well(
    deployed: Any,
    call: Call,
    messages: Callable[[], list[Message]],
    judged_later: Callable[[float], dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its region may be lost, with clients behind its fence."""

    def silent(arn: str) -> runs.Run:
        raise ServiceUnavailable(f"Step Functions, for {arn}, did not answer")

    start = {"plan": "orders", "to": "west", "by": "anna", "reason": "a change of sites"}
    arn = "arn:aws:states:us-west-2:123456789012:execution:switchover:switchover-1"
    call("claim", {"start": start, "kind": "switchover", "execution_name": "switchover-1", "execution_arn": arn})
    monkeypatch.setattr(runs, "describe_run", silent)
    told: list[list[Any]] = []
    for elapsed, later in ((0.0, 0.0), (60.0, 0.0), (90.0, 0.0), (180.0, 0.0), (240.0, 3600.0)):
        monkeypatch.setattr(runs, "time", SimpleNamespace(monotonic=lambda elapsed=elapsed: 1000.0 + elapsed))
        if later:
            an_hour_passes()
        judged_later(later)
        told.append([message.body.get("holder") for message in messages()])
    assert told == [[], [], ["switchover-1"], [], ["switchover-1"]]


def test_a_site_that_nobody_looks_at_any_more_is_told_of_again_each_hour(
    deployed: Any,
    call: Call,
    messages: Callable[[], list[Message]],
    judged_later: Callable[[float], dict[str, Any]],
) -> None:
    Ledger(client("dynamodb"), "ledger").pause("orders", "anna: we look first")
    call("judge", event("alarm-metric", ago=40.0))
    assert [message.body["guard"] for message in messages()] == ["paused"]
    judged_later(3590.0)
    assert messages() == []
    an_hour_passes()
    judged_later(3600.0)
    assert [message.body["guard"] for message in messages()] == ["paused"]
    assert executions(deployed) == []


@pytest.fixture
def heed_one_alarm(deployed: Callable[..., Any], plan_text: str) -> None:
    """One vote is enough at once."""
    plan = yaml.safe_load(plan_text)
    plan["policy"] |= {"quorum": 1, "min_vantage_points": 1, "fast_path": True, "hold_seconds": 0}
    put_plan(deployed, yaml.safe_dump(plan))


def _alarm(cloudwatch: Any, state: str, **settings: Any) -> str:
    name = str(event("alarm-metric")["detail"]["alarmName"])
    put_alarm(cloudwatch, name, **settings)
    cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="3 of 3 datapoints")
    return name


@pytest.mark.parametrize("state", ["OK", "INSUFFICIENT_DATA", "ALARM"])
def test_an_alarm_that_stands_is_a_vote_though_its_event_was_lost(
    deployed: Any, call: Call, heed_one_alarm: None, state: str
) -> None:
    name = _alarm(deployed("cloudwatch"), state)
    (judged,) = call("judge", LOOK)["judged"]
    assert (judged["started"] == "orders-1-failover") is (state == "ALARM")
    heard = signals(Ledger(client("dynamodb"), "ledger"), "orders")
    assert [(signal.source, signal.says_lost, signal.why) for signal in heard] == (
        [(name, True, "3 of 3 datapoints")] if state == "ALARM" else []
    )


def test_an_alarm_that_stands_silenced_is_no_vote_though_its_event_was_lost(
    deployed: Any, call: Call, heed_one_alarm: None
) -> None:
    _alarm(deployed("cloudwatch"), "ALARM", ActionsEnabled=False)
    assert call("judge", LOOK)["judged"][0]["started"] is None
    (heard,) = signals(Ledger(client("dynamodb"), "ledger"), "orders")
    assert (heard.says_lost, heard.silenced, heard.why) == (False, True, "the alarm's actions are disabled")


@pytest.mark.parametrize(("later", "all_is_well"), [(59.5, True), (60.0, False)])
def test_that_all_is_well_is_good_for_less_than_a_minute(
    deployed: Any, function: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, later: float, all_is_well: bool
) -> None:
    judge, now = function("judge"), time.time()
    for at in (now, now + later):
        monkeypatch.setattr(judge, "time", SimpleNamespace(time=lambda at=at: at))
        (answer,) = judge.handler(sighting("us-west-2", lost=(), at=now), Context())["judged"]
    assert (answer["why"] == "all is well") is all_is_well


@pytest.mark.parametrize(("wait", "slept"), [(30.0, [30.0]), (30.5, [])])
def test_votes_that_are_only_too_young_are_waited_for_half_a_minute_and_older_ones_are_left_to_the_next_look(
    deployed: Any, function: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, wait: float, slept: list[float]
) -> None:
    judge, pauses = function("judge"), list[float]()
    monkeypatch.setattr(judge, "only_too_young", lambda *_: wait)
    monkeypatch.setattr(judge, "time", SimpleNamespace(time=time.time, sleep=pauses.append))
    judge.handler(LOOK, Context())
    assert pauses == slept


def test_a_look_without_any_word_against_a_site_starts_and_tells_nothing(
    deployed: Any, call: Call, messages: Callable[[], list[Message]]
) -> None:
    assert call("judge", LOOK)["judged"][0]["why"] == "nothing says that east is lost"
    assert (executions(deployed), messages()) == ([], [])


def test_a_look_at_no_plan_is_refused(deployed: Any, call: Call) -> None:
    with pytest.raises(UnknownPlan):
        call("judge", LOOK | {"detail": {"plans": ["unheard-of"]}})
