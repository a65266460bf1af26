"""An event of EventBridge, read as what it says of which plan's sites."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeGuard

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from failover.detection.advisories import HealthEvent, StatusPost
from failover.detection.alarm_event import AlarmStateChange
from failover.detection.evidence import CLOCKS_DIFFER_S, Signal
from failover.detection.observation import DETAIL_TYPE, Observation, observations_in
from failover.detection.standing_alarms import standing_alarms
from failover.errors import BadPlan, FailoverError, MalformedEvent, UnknownPlan
from failover.plan.model import Plan
from failover.plan.store import deployed_plans, plan_named
from failover.validation import read


@dataclass(frozen=True)
class PlanSignals:
    """What an event says of one plan."""

    plan: Plan
    signals: tuple[Signal, ...]
    frequent: bool = False
    """It comes again in a moment, so that all being well is no news."""


@dataclass(frozen=True, kw_only=True)
class ParsedEvent:
    """Who says it, and of which plans."""

    source: str
    by_plan: tuple[PlanSignals, ...]
    why_none: str = ""
    """Why it says nothing of any plan."""
    unread: Mapping[str, FailoverError] = field(default_factory=dict)
    """What it says of a plan, by its name, and can't be read; of the others it speaks nevertheless."""
    apart: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    """The detail of an event that says the same of one plan alone, by its name, where it may be told of apart."""


class _Envelope(BaseModel):
    """EventBridge's (https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html)."""

    model_config = ConfigDict(extra="ignore")

    source: str
    detail_type: str = Field(alias="detail-type")
    region: str = ""
    account: str = ""
    detail: dict[str, Any]


class RegularLook(BaseModel):
    """The `detail` of what the stack's schedule sends once a minute."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    plans: tuple[str, ...] = Field(min_length=1)


def parse_event(event: dict[str, Any], account: str) -> ParsedEvent:
    """What the event says. `account`: the only one whose events count.

    Raises:
        MalformedEvent: if it is none of the events that speak of a site.
        UnknownPlan, BadPlan: if no good plan is meant, but one that can't be read might be.
        LedgerUnavailable: if no plan can be read.
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
        why = f"it comes from account {envelope.account or '(none)'}, not from {account}"
        return ParsedEvent(source=envelope.source, by_plan=(), why_none=why)
    now, parsed = time.time(), reader(envelope)
    by_plan = [
        replace(of_plan, signals=tuple(_received(signal, now) for signal in of_plan.signals))
        for of_plan in parsed.by_plan
    ]
    return replace(parsed, by_plan=tuple(by_plan))


def _received(signal: Signal, now: float) -> Signal:
    ahead = signal.at - now
    if ahead <= CLOCKS_DIFFER_S:
        return signal
    return replace(signal, at=now, since=min(signal.since, now), clock_ahead=round(ahead))


def _alarm(envelope: _Envelope) -> ParsedEvent:
    region, plans = envelope.region, deployed_plans()
    why_none = f"no plan names this alarm of {region} under sites.<site>.alarms"
    try:
        change = read(AlarmStateChange, envelope.detail)
    except MalformedEvent:
        if (name := _name_of_no_plans_alarm(envelope, plans)) is None:
            raise
        return ParsedEvent(source=name, by_plan=(), why_none=why_none)
    name = change.alarm_name
    by_plan = [
        PlanSignals(plan, (change.signal(site, plan.vantage_of_alarm(name, region), region),))
        for plan in plans.values()
        if isinstance(plan, Plan) and (site := plan.site_of_alarm(name, region))
    ]
    if not by_plan and (bad := next((plan for plan in plans.values() if _names(plan, name)), None)):
        raise bad
    return ParsedEvent(source=name, by_plan=tuple(by_plan), why_none=why_none)


def _name_of_no_plans_alarm(envelope: _Envelope, plans: Mapping[str, Plan | BadPlan]) -> str | None:
    """The name of an alarm, if it certainly is none of a plan's."""
    name = envelope.detail.get("alarmName")
    if not isinstance(name, str) or any(
        plan.site_of_alarm(name, envelope.region) if isinstance(plan, Plan) else _names(plan, name)
        for plan in plans.values()
    ):
        return None
    return name


def _names(plan: Plan | BadPlan, alarm: str) -> TypeGuard[BadPlan]:
    """Whether the plan can't be read, and may well mean the alarm."""
    return isinstance(plan, BadPlan) and alarm in plan.document


def _observations(envelope: _Envelope) -> ParsedEvent:
    """Each plan's is read by itself: what is wrong with one is no other's."""
    by_plan, unread, apart, why_none, source = [], dict[str, FailoverError](), {}, list[str](), "probe"
    for document in observations_in(envelope.detail):
        name = document.get("plan") if isinstance(document, dict) else None
        apart[str(name)] = {"version": 2, "observations": [document]}
        try:
            observation = read(Observation, document)
            source = f"probe/{observation.view.vantage}"
            by_plan.append(_observed(observation))
        except _NotOurs as error:
            why_none.append(str(error))
        except FailoverError as error:
            unread[str(name)] = error
    return ParsedEvent(source=source, by_plan=tuple(by_plan), why_none="; ".join(why_none), unread=unread, apart=apart)


class _NotOurs(Exception):
    """Of a plan that is deployed elsewhere, or does not listen to the vantage point."""


def _observed(observation: Observation) -> PlanSignals:
    try:
        plan = plan_named(observation.plan)
    except UnknownPlan:
        # Every controller of the region hears every observation.
        raise _NotOurs(f"no plan {observation.plan!r} is deployed here") from None
    if not plan.trusts(observation.view.vantage):
        raise _NotOurs(f"plan {plan.name!r} does not name it under vantage_points")
    signals = tuple(signal for signal in observation.view.signals() if signal.site in plan.sites)
    return PlanSignals(plan, signals, frequent=True)


def _regular_look(envelope: _Envelope) -> ParsedEvent:
    """Nothing is heard: plans are judged on what is known, though nobody looks at their sites any more, and on alarms
    that stand, though nobody told of them."""
    plans, unread = list[Plan](), dict[str, FailoverError]()
    for name in read(RegularLook, envelope.detail).plans:
        try:
            plans.append(plan_named(name))
        except FailoverError as error:
            unread[name] = error
    alarms = standing_alarms(plans)
    by_plan = tuple(PlanSignals(plan, alarms[plan.name]) for plan in plans)
    return ParsedEvent(source="regular-look", by_plan=by_plan, unread=unread)


def _health(envelope: _Envelope) -> ParsedEvent:
    event = read(HealthEvent, envelope.detail)
    return _advised(event.event_type_code, lambda plan: event.signals(plan, envelope.region))


def _status(envelope: _Envelope) -> ParsedEvent:
    post = read(StatusPost, envelope.detail)
    return _advised("confluent-status", post.signals)


def _advised(source: str, signals_of: Callable[[Plan], Iterable[Signal]]) -> ParsedEvent:
    plans = [plan for plan in deployed_plans().values() if isinstance(plan, Plan)]
    by_plan = [PlanSignals(plan, signals) for plan in plans if (signals := tuple(signals_of(plan)))]
    return ParsedEvent(source=source, by_plan=tuple(by_plan), why_none="no plan has a site there")


_READERS: dict[tuple[str, str], Callable[[_Envelope], ParsedEvent]] = {
    ("aws.cloudwatch", "CloudWatch Alarm State Change"): _alarm,
    ("kafka.failover", DETAIL_TYPE): _observations,
    ("kafka.failover", "Regular Look"): _regular_look,
    ("aws.health", "AWS Health Event"): _health,
    ("confluent.status", "Confluent Status"): _status,
}
