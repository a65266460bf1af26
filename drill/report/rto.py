"""Where the time between the loss and the first record acknowledged by the standby went. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from drill.report.model import Rto

PARTS = ("detection", "decision", "promotion", "routes", "dns", "clients")
MARKS = {
    "detection": "the event that set it off",
    "decision": "the end of assess",
    "promotion": "the end of promote_mirrors",
    "routes": "the end of switch_routes on the standby's fleet",
    "dns": "the end of flip_dns",
    "clients": "the first record acknowledged by the standby",
}


@dataclass(frozen=True, kw_only=True)
class Milestones:
    """When each part of the recovery was over, in seconds since 1970; None if that was not seen."""

    killed: float
    alarm: float | None = None
    decided: float | None = None
    promoted: float | None = None
    routes: float | None = None
    dns: float | None = None
    first_acknowledged: float | None = None

    @property
    def alarm_to_dns(self) -> float | None:
        """Seconds from the event that set the failover off to the flipped name."""
        return None if self.alarm is None or self.dns is None else round(self.dns - self.alarm, 3)


def split_rto(milestones: Milestones) -> tuple[Rto, tuple[str, ...]]:
    """The parts of the RTO, in seconds, and why a part is None.

    A part is the time by which its milestone came later than all before it in the order of `PARTS`: what ran side by
    side with something slower costs nothing. A milestone after the first acknowledged record counts up to that record
    (a step is done only once it has proved its effect, and the clients may be faster). So the parts that are not None
    add up to the total, exactly, in milliseconds. Where a milestone is missing its time is within the next part.
    """
    marks = {
        "detection": milestones.alarm,
        "decision": milestones.decided,
        "promotion": milestones.promoted,
        "routes": milestones.routes,
        "dns": milestones.dns,
        "clients": milestones.first_acknowledged,
    }
    total = _milliseconds(milestones.first_acknowledged, milestones.killed)
    parts: dict[str, float | None] = {}
    reasons = []
    latest = 0
    for position, part in enumerate(PARTS):
        reached = _milliseconds(marks[part], milestones.killed)
        if reached is None:
            parts[part] = None
            following = next((p for p in PARTS[position + 1 :] if marks[p] is not None), None)
            within = f"; its time is within {following}" if following else ""
            reasons.append(f"RTO, {part}: {MARKS[part]} was not seen{within}")
            continue
        reached = max(latest, reached if total is None else min(reached, total))
        parts[part] = (reached - latest) / 1000
        latest = reached
    return Rto(total=None if total is None else max(total, 0) / 1000, **parts), tuple(reasons)


def _milliseconds(at: float | None, killed: float) -> int | None:
    return None if at is None else round((at - killed) * 1000)
