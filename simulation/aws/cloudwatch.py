"""CloudWatch's alarms: those that ever changed, each in its region."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from simulation.aws.errors import NotSimulated

REASON = "simulated"


@dataclass(frozen=True)
class Alarm:
    """An alarm that changed."""

    value: str
    changed_at: float
    """Seconds since the epoch."""

    @property
    def stands(self) -> bool:
        """Whether it is in ALARM."""
        return self.value == "ALARM"


class CloudWatch:
    """The alarms of all regions."""

    def __init__(self) -> None:
        self._alarms: dict[tuple[str, str], Alarm] = {}

    def change(self, region: str, name: str, alarm: Alarm) -> None:
        """Have an alarm come into a state."""
        self._alarms[region, name] = alarm

    def alarm(self, region: str, name: str) -> Alarm | None:
        """An alarm as it is now; None if it never changed."""
        return self._alarms.get((region, name))

    def call(self, region: str, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Carry an operation out."""
        if operation == "ListAlarmMuteRules":
            return {"AlarmMuteRuleSummaries": []}
        if operation != "DescribeAlarms":
            raise NotSimulated(f"cloudwatch {operation}")
        alarms = {name: self._alarms[region, name] for name in request["AlarmNames"] if (region, name) in self._alarms}
        rows = [
            {
                "AlarmName": name,
                "StateValue": alarm.value,
                "StateReason": REASON,
                "StateTransitionedTimestamp": datetime.fromtimestamp(alarm.changed_at, UTC),
                "ActionsEnabled": True,
            }
            for name, alarm in alarms.items()
        ]
        return {"MetricAlarms": rows, "CompositeAlarms": []}
