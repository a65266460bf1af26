"""Alarms that stand, asked of CloudWatch for many plans at once, where each of them lives."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from failover.aws.clients import client
from failover.detection.standing_alarms import standing_alarms
from failover.plan.model import Plan, parse
from tests.alarms import put_alarm

NAME = "failover-orders-east-kafka"
CHANGED, UPDATED = (datetime(2026, 11, 23, 9, minute, tzinfo=UTC) for minute in (10, 40))


@pytest.fixture
def plan(plan_text: str) -> Plan:
    """The example plan."""
    return parse(plan_text)


@pytest.fixture
def answers(aws: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, plan: Plan) -> dict[str, list[dict[str, Any]]]:
    """What each region of the plan answers of its alarms; nothing at first."""
    by_region: dict[str, list[dict[str, Any]]] = {region: [] for region in plan.alarm_regions}
    for region, alarms in by_region.items():
        monkeypatch.setattr(
            client("cloudwatch", region, attempts=1),
            "describe_alarms",
            lambda alarms=alarms, **_: {"MetricAlarms": alarms},
        )
    return by_region


def standing(**changes: Any) -> dict[str, Any]:
    """As CloudWatch describes an alarm that stands."""
    described = {"AlarmName": NAME, "StateValue": "ALARM", "StateReason": "3 of 3", "StateUpdatedTimestamp": UPDATED}
    return described | {"StateTransitionedTimestamp": CHANGED} | changes


def test_an_alarm_speaks_for_its_site_since_it_changed(answers: dict[str, list[dict[str, Any]]], plan: Plan) -> None:
    answers["us-west-2"].append(standing())
    (signal,) = standing_alarms([plan])[plan.name]
    assert (signal.site, signal.source, signal.region, signal.kind) == ("east", NAME, "us-west-2", "alarm")
    assert (signal.says_lost, signal.silenced, signal.why) == (True, False, "3 of 3")
    assert signal.at == signal.since == CHANGED.timestamp(), "its reason may change later"


def test_it_speaks_from_the_first_bad_data_point_on_as_its_event_does(
    answers: dict[str, list[dict[str, Any]]], plan: Plan
) -> None:
    data = '{"startDate": "2026-11-23T09:09:30.000+0000"}'
    answers["us-west-2"].append(standing(StateReasonData=data))
    (signal,) = standing_alarms([plan])[plan.name]
    assert (signal.at, signal.since) == (CHANGED.timestamp(), CHANGED.timestamp() - 30)


def test_one_that_is_silenced_stands_and_is_no_vote(answers: dict[str, list[dict[str, Any]]], plan: Plan) -> None:
    answers["us-west-2"].append(standing(ActionsEnabled=False))
    (signal,) = standing_alarms([plan])[plan.name]
    assert (signal.says_lost, signal.silenced, signal.why) == (False, True, "the alarm's actions are disabled")


def test_alarms_of_one_name_in_two_regions_are_two(answers: dict[str, list[dict[str, Any]]], plan: Plan) -> None:
    for region in ("us-east-1", "us-west-2"):
        answers[region].append(standing())
    signals = standing_alarms([plan])[plan.name]
    assert sorted(signal.region for signal in signals) == ["us-east-1", "us-west-2"]
    assert len({signal.key for signal in signals}) == 2


def test_a_region_is_asked_once_for_all_plans_and_each_hears_of_its_own(
    aws: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, plan: Plan
) -> None:
    site = plan.site("east")
    renamed = site.model_copy(
        update={"alarms": tuple(a.model_copy(update={"name": f"{a.name}-2"}) for a in site.alarms)}
    )
    other = plan.model_copy(update={"name": "returns", "sites": {**plan.sites, "east": renamed}})
    put_alarm(aws("cloudwatch", "us-west-2"), f"{NAME}-2")
    aws("cloudwatch", "us-west-2").set_alarm_state(AlarmName=f"{NAME}-2", StateValue="ALARM", StateReason="told to")
    requests: list[int] = []
    cloudwatch = client("cloudwatch", "us-west-2", attempts=1)
    describe_alarms = cloudwatch.describe_alarms

    def describe(**request: Any) -> Any:
        requests.append(len(request["AlarmNames"]))
        return describe_alarms(**request)

    monkeypatch.setattr(cloudwatch, "describe_alarms", describe)
    signals = standing_alarms([plan, other])
    assert {name: [signal.source for signal in of_plan] for name, of_plan in signals.items()} == {
        plan.name: [],
        "returns": [f"{NAME}-2"],
    }
    assert requests == [8], "no name twice"


def test_nothing_is_heard_of_a_region_that_can_not_be_asked(
    aws: Any, monkeypatch: pytest.MonkeyPatch, plan: Plan
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert standing_alarms([plan]) == {plan.name: ()}


def test_no_plan_has_no_alarm(aws: Any) -> None:
    assert standing_alarms([]) == {}
