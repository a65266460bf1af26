"""Alarms read again: EventBridge tells a state once, when it changes, and an alarm is a vote for as long as it stands.

What was once told may no longer stand, or be silenced by now; what was silenced then may count now.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from aws_lambda_powertools import Logger

from failover.aws.clients import client
from failover.aws.errors import AWS_ERRORS, is_transient
from failover.container import remembered
from failover.detection.evidence import Signal
from failover.detection.signal_store import save_reading, signals
from failover.ledger.ledger import Ledger

logger = Logger(service="failover")
Answer = TypeVar("Answer")

EVERY_ONE: Final = -math.inf
NAMES_AT_ONCE: Final = 100
READ_S: Final = 1.2
"""A region that says nothing for so long may be the lost one: its alarms go on counting."""
ASK_AGAIN_S: Final = 15.0
"""For how long a region that did not answer is left alone: a judgement must not wait for it at every observation."""


@dataclass(frozen=True)
class Reading:
    """What CloudWatch says of an alarm now."""

    why_not: str | None
    """Why it is no vote; None if it is one."""
    silenced: bool = False
    """It stands, and is no vote only because somebody silenced it."""


def current_signals(book: Ledger, plan: str, max_age: float = EVERY_ONE) -> tuple[Signal, ...]:
    """The last signal of every source, with alarms read again as `recheck_alarms` does; what was read is kept.

    Raises:
        LedgerUnavailable
    """
    before = signals(book, plan)
    after = recheck_alarms(before, max_age)
    for old, new in zip(before, after, strict=True):
        if new.read_at != old.read_at:
            save_reading(book, plan, new)
    return tuple(after)


def recheck_alarms(signals: list[Signal], max_age: float = EVERY_ONE) -> list[Signal]:
    """The signals; each alarm that stood when it was last told or read, more than `max_age` seconds ago, as CloudWatch
    in its region has it now.

    One that CloudWatch does not know is no vote. One whose region can't be asked goes on counting, with its age said.
    """
    now = time.time()
    old = [
        signal for signal in signals if signal.kind == "alarm" and signal.stands and now - signal.confirmed_at > max_age
    ]
    names: dict[str, list[str]] = {}
    for signal in old:
        names.setdefault(signal.region, []).append(signal.source)
    by_region = in_every_region(names, _readings)
    return [_read(signal, by_region[signal.region], now) if signal in old else signal for signal in signals]


def in_every_region(
    names: Mapping[str, Sequence[str]], look: Callable[[str, Sequence[str]], Answer]
) -> dict[str, Answer | str]:
    """What a look at the alarms of those names comes to, by their region; or why the region can't be asked: it did not
    answer within `READ_S`, or not when it was last asked, less than `ASK_AGAIN_S` ago."""
    if not names:
        return {}
    pool = ThreadPoolExecutor(max_workers=len(names))
    looks = {region: pool.submit(_answer, look, region, of_region) for region, of_region in names.items()}
    pool.shutdown(wait=False)
    wait(looks.values(), timeout=READ_S)
    silent = f"no answer within {READ_S:g} s"
    return {region: answer.result() if answer.done() else silent for region, answer in looks.items()}


def _answer(look: Callable[[str, Sequence[str]], Answer], region: str, names: Sequence[str]) -> Answer | str:
    now = time.time()
    at, why = _last_errors().get(region, (0.0, ""))
    if now - at < ASK_AGAIN_S:
        return why
    try:
        return look(region, names)
    except AWS_ERRORS as error:
        _last_errors()[region] = now, type(error).__name__
        return type(error).__name__


def _read(signal: Signal, readings: dict[str, Reading] | str, now: float) -> Signal:
    if isinstance(readings, str):
        age = f"as of {now - signal.confirmed_at:.0f} s ago, and CloudWatch can't be asked again: {readings}"
        return replace(signal, why=f"{signal.why} ({age})")
    reading = readings[signal.source]
    return replace(
        signal,
        says_lost=reading.why_not is None,
        silenced=reading.silenced,
        why=reading.why_not or signal.why,
        read_at=now,
    )


@remembered
def _last_errors() -> dict[str, tuple[float, str]]:
    """When a region last did not answer, and how, by its name."""
    return {}


def _readings(region: str, names: Sequence[str]) -> dict[str, Reading]:
    """What CloudWatch there says of each alarm (DescribeAlarms, ListAlarmMuteRules).

    Raises:
        AWS_ERRORS
    """
    described = describe_alarms(region, names)
    return {name: _reading(described.get(name), name, region) for name in names}


def describe_alarms(region: str, names: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """Those of the alarms that CloudWatch in the region knows, by name (DescribeAlarms, which takes 100 names).

    Raises:
        AWS_ERRORS
    """
    cloudwatch = client("cloudwatch", region or None, attempts=1)
    described: dict[str, Mapping[str, Any]] = {}
    for first in range(0, len(names), NAMES_AT_ONCE):
        batch = list(names[first : first + NAMES_AT_ONCE])
        answer = cloudwatch.describe_alarms(AlarmNames=batch, AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        alarms: Iterable[Mapping[str, Any]] = [*answer.get("MetricAlarms", []), *answer.get("CompositeAlarms", [])]
        described |= {alarm["AlarmName"]: alarm for alarm in alarms}
    return described


def _reading(alarm: Mapping[str, Any] | None, name: str, region: str) -> Reading:
    if alarm is None:
        return Reading(f"CloudWatch knows no alarm {name!r} in {region or 'this region'}")
    if alarm["StateValue"] != "ALARM":
        return Reading(f"the alarm is {alarm['StateValue']} again")
    silenced = silenced_by(alarm, region)
    return Reading(silenced, silenced=silenced is not None)


def silenced_by(alarm: Mapping[str, Any], region: str) -> str | None:
    """Who silenced an alarm of that region (DescribeAlarms, ListAlarmMuteRules), or None."""
    if alarm.get("ActionsEnabled") is False:
        return "the alarm's actions are disabled"
    if suppressed := alarm.get("ActionsSuppressedBy"):
        return f"the alarm's actions are suppressed: {suppressed}"
    if rule := _muted_by(alarm["AlarmName"], region):
        return f"the alarm is muted by {rule}"
    return None


def _muted_by(alarm: str, region: str) -> str | None:
    """The mute rule that is active for the alarm, or None, also where the API is not known or not allowed: the alarm's
    own event said so if it was muted when it changed. Who is refused says so in the log, once for each container."""
    cloudwatch = client("cloudwatch", region or None, attempts=1)
    try:
        rules = cloudwatch.list_alarm_mute_rules(AlarmName=alarm, Statuses=["ACTIVE"])["AlarmMuteRuleSummaries"]
    except AWS_ERRORS as error:
        if not is_transient(error) and region not in _refusals():
            _refusals().add(region)
            logger.warning(
                "alarms count though they may be muted: mute rules can't be read", region=region, why=str(error)
            )
        return None
    return next((str(rule["AlarmMuteRuleArn"]) for rule in rules), None)


@remembered
def _refusals() -> set[str]:
    """The regions that did not tell their mute rules."""
    return set()
