"""Alarms: M of N over whole periods, missing data as CloudWatch treats it, and events of the documented shape."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.cloudwatch.models import Alarm

from drill.aws.alarms import AlarmEvaluator, Rule, evaluate
from drill.aws.metrics import MetricDatum, MetricStore
from drill.aws.regions import Regions
from failover.detection.alarm_event import AlarmStateChange
from tests.claims import reaches

HEALTHY = Rule(periods=3, needed=2, comparison="LessThanThreshold", threshold=1.0)
GONE = None


@pytest.mark.parametrize(
    ("points", "missing", "state"),
    [
        ([1, 1, 1], "missing", "OK"),
        ([1, 0, 0], "missing", "ALARM"),
        ([0, 1, 0], "missing", "ALARM"),
        ([0, 1, 1], "missing", "OK"),
        ([GONE, GONE, GONE], "missing", "INSUFFICIENT_DATA"),
        ([GONE, GONE, GONE], "breaching", "ALARM"),
        ([GONE, GONE, GONE], "notBreaching", "OK"),
        ([GONE, GONE, GONE], "ignore", "ALARM"),
        ([GONE, 0, GONE], "breaching", "ALARM"),
        ([GONE, 0, GONE], "notBreaching", "OK"),
        ([GONE, 0, GONE], "missing", "OK"),
    ],
)
def test_the_table_of_missing_data(points: Sequence[float | None], missing: str, state: str) -> None:
    rule = Rule(
        periods=HEALTHY.periods,
        needed=HEALTHY.needed,
        comparison=HEALTHY.comparison,
        threshold=HEALTHY.threshold,
        missing=missing,
    )
    assert evaluate([GONE, GONE, *points], rule, "ALARM") == state


@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=5, max_size=5))
def test_with_all_data_there_it_is_m_of_the_last_n(points: list[float]) -> None:
    expected = "ALARM" if points[-3:].count(0.0) >= 2 else "OK"
    reaches(expected == "ALARM", floor=0.2)
    assert evaluate(points, HEALTHY, "OK") == expected


@given(st.lists(st.sampled_from([0.0, 1.0, None]), min_size=5, max_size=5))
def test_a_dead_probe_alone_is_never_a_vote(points: list[float | None]) -> None:
    healthy = [None if point is None else 1.0 for point in points]
    reaches(None in healthy)
    assert evaluate(healthy, HEALTHY, "OK") in ("OK", "INSUFFICIENT_DATA")


@dataclass
class Clock:
    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def alarm() -> Alarm:
    """The template's alarm on a site's Kafka."""
    dimensions = [{"Name": name, "Value": value} for name, value in (("plan", "orders"), ("site", "east"))]
    return Alarm(
        account_id="123456789012",
        region_name="us-west-2",
        name="failover-orders-east-kafka",
        namespace="Failover",
        metric_name="SiteHealthy",
        metric_data_queries=None,
        comparison_operator="LessThanThreshold",
        evaluation_periods=3,
        datapoints_to_alarm=2,
        period=10,
        threshold=1.0,
        statistic="Minimum",
        extended_statistic=None,
        description="Kafka of east",
        dimensions=dimensions,
        alarm_actions=[],
        ok_actions=[],
        insufficient_data_actions=[],
        unit=None,
        actions_enabled=True,
        treat_missing_data="missing",
        evaluate_low_sample_count_percentile=None,
        threshold_metric_id=None,
        rule=None,
    )


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> tuple[Clock, MetricStore, AlarmEvaluator, list[dict[str, Any]]]:
    from types import SimpleNamespace

    from drill.aws import alarms

    monkeypatch.setattr(Alarm, "__init__", Alarm.__init__)
    monkeypatch.setattr(Alarm, "update_state", Alarm.update_state)
    clock, store, events = Clock(), MetricStore(), list[dict[str, Any]]()
    evaluator = AlarmEvaluator("123456789012", store, events.append, Regions(), clock)
    evaluator.install()
    backend = SimpleNamespace(alarms={"a": alarm()})
    monkeypatch.setattr(alarms, "cloudwatch_backends", {"123456789012": {"us-west-2": backend}})
    return clock, store, evaluator, events


def run(clock: Clock, store: MetricStore, evaluator: AlarmEvaluator, values: Sequence[float | None]) -> None:
    """One value a period, in its middle; the evaluator looks ten times a second in between."""
    for value in values:
        if value is not None:
            at = clock.now // 10 * 10 + 5
            store.add(
                MetricDatum(
                    namespace="Failover",
                    name="SiteHealthy",
                    dimensions={"plan": "orders", "site": "east"},
                    value=value,
                    timestamp=at,
                )
            )
        for _ in range(20):
            clock.now += 0.5
            evaluator.look()


def test_a_loss_is_told_once_on_the_second_bad_period_and_recovery_too(told: Any) -> None:
    clock, store, evaluator, events = told
    run(clock, store, evaluator, [1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1])
    states = [event["detail"]["state"]["value"] for event in events]
    assert states == ["OK", "ALARM", "OK"]


def test_a_new_alarm_has_no_data_and_a_dead_probe_leads_back_there(told: Any) -> None:
    clock, store, evaluator, events = told
    run(clock, store, evaluator, [1, 1, 1, None, None, None, None, None, None])
    assert [event["detail"]["state"]["value"] for event in events] == ["OK", "INSUFFICIENT_DATA"]
    assert events[0]["detail"]["previousState"]["value"] == "INSUFFICIENT_DATA"


def test_the_event_is_what_the_controller_reads_field_by_field(told: Any) -> None:
    clock, store, evaluator, events = told
    first_bad = (clock.now // 10 + 3) * 10
    run(clock, store, evaluator, [1, 1, 1, 0, 0, 0])
    event = events[-1]
    assert event["source"] == "aws.cloudwatch"
    assert event["detail-type"] == "CloudWatch Alarm State Change"
    assert event["resources"] == ["arn:aws:cloudwatch:us-west-2:123456789012:alarm:failover-orders-east-kafka"]
    detail = event["detail"]
    assert set(detail) == {"alarmName", "configuration", "previousState", "state"}
    assert set(detail["state"]) == {"value", "reason", "reasonData", "timestamp"}
    data = json.loads(detail["state"]["reasonData"])
    assert {"version", "queryDate", "startDate", "statistic", "period", "recentDatapoints", "threshold"} == set(data)
    metric = detail["configuration"]["metrics"][0]["metricStat"]
    assert metric["metric"]["dimensions"] == {"plan": "orders", "site": "east"}
    change = AlarmStateChange.model_validate(detail)
    assert change.says_lost() and change.silenced() is None
    assert change.since().timestamp() == first_bad


def test_a_muted_and_a_suppressed_alarm_say_so(told: Any) -> None:
    clock, store, evaluator, events = told
    evaluator.silence("failover-orders-east-kafka", muteDetail={"mutedByArn": "arn:mute"})
    run(clock, store, evaluator, [1, 1, 1])
    evaluator.silence("failover-orders-east-kafka", actionsSuppressedBy="WaitPeriod")
    run(clock, store, evaluator, [0, 0, 0])
    muted, suppressed = (AlarmStateChange.model_validate(event["detail"]) for event in events)
    assert "arn:mute" in (muted.silenced() or "")
    assert "WaitPeriod" in (suppressed.silenced() or "")


def test_a_lost_region_judges_nothing(told: Any) -> None:
    clock, store, evaluator, events = told
    evaluator._regions.lose("us-west-2")
    run(clock, store, evaluator, [0, 0, 0])
    assert events == []
