"""CloudWatch alarms as EventBridge delivers them: "CloudWatch Alarm State Change"
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html).

Events are sent even while an alarm's actions are suppressed or muted; `silenced` says so.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from failover.detection.evidence import Signal


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")


class AlarmState(_Part):
    """A state. `reason_data` is a JSON text in the event, absent for some alarms, and whatever was given to
    SetAlarmState for others."""

    value: Literal["OK", "ALARM", "INSUFFICIENT_DATA"]
    timestamp: datetime
    reason: str | None = None
    reason_data: Any = None
    actions_suppressed_by: str | None = None
    actions_suppressed_reason: str | None = None


class MuteDetail(_Part):
    """The mute rule that silences the alarm now."""

    muted_by_arn: str = "a mute rule"


class AlarmStateChange(_Part):
    """The `detail` of the event."""

    alarm_name: str = Field(min_length=1)
    state: AlarmState
    mute_detail: MuteDetail | None = None

    def says_lost(self) -> bool:
        """Whether it is a vote that the site is lost; INSUFFICIENT_DATA is none."""
        return self.state.value == "ALARM"

    def silenced(self) -> str | None:
        """Who silenced the alarm (a suppressor, a mute rule), or None."""
        if self.mute_detail is not None:
            return f"the alarm is muted by {self.mute_detail.muted_by_arn}"
        if self.state.actions_suppressed_by:
            return f"the alarm's actions are suppressed: {self.state.actions_suppressed_by}"
        return None

    def since(self) -> datetime:
        """When the first bad data point was measured, as far as the alarm says; otherwise when its state changed."""
        try:
            started = json.loads(self.state.reason_data)["startDate"]
            return datetime.strptime(started, "%Y-%m-%dT%H:%M:%S.%f%z")
        except (ValueError, TypeError, KeyError):
            return self.state.timestamp

    def signal(self, site: str, vantage: str, region: str) -> Signal:
        """What it says of the site it speaks for, as seen from that vantage point; the alarm lives in `region`."""
        silenced = self.silenced()
        at, since = self.state.timestamp.timestamp(), self.since().timestamp()
        lost = self.says_lost() and not silenced
        return Signal(
            site=site,
            source=self.alarm_name,
            says_lost=lost,
            at=at,
            since=since,
            why=silenced or self.reason(),
            kind="alarm",
            vantage=vantage,
            region=region,
            silenced=self.says_lost() and silenced is not None,
        )

    def reason(self) -> str:
        """Why the alarm changed, in CloudWatch's words."""
        return self.state.reason or self.state.value
