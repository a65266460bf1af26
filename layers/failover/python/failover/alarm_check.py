"""Alarms read again before anything moves: what EventBridge once said may no longer stand."""

from __future__ import annotations

from dataclasses import replace

from botocore.exceptions import BotoCoreError, ClientError

from failover.aws import client
from failover.evidence import Signal


def still_standing(signals: list[Signal]) -> list[Signal]:
    """The signals, each corrected by its alarm's state now where CloudWatch here knows the alarm (DescribeAlarms).

    An alarm of another region, or a CloudWatch that does not answer, leaves the signal as it was recorded.
    """
    names = [signal.source for signal in signals if signal.kind == "alarm" and signal.says_lost]
    if not names:
        return signals
    try:
        answer = client("cloudwatch").describe_alarms(AlarmNames=names, AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    except (ClientError, BotoCoreError):
        return signals
    states = {a["AlarmName"]: a["StateValue"] for a in [*answer["MetricAlarms"], *answer.get("CompositeAlarms", [])]}
    return [
        replace(signal, says_lost=False, why=f"the alarm is {states[signal.source]} again")
        if signal.says_lost and states.get(signal.source, "ALARM") != "ALARM"
        else signal
        for signal in signals
    ]
