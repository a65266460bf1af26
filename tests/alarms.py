"""Alarms at the CloudWatch of the tests."""

from __future__ import annotations

from typing import Any


def put_alarm(cloudwatch: Any, name: str, *, periods: int = 1, **settings: Any) -> None:
    """A metric alarm of that name, over so many periods."""
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="Failover",
        MetricName="SiteHealthy",
        Statistic="Minimum",
        Period=10,
        EvaluationPeriods=periods,
        Threshold=1,
        ComparisonOperator="LessThanThreshold",
        **settings,
    )
