"""How long those things take that the drill's stand-ins do in a blink: as they come, or as on AWS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Final


class TimingName(StrEnum):
    """Whose delays a drill runs with."""

    DRILL = "drill"
    AWS = "aws"


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Delays in seconds, beyond what a stand-in takes by itself."""

    task_start_s: float = 0.0
    """From a task's request to its container's start."""
    name_in_sync_s: tuple[float, float] = (0.0, 0.0)
    """From a change of a record to where every name server answers it: at least and at most, drawn for each change."""
    event_delivery_s: float = 0.0
    """From an event bus to its target."""
    cold_start_s: float = 0.0
    """Of a function's environment, before the handler is imported."""
    promotion_s: float = 0.3
    """From a mirror's failover to where it is STOPPED."""


TIMINGS: Final = {
    TimingName.DRILL: Timing(),
    TimingName.AWS: Timing(
        task_start_s=40.0, name_in_sync_s=(15.0, 45.0), event_delivery_s=0.13, cold_start_s=0.5, promotion_s=5.0
    ),
}
SOURCES: Final = {
    "task_start_s": "Fargate, image of some hundred MB: assumed, AWS names no figure",
    "name_in_sync_s": "Route 53: within 60 s (https://aws.amazon.com/route53/faqs/), 15 to 45 s are usual",
    "event_delivery_s": "EventBridge, 99th percentile"
    " (https://aws.amazon.com/about-aws/whats-new/2024/11/amazon-eventbridge-improvement-latency-event-buses/)",
    "cold_start_s": "Lambda, Python: 0.53 to 0.58 s with a bare handler, as others measured; its imports are real here",
    "promotion_s": "Confluent Cloud: assumed, no figure is published; its own tools look every 5 s",
}
"""Where each delay comes from."""


def name_of(timing: Timing) -> TimingName:
    """Whose delays these are."""
    return next(name for name, delays in TIMINGS.items() if delays == timing)


def described(name: TimingName, names_in_sync: Sequence[float] = ()) -> dict[str, str]:
    """The delays of a timing and their sources, in words; none of the drill's own. `names_in_sync`: what was drawn."""
    if name is TimingName.DRILL:
        return {}
    timing = TIMINGS[name]
    return {
        field.name.removesuffix("_s").replace("_", " "): f"{_length(getattr(timing, field.name), names_in_sync)} s."
        f" {SOURCES[field.name]}"
        for field in fields(Timing)
    }


def _length(delay: float | tuple[float, float], drawn: Sequence[float]) -> str:
    if not isinstance(delay, tuple):
        return f"{delay:g}"
    durations = ", ".join(f"{seconds:.1f}" for seconds in drawn)
    return "{:g} to {:g}".format(*delay) + (f", drawn: {durations}" if durations else "")
