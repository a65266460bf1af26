"""judge_alarm: one execution an outage, whatever EventBridge delivers; silence and rubbish start nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from failover.aws import client
from failover.errors import BadPlan, MalformedEvent
from failover.ledger import Ledger

EVENTS = Path(__file__).resolve().parents[2] / "events"
Call = Callable[[str, dict[str, Any]], dict[str, Any]]


def event(name: str) -> dict[str, Any]:
    return dict(json.loads((EVENTS / f"{name}.json").read_text()))


def executions(aws: Callable[..., Any]) -> list[str]:
    machine = aws("stepfunctions").list_state_machines()["stateMachines"][0]["stateMachineArn"]
    return [run["name"] for run in aws("stepfunctions").list_executions(stateMachineArn=machine)["executions"]]


def test_an_alarm_on_the_active_site_starts_one_execution_named_by_the_epoch(deployed: Any, call: Call) -> None:
    answer = call("judge_alarm", event("alarm-metric"))
    assert answer["judged"][0]["started"] == "orders-1-failover"
    assert executions(deployed) == ["orders-1-failover"]
    machine = deployed("stepfunctions").list_state_machines()["stateMachines"][0]["stateMachineArn"]
    run = deployed("stepfunctions").list_executions(stateMachineArn=machine)["executions"][0]
    started = json.loads(deployed("stepfunctions").describe_execution(executionArn=run["executionArn"])["input"])
    assert (started["from"], started["to"], started["epoch"]) == ("east", "west", 1)


def test_the_same_event_again_and_a_second_alarm_of_the_outage_are_the_same_execution(
    deployed: Any, call: Call
) -> None:
    for name in ("alarm-metric", "alarm-metric", "alarm-route53-health-check", "alarm-composite"):
        call("judge_alarm", event(name))
    assert executions(deployed) == ["orders-1-failover"]


def test_many_deliveries_at_once_start_one_execution(deployed: Any, call: Call, function: Any) -> None:
    function("judge_alarm")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: call("judge_alarm", event("alarm-metric")), range(8)))
    assert executions(deployed) == ["orders-1-failover"]


@pytest.mark.parametrize("name", ["alarm-suppressed", "alarm-muted", "alarm-ok"])
def test_a_silenced_or_quiet_alarm_starts_nothing_and_is_no_vote(deployed: Any, call: Call, name: str) -> None:
    answer = call("judge_alarm", event(name))
    assert answer["judged"][0]["started"] is None
    assert answer["judged"][0]["why_not"]
    assert executions(deployed) == []
    assert not any(s.says_lost for s in Ledger(client("dynamodb"), "ledger").signals("orders", "east"))


def test_an_alarm_of_no_plan_changes_nothing_and_says_so(deployed: Any, call: Call) -> None:
    unknown = event("alarm-metric")
    unknown["detail"]["alarmName"] = "somebody-elses"
    answer = call("judge_alarm", unknown)
    assert answer["judged"] == [] and "no plan names this alarm" in answer["why"]
    assert executions(deployed) == []


def test_an_alarm_on_the_standby_starts_nothing(deployed: Any, call: Call) -> None:
    standby = event("alarm-metric")
    standby["detail"]["alarmName"] = "failover-orders-west-kafka"
    assert "standby" in call("judge_alarm", standby)["judged"][0]["why_not"]
    assert executions(deployed) == []


def test_nothing_is_started_while_an_execution_holds_the_lease(deployed: Any, call: Call) -> None:
    call("claim", {"start": {"plan": "orders", "to": "west"}, "execution_name": "by-hand"})
    assert "by-hand is at it already" in call("judge_alarm", event("alarm-metric"))["judged"][0]["why_not"]
    assert executions(deployed) == []


@pytest.mark.parametrize("name", ["alarm-metric", "alarm-metric-math", "alarm-composite", "alarm-multi-time-series"])
def test_every_documented_shape_is_understood(deployed: Any, call: Call, name: str) -> None:
    assert call("judge_alarm", event(name))["alarm"] == event(name)["detail"]["alarmName"]


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"source": "aws.cloudwatch"},
        {"source": "aws.ec2", "detail-type": "EC2 Instance State-change Notification", "detail": {}},
        {"source": "aws.cloudwatch", "detail-type": "CloudWatch Alarm State Change", "detail": {"alarmName": "a"}},
        {"source": "aws.cloudwatch", "alarmArn": "arn:aws:cloudwatch:x", "alarmData": {"alarmName": "a"}},
        {"source": "aws.cloudwatch", "detail-type": "CloudWatch Alarm State Change", "detail": None},
    ],
)
def test_a_malformed_event_raises_so_that_it_ends_in_the_dead_letter_queue(
    deployed: Any, call: Call, broken: dict[str, Any]
) -> None:
    with pytest.raises(MalformedEvent):
        call("judge_alarm", broken)
    assert executions(deployed) == []


def test_a_bad_plan_does_not_hide_a_good_one(deployed: Any, call: Call) -> None:
    deployed("ssm").put_parameter(Name="/failover/plans/broken", Value="name: broken", Type="String")
    assert call("judge_alarm", event("alarm-metric"))["judged"][0]["started"] == "orders-1-failover"


def test_an_alarm_only_a_bad_plan_could_name_is_not_swallowed(deployed: Any, call: Call, plan_text: str) -> None:
    broken = yaml.safe_load(plan_text)
    del broken["home"]
    deployed("ssm").put_parameter(
        Name="/failover/plans/orders", Value=yaml.safe_dump(broken), Type="String", Overwrite=True
    )
    with pytest.raises(BadPlan, match="home: is missing"):
        call("judge_alarm", event("alarm-metric"))


def test_an_old_alarm_delivered_late_does_not_overwrite_a_newer_one(deployed: Any, call: Call) -> None:
    call("judge_alarm", event("alarm-ok"))
    late = event("alarm-metric")
    late["detail"]["state"]["timestamp"] = "2020-01-01T00:00:00.000+0000"
    judged = call("judge_alarm", late)["judged"][0]
    assert judged["signal_kept"] is False
    assert judged["started"] is None and "later event" in judged["why_not"]
    assert executions(deployed) == []


def test_an_event_whose_first_delivery_died_before_the_start_still_starts(
    deployed: Any, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as crash:
        crash.setenv("STATE_MACHINE_ARN", "arn:aws:states:us-west-2:123456789012:stateMachine:gone")
        with pytest.raises(Exception):  # noqa: B017 - whatever ends the function
            call("judge_alarm", event("alarm-metric"))
    assert call("judge_alarm", event("alarm-metric"))["judged"][0]["started"] == "orders-1-failover"
    assert executions(deployed) == ["orders-1-failover"]
