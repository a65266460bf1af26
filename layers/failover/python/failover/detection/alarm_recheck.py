"""Alarms read again before anything moves: what EventBridge once said may no longer stand, or be silenced by now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from failover.aws.clients import client
from failover.aws.errors import AWS_ERRORS
from failover.detection.evidence import Signal

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient


def recheck_alarms(signals: list[Signal]) -> list[Signal]:
    """The signals, each alarm that says lost corrected by what CloudWatch in its region says of it now.

    An alarm whose region does not answer, or does not know it any more, is left as it was recorded.
    """
    standing = [signal for signal in signals if signal.kind == "alarm" and signal.says_lost]
    regions = sorted({signal.region for signal in standing})
    if not regions:
        return signals
    with ThreadPoolExecutor(max_workers=len(regions)) as pool:
        by_region = pool.map(
            lambda region: _fallen(region, (s.source for s in standing if s.region == region)), regions
        )
        fallen = dict(zip(regions, by_region, strict=True))
    return [
        replace(signal, says_lost=False, why=why)
        if signal in standing and (why := fallen[signal.region].get(signal.source))
        else signal
        for signal in signals
    ]


def _fallen(region: str, names: Iterable[str]) -> dict[str, str]:
    """Why alarms of a region are no votes any more, by name (DescribeAlarms, ListAlarmMuteRules)."""
    named = list(names)
    cloudwatch = client("cloudwatch", region or None, attempts=1)
    try:
        answer = cloudwatch.describe_alarms(AlarmNames=named, AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    except AWS_ERRORS:
        return {}
    alarms = [*answer.get("MetricAlarms", []), *answer.get("CompositeAlarms", [])]
    fallen = {alarm["AlarmName"]: why for alarm in alarms if (why := _why_not(alarm))}
    for name in named:
        if name not in fallen and (rule := _muted_by(cloudwatch, name)):
            fallen[name] = f"the alarm is muted by {rule}"
    return fallen


def _why_not(alarm: Mapping[str, Any]) -> str | None:
    if alarm["StateValue"] != "ALARM":
        return f"the alarm is {alarm['StateValue']} again"
    if alarm.get("ActionsEnabled") is False:
        return "the alarm's actions are disabled"
    if suppressed := alarm.get("ActionsSuppressedBy"):
        return f"the alarm's actions are suppressed: {suppressed}"
    return None


def _muted_by(cloudwatch: CloudWatchClient, alarm: str) -> str | None:
    """The mute rule that is active for the alarm, or None, also where the API is not known or not allowed: the alarm's
    own event said so if it was muted when it changed."""
    try:
        rules = cloudwatch.list_alarm_mute_rules(AlarmName=alarm, Statuses=["ACTIVE"])["AlarmMuteRuleSummaries"]
    except AWS_ERRORS:
        return None
    return next((str(rule["AlarmMuteRuleArn"]) for rule in rules), None)
