"""Alarms read again: only one that stands now, and that nobody silenced since, is still a vote."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from failover.aws.clients import client
from failover.container import forget
from failover.detection import alarm_recheck
from failover.detection.alarm_recheck import (
    ASK_AGAIN_S,
    current_signals,
    describe_alarms,
    in_every_region,
    recheck_alarms,
)
from failover.detection.evidence import Signal, SignalKind
from failover.detection.signal_store import save_signal, signals
from tests.alarms import put_alarm
from tests.ledger_in_memory import DynamoDB, ledger_of


def signal(name: str = "east-kafka", region: str = "us-west-2", kind: SignalKind = "alarm") -> Signal:
    return Signal(
        site="east",
        source=name,
        says_lost=True,
        at=10.0,
        since=5.0,
        why="2 of 3 datapoints",
        kind=kind,
        vantage=region,
        region=region,
    )


@pytest.fixture
def alarm(aws: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts a metric alarm, in a state; CloudWatch has all the time of a busy machine to tell of it."""
    monkeypatch.setattr(alarm_recheck, "READ_S", 30.0)

    def put(name: str = "east-kafka", state: str = "ALARM", region: str = "us-west-2", actions: bool = True) -> None:
        put_alarm(aws("cloudwatch", region), name, periods=3, ActionsEnabled=actions)
        aws("cloudwatch", region).set_alarm_state(AlarmName=name, StateValue=state, StateReason="told to")

    return put


def test_an_alarm_that_stands_stays_a_vote(alarm: Callable[..., None]) -> None:
    alarm()
    (again,) = recheck_alarms([signal()])
    assert (again.says_lost, again.why, again.at) == (True, "2 of 3 datapoints", 10.0)
    assert time.time() - again.confirmed_at < 60
    assert recheck_alarms([again], max_age=60) == [again], "it is not read at every observation"


@pytest.mark.parametrize("state", ["OK", "INSUFFICIENT_DATA"])
def test_an_alarm_that_went_back_is_none(alarm: Callable[..., None], state: str) -> None:
    alarm(state=state)
    (again,) = recheck_alarms([signal()])
    assert (again.says_lost, again.silenced, again.why) == (False, False, f"the alarm is {state} again")
    alarm()
    assert recheck_alarms([again]) == [again], "it stood no more: its next event tells"


def test_an_alarm_is_asked_for_where_it_lives(alarm: Callable[..., None]) -> None:
    alarm("health-check", state="OK", region="us-east-1")
    alarm("east-kafka")
    here, there = recheck_alarms([signal(), signal("health-check", "us-east-1")])
    assert (here.says_lost, there.says_lost) == (True, False)


def test_an_alarm_whose_actions_were_disabled_is_none(alarm: Callable[..., None]) -> None:
    alarm(actions=False)
    (again,) = recheck_alarms([signal()])
    assert (again.says_lost, again.why) == (False, "the alarm's actions are disabled")


def test_an_alarm_that_is_suppressed_or_muted_by_now_is_none(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"AlarmName": "east-kafka", "StateValue": "ALARM", "ActionsEnabled": True}
    cloudwatch = client("cloudwatch", "us-west-2", attempts=1)
    monkeypatch.setattr(cloudwatch, "describe_alarms", lambda **_: {"MetricAlarms": [], "CompositeAlarms": [said]})
    rules = {"AlarmMuteRuleSummaries": [{"AlarmMuteRuleArn": "arn:mute"}]}
    monkeypatch.setattr(cloudwatch, "list_alarm_mute_rules", lambda **_: rules)
    (muted,) = recheck_alarms([signal()])
    assert (muted.says_lost, muted.silenced, muted.why) == (False, True, "the alarm is muted by arn:mute")
    rules["AlarmMuteRuleSummaries"].clear()
    (again,) = recheck_alarms([muted])
    assert (again.says_lost, again.silenced) == (True, False), "it stood all the while"
    said["ActionsSuppressedBy"] = "Alarm"
    (suppressed,) = recheck_alarms([again])
    assert (suppressed.says_lost, suppressed.silenced) == (False, True)
    assert suppressed.why == "the alarm's actions are suppressed: Alarm"
    del said["ActionsSuppressedBy"]
    assert recheck_alarms([suppressed])[0].says_lost


def test_a_refusal_to_tell_mute_rules_is_logged_and_the_alarm_counts(
    alarm: Callable[..., None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    alarm()
    cloudwatch = client("cloudwatch", "us-west-2", attempts=1)

    def refuse(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "not authorized"}}, "ListAlarmMuteRules")

    monkeypatch.setattr(cloudwatch, "list_alarm_mute_rules", refuse)
    alarms = [recheck_alarms([signal()])[0] for _ in range(2)]
    assert all(each.says_lost for each in alarms)
    assert caplog.text.count("mute rules can't be read") == 1


def test_an_alarm_that_cloudwatch_does_not_know_is_none(alarm: Callable[..., None]) -> None:
    alarm("east-kafka", region="us-east-1")
    (again,) = recheck_alarms([signal()])
    assert (again.says_lost, again.why) == (False, "CloudWatch knows no alarm 'east-kafka' in us-west-2")


def test_an_alarm_that_was_silenced_is_a_vote_again_once_it_is_not(alarm: Callable[..., None]) -> None:
    alarm(actions=False)
    (silenced,) = recheck_alarms([signal()])
    assert (silenced.says_lost, silenced.silenced) == (False, True)
    alarm(actions=True)
    (again,) = recheck_alarms([silenced])
    assert (again.says_lost, again.silenced) == (True, False)


def test_an_alarm_that_can_not_be_read_again_goes_on_counting_with_its_age_said(
    aws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    (again,) = recheck_alarms([replace(signal(), read_at=time.time() - 100)])
    assert again.says_lost is True
    assert again.why == (
        "2 of 3 datapoints (as of 100 s ago, and CloudWatch can't be asked again: EndpointConnectionError)"
    )


def test_a_region_that_does_not_answer_is_asked_at_intervals_only(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    recheck_alarms([signal()])
    calls: list[None] = []
    monkeypatch.setattr("failover.detection.alarm_recheck.client", lambda *_, **__: calls.append(None))
    (again,) = recheck_alarms([signal()])
    assert (again.says_lost, calls) == (True, [])


def test_only_alarms_are_asked_for(aws: Any) -> None:
    others = [signal("probe/us-east-1", kind="probe"), signal("health", kind="advisory")]
    assert recheck_alarms(others) == others


@pytest.mark.parametrize(("count", "requests"), [(100, [100]), (101, [100, 1]), (0, [])])
def test_as_many_alarms_are_asked_for_at_once_as_cloudwatch_takes_and_no_more(
    aws: Any, monkeypatch: pytest.MonkeyPatch, count: int, requests: list[int]
) -> None:
    asked: list[int] = []

    def describe(**request: Any) -> dict[str, Any]:
        asked.append(len(request["AlarmNames"]))
        return {"MetricAlarms": [{"AlarmName": name} for name in request["AlarmNames"]]}

    monkeypatch.setattr(client("cloudwatch", "us-west-2", attempts=1), "describe_alarms", describe)
    names = [f"alarm-{number}" for number in range(count)]
    assert (list(describe_alarms("us-west-2", names)), asked) == (names, requests)


NOW = 1_900_000_000.0


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which alarms CloudWatch was asked for; it knows none. The clock stands still."""
    names: list[str] = []

    def describe(_: str, of_region: Sequence[str]) -> dict[str, Any]:
        names.extend(of_region)
        return {}

    forget()
    monkeypatch.setattr("time.time", lambda: NOW)
    monkeypatch.setattr(alarm_recheck, "READ_S", 30.0)
    monkeypatch.setattr(alarm_recheck, "describe_alarms", describe)
    return names


@pytest.mark.parametrize(("age", "names"), [(60.0, []), (60.5, ["east-kafka"])])
def test_an_alarm_is_read_again_once_what_is_known_of_it_is_older_than_that(
    asked: list[str], age: float, names: list[str]
) -> None:
    (again,) = recheck_alarms([replace(signal(), at=NOW - 100, read_at=NOW - age)], max_age=60.0)
    assert (asked, again.read_at) == (names, NOW if names else NOW - age)


def test_what_was_read_again_is_kept_and_nothing_else_is(asked: list[str]) -> None:
    dynamodb = DynamoDB()
    book = ledger_of(dynamodb)
    for each in (signal(), signal("probe/us-east-1", kind="probe")):
        save_signal(book, "orders", replace(each, at=NOW - 10, since=NOW - 20), gap=15)
    dynamodb.requests.clear()
    current = current_signals(book, "orders")
    assert {each.source: each.says_lost for each in current} == {"east-kafka": False, "probe/us-east-1": True}
    assert tuple(signals(book, "orders")) == current
    assert [operation for operation, _ in dynamodb.requests] == ["Query", "UpdateItem", "Query"]
    assert current_signals(book, "orders") == current and asked == ["east-kafka"]


def test_a_region_that_says_nothing_holds_up_no_other(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarm_recheck, "READ_S", 0.05)
    over, answered = threading.Event(), threading.Event()

    def look(region: str, names: Sequence[str]) -> str:
        if region == "silent":
            over.wait(30)
        answered.set()
        return f"{region} {names}"

    assert in_every_region({}, look) == {}
    assert in_every_region({"silent": ["a"]}, look) == {"silent": "no answer within 0.05 s"}
    over.set()
    assert answered.wait(30)
    monkeypatch.setattr(alarm_recheck, "READ_S", 30.0)
    assert in_every_region({"one": ["a"], "other": []}, look) == {"one": "one ['a']", "other": "other []"}


def test_a_region_that_did_not_answer_is_left_alone_for_a_while_and_then_asked_again(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []

    def look(region: str, _: Sequence[str]) -> str:
        looks.append(region)
        if region == "lost":
            raise EndpointConnectionError(endpoint_url="https://monitoring")
        return "well"

    names = {"lost": ["a"], "well": ["a"]}
    for seconds, count in ((0.0, 1), (ASK_AGAIN_S - 0.5, 1), (ASK_AGAIN_S, 2), (ASK_AGAIN_S + 1, 2)):
        monkeypatch.setattr("time.time", lambda seconds=seconds: NOW + seconds)
        assert in_every_region(names, look) == {"lost": "EndpointConnectionError", "well": "well"}
        assert looks.count("lost") == count
    assert looks.count("well") == 4


@pytest.mark.parametrize("region", ["us-east-1", ""])
def test_an_alarm_of_no_region_is_of_this_one(asked: list[str], region: str) -> None:
    (unknown,) = recheck_alarms([signal(region=region)])
    assert unknown.why == f"CloudWatch knows no alarm 'east-kafka' in {region or 'this region'}"
    assert (unknown.says_lost, unknown.silenced, unknown.read_at) == (False, False, NOW)
