"""The alarms of plans that stand now, asked of CloudWatch: an alarm's event comes once, and in vain while the ledger is
silent for longer than Lambda calls again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from failover.detection.alarm_event import AlarmState, AlarmStateChange
from failover.detection.alarm_recheck import describe_alarms, in_every_region, silenced_by
from failover.detection.evidence import Signal
from failover.plan.model import Plan


@dataclass(frozen=True)
class StandingAlarm:
    """An alarm that is in ALARM."""

    change: AlarmStateChange
    """How it came there, as its event says it."""
    silenced: str | None
    """Who silences it now, or None."""

    def signal(self, site: str, vantage: str, region: str) -> Signal:
        """What it says of the site it speaks for, as its event would if it came now."""
        signal = self.change.signal(site, vantage=vantage, region=region)
        return signal if self.silenced is None else replace(signal, says_lost=False, silenced=True, why=self.silenced)


def standing_alarms(plans: Sequence[Plan]) -> dict[str, tuple[Signal, ...]]:
    """What the alarms that stand say, by plan; nothing of those in a region that can't be asked."""
    names: dict[str, dict[str, None]] = {}
    for plan in plans:
        for region, of_plan in plan.alarms_by_region.items():
            names.setdefault(region, {}).update(dict.fromkeys(of_plan))
    answers = in_every_region({region: list(of_region) for region, of_region in names.items()}, _standing)
    by_region = {region: answer for region, answer in answers.items() if not isinstance(answer, str)}
    return {plan.name: tuple(_signals(plan, by_region)) for plan in plans}


def _signals(plan: Plan, by_region: Mapping[str, Mapping[str, StandingAlarm]]) -> Iterator[Signal]:
    for region, names in plan.alarms_by_region.items():
        for name in names:
            alarm, site = by_region.get(region, {}).get(name), plan.site_of_alarm(name, region)
            if alarm is not None and site is not None:
                yield alarm.signal(site, vantage=plan.vantage_of_alarm(name, region), region=region)


def _standing(region: str, names: Sequence[str]) -> dict[str, StandingAlarm]:
    return {
        name: StandingAlarm(_change(alarm), silenced_by(alarm, region))
        for name, alarm in describe_alarms(region, names).items()
        if alarm["StateValue"] == "ALARM"
    }


def _change(alarm: Mapping[str, Any]) -> AlarmStateChange:
    """The state was updated later than it changed, where its reason changed alone."""
    state = AlarmState(
        value=alarm["StateValue"],
        timestamp=alarm.get("StateTransitionedTimestamp") or alarm["StateUpdatedTimestamp"],
        reason=alarm.get("StateReason"),
        reason_data=alarm.get("StateReasonData"),
    )
    return AlarmStateChange(alarm_name=alarm["AlarmName"], state=state)
