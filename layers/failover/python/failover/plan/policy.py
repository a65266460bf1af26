"""The policy of a plan: when the controller may act by itself, and whose word counts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from fnmatch import fnmatchcase
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, Discriminator, Field, Tag, model_validator

from failover.plan.base import Label, PlanModel, form

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY, _WEEK = 24 * 60, 7 * 24 * 60
"""In minutes."""
_DATE: Final = re.compile(r"[0-9]{4}-")
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
TimeOfDay = Annotated[str, form(r"^([01][0-9]|2[0-3]):[0-5][0-9]$", 'a time of day in UTC, such as "22:30"')]


class Weekly(PlanModel):
    """A window of maintenance that comes every week, in UTC."""

    days: tuple[Day, ...] = Field(default=DAYS, min_length=1)
    """The days it begins on."""
    begins: TimeOfDay
    """When it begins, in quotes."""
    ends: TimeOfDay
    """When it ends, in quotes; before it begins: on the next day."""

    def minutes(self) -> Iterator[int]:
        """The minutes of a week in which it is open, from Monday on."""
        begins, ends = (int(at[:2]) * 60 + int(at[3:]) for at in (self.begins, self.ends))
        for day in self.days:
            first = DAYS.index(day) * _DAY + begins
            length = (ends - begins) % _DAY or _DAY
            yield from (minute % _WEEK for minute in range(first, first + length))

    def until(self, now: datetime) -> datetime | None:
        """When the window ends that is open now, or None."""
        for back in (0, 1):
            day = (now - timedelta(days=back)).date()
            if DAYS[day.weekday()] not in self.days:
                continue
            begins = datetime.combine(day, time.fromisoformat(self.begins), UTC)
            ends = datetime.combine(day, time.fromisoformat(self.ends), UTC)
            if ends <= begins:
                ends += timedelta(days=1)
            if begins <= now < ends:
                return ends
        return None


class Once(PlanModel):
    """A window of maintenance at one time."""

    begins: AwareDatetime
    """When it begins: a date and a time with its offset from UTC."""
    ends: AwareDatetime
    """When it ends, likewise."""

    @model_validator(mode="after")
    def _in_order(self) -> Once:
        if self.ends <= self.begins:
            raise ValueError("ends before it begins")
        return self

    def until(self, now: datetime) -> datetime | None:
        """When the window ends, if it is open now, or None."""
        return self.ends if self.begins <= now < self.ends else None


def _kind_of_window(window: Any) -> str:
    """A window whose begin has a date is there once."""
    if isinstance(window, dict):
        return "once" if _DATE.match(str(window.get("begins", ""))) and "days" not in window else "weekly"
    return "once" if isinstance(window, Once) else "weekly"


Window = Annotated[Annotated[Weekly, Tag("weekly")] | Annotated[Once, Tag("once")], Discriminator(_kind_of_window)]


class Policy(PlanModel):
    """When the controller may act by itself, and whose word counts."""

    mode: Literal["automatic", "approve", "observe"] = "approve"
    """`automatic`; `approve`: ask a person; `observe`: never by itself."""
    by_hand: Literal["allow", "approve", "refuse"] = "allow"
    """What becomes of what people start: `allow`; `approve`: a second person is asked; `refuse`."""
    signals: tuple[Label, ...] = Field(default=("*",), min_length=1)
    """Patterns of the sources that count: alarms by name, probes as `probe/<vantage point>`. A name counts as it is,
    too."""
    quorum: int = Field(default=2, ge=1, le=10)
    """Votes needed: each alarm that stands, and the probes of each vantage point as one."""
    min_vantage_points: int = Field(default=2, ge=1, le=10)
    """How many vantage points the votes must come from: what is seen from one may be wrong together."""
    hold_seconds: int = Field(default=3, ge=0, le=3600)
    """For how long a vote must have stood."""
    fast_path: bool = False
    """Whether probes may decide without an alarm: in seconds instead of CloudWatch's half a minute."""
    signal_max_age_seconds: int = Field(default=60, ge=10)
    """When an alarm is read again from CloudWatch: it is a vote as long as it stands."""
    probe_max_age_seconds: int = Field(default=15, ge=2)
    """When a probe is too old to be a vote; more than twice the time between two looks."""
    maintenance: tuple[Window, ...] = ()
    """Windows in which nothing is started by itself."""
    cooldown_seconds: int = Field(default=3600, ge=0)
    """No automatic failover for so long after a change of the active site."""
    max_failovers_a_day: int = Field(default=2, ge=1, le=100)
    """No more automatic ones in 24 hours."""
    rpo_limit_records: int | None = Field(default=None, ge=0)
    """A person is asked if the mirrors trail by more, or by an unknown number; none: no limit."""
    approval_timeout_seconds: int = Field(default=900, ge=10, le=86_400)
    """How long a person's answer is waited for."""
    on_approval_timeout: Literal["stand-down", "proceed"] = "stand-down"
    """What becomes of a question that nobody answers."""
    promotion_timeout_seconds: int = Field(default=120, ge=5, le=86_400)
    """When a mirror that is not STOPPED is stuck."""
    on_stuck_mirrors: Literal["stop", "go-on"] = "stop"
    """`stop`: before DNS, naming them; `go-on`: move the clients without those topics."""
    on_smaller_fleet: Literal["raise", "go-on"] = "raise"
    """What becomes of a fleet of the site that takes over that is smaller than what clients come from: `raise`: it is
    made as large, before the name is flipped; `go-on`: it stays as it is."""
    capacity_timeout_seconds: int = Field(default=60, ge=0, le=300)
    """For how long clients wait for the instances it lacks; then they are let in to those that are there, and people
    are told."""
    drain_timeout_seconds: int = Field(default=30, ge=5, le=3600)
    """For how long a switchover keeps the clients fenced to let the mirrors catch up, before it is given up."""
    failback_lag_records: int = Field(default=1000, ge=0)
    """No switchover to the home site while its mirrors trail by more, or by an unknown number."""
    failback_after_seconds: int = Field(default=300, ge=0, le=86_400)
    """Nor before they have trailed by no more than that for so long."""
    practice_max_age_days: int | None = Field(default=None, ge=1, le=3650)
    """Readiness warns once the last switchover and back is longer ago; none: it only tells when that was."""
    on_offsets_ahead: Literal["clamp", "report"] = "clamp"
    """What becomes of committed offsets beyond the data that arrived, with which a consumer would skip records."""

    def listens_to(self, source: str) -> bool:
        """Whether a signal of that source may be a vote: a pattern matches it, or is its very name."""
        return any(source == pattern or fnmatchcase(source, pattern) for pattern in self.signals)

    @property
    def always_maintained(self) -> bool:
        """Whether the weekly windows of maintenance leave no minute of a week."""
        weekly = (window for window in self.maintenance if isinstance(window, Weekly))
        return len({minute for window in weekly for minute in window.minutes()}) == _WEEK

    def maintained_until(self, now: float) -> datetime | None:
        """When the last window of maintenance ends that is open now (seconds since 1970), or None."""
        moment = datetime.fromtimestamp(now, UTC)
        return max((end for window in self.maintenance if (end := window.until(moment))), default=None)
