"""Hearing: an event of EventBridge, read as what it says of which plan's sites."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, TypeGuard

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from failover.detection.advisories import HealthEvent, StatusPost
from failover.detection.alarm_event import AlarmStateChange
from failover.detection.evidence import Signal
from failover.detection.observation import Sighting
from failover.errors import BadPlan, MalformedEvent
from failover.plan.model import Plan
from failover.plan.store import deployed_plans, plan_named
from failover.validation import read

CLOCKS_DIFFER_S: Final = 5.0
"""What is further ahead counts from its receipt: nothing that is said later would be newer than it."""


@dataclass(frozen=True)
class Heard:
    """What an event says of one plan. `often`: it comes again in a moment, so that all being well is no news."""

    plan: Plan
    signals: tuple[Signal, ...]
    often: bool = False


@dataclass(frozen=True)
class Said:
    """Who says it, and of which plans; `nobody`: why of none."""

    source: str
    by_plan: tuple[Heard, ...]
    nobody: str = ""


class _Envelope(BaseModel):
    """EventBridge's (https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html)."""

    model_config = ConfigDict(extra="ignore")

    source: str
    detail_type: str = Field(alias="detail-type")
    region: str = ""
    account: str = ""
    detail: dict[str, Any]


def heard(event: dict[str, Any], account: str) -> Said:
    """What the event says. `account`: the only one whose events count.

    Raises:
        MalformedEvent: if it is none of the events that speak of a site.
        UnknownPlan, BadPlan: if no good plan is meant, but one that can't be read might be.
        ServiceUnavailable: if Parameter Store does not answer.
    """
    try:
        envelope = _Envelope.model_validate(event)
    except ValidationError as error:
        raise MalformedEvent(
            "this is no event as EventBridge delivers it (an alarm's direct Lambda action has another shape; point an"
            f" EventBridge rule here instead): {[problem['loc'] for problem in error.errors()]}"
        ) from None
    reader = _READERS.get((envelope.source, envelope.detail_type))
    if reader is None:
        raise MalformedEvent(f"{envelope.source} {envelope.detail_type!r} says nothing of a site")
    if envelope.account != account:
        return Said(envelope.source, (), f"it comes from account {envelope.account or '(none)'}, not from {account}")
    now, said = time.time(), reader(envelope)
    by_plan = [replace(each, signals=tuple(_received(signal, now) for signal in each.signals)) for each in said.by_plan]
    return replace(said, by_plan=tuple(by_plan))


def _received(signal: Signal, now: float) -> Signal:
    ahead = signal.at - now
    if ahead <= CLOCKS_DIFFER_S:
        return signal
    return replace(signal, at=now, since=min(signal.since, now), clock_ahead=round(ahead))


def _alarm(envelope: _Envelope) -> Said:
    change = read(AlarmStateChange, envelope.detail)
    name, region, plans = change.alarm_name, envelope.region, deployed_plans()
    found = [
        Heard(plan, (change.signal(site, plan.vantage_of_alarm(name, region), region),))
        for plan in plans.values()
        if isinstance(plan, Plan) and (site := plan.site_of_alarm(name, region))
    ]
    if not found and (bad := next((plan for plan in plans.values() if _names(plan, name)), None)):
        raise bad
    return Said(name, tuple(found), f"no plan names this alarm of {region} under sites.<site>.alarms")


def _names(plan: Plan | BadPlan, alarm: str) -> TypeGuard[BadPlan]:
    """Whether the plan can't be read, and may well mean the alarm."""
    return isinstance(plan, BadPlan) and alarm in plan.document


def _sighting(envelope: _Envelope) -> Said:
    sighting = read(Sighting, envelope.detail)
    plan, vantage = plan_named(sighting.plan), sighting.view.vantage
    if not plan.trusts(vantage):
        return Said(f"probe/{vantage}", (), f"plan {plan.name!r} does not name it under vantage_points")
    signals = tuple(signal for signal in sighting.view.signals() if signal.site in plan.sites)
    return Said(f"probe/{vantage}", (Heard(plan, signals, often=True),))


def _health(envelope: _Envelope) -> Said:
    event = read(HealthEvent, envelope.detail)
    return _advised(event.event_type_code, lambda plan: event.signals(plan, envelope.region))


def _status(envelope: _Envelope) -> Said:
    post = read(StatusPost, envelope.detail)
    return _advised("confluent-status", post.signals)


def _advised(source: str, signals_of: Callable[[Plan], Iterable[Signal]]) -> Said:
    plans = [plan for plan in deployed_plans().values() if isinstance(plan, Plan)]
    found = [Heard(plan, signals) for plan in plans if (signals := tuple(signals_of(plan)))]
    return Said(source, tuple(found), "no plan has a site there")


_READERS: dict[tuple[str, str], Callable[[_Envelope], Said]] = {
    ("aws.cloudwatch", "CloudWatch Alarm State Change"): _alarm,
    ("kafka.failover", "Site Sighting"): _sighting,
    ("aws.health", "AWS Health Event"): _health,
    ("confluent.status", "Confluent Status"): _status,
}
