"""The policy of a plan: when the controller may act by itself, and whose word counts."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from fnmatch import fnmatchcase
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, Discriminator, Field, Tag, model_validator

from failover.plan.base import Label, PlanModel, form

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DATE: Final = re.compile(r"\d{4}-")
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
TimeOfDay = Annotated[str, form(r"^([01]\d|2[0-3]):[0-5]\d$", 'a time of day in UTC, such as "22:30"')]


class Weekly(PlanModel):
    """A window of maintenance that comes every week, in UTC, on the days it begins; one that ends before it begins ends
    on the next day."""

    days: tuple[Day, ...] = Field(default=DAYS, min_length=1)
    begins: TimeOfDay
    ends: TimeOfDay

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
    """A window of maintenance at one time, with its offset from UTC."""

    begins: AwareDatetime
    ends: AwareDatetime

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
    """When the controller may act by itself. Durations in seconds. `signals`: patterns of the sources that count."""

    mode: Literal["automatic", "approve", "observe"] = "approve"
    by_hand: Literal["allow", "approve", "refuse"] = "allow"
    signals: tuple[Label, ...] = Field(default=("*",), min_length=1)
    quorum: int = Field(default=2, ge=1, le=10)
    min_vantage_points: int = Field(default=2, ge=1, le=10)
    hold_seconds: int = Field(default=3, ge=0, le=3600)
    fast_path: bool = False
    signal_max_age_seconds: int = Field(default=60, ge=10)
    """An alarm that was told or read longer ago is read again from CloudWatch; it is a vote as long as it stands."""
    probe_max_age_seconds: int = Field(default=15, ge=2)
    maintenance: tuple[Window, ...] = ()
    cooldown_seconds: int = Field(default=3600, ge=0)
    max_failovers_a_day: int = Field(default=2, ge=1, le=100)
    rpo_limit_records: int | None = Field(default=None, ge=0)
    approval_timeout_seconds: int = Field(default=900, ge=10, le=86_400)
    on_approval_timeout: Literal["stand-down", "proceed"] = "stand-down"
    promotion_timeout_seconds: int = Field(default=120, ge=5, le=86_400)
    on_stuck_mirrors: Literal["stop", "go-on"] = "stop"
    on_offsets_ahead: Literal["clamp", "report"] = "clamp"

    def listens_to(self, source: str) -> bool:
        """Whether a signal of that source may be a vote: a pattern matches it, or is its very name."""
        return any(source == pattern or fnmatchcase(source, pattern) for pattern in self.signals)

    def maintained_until(self, now: float) -> datetime | None:
        """When the last window of maintenance ends that is open now (seconds since 1970), or None."""
        moment = datetime.fromtimestamp(now, UTC)
        return max((end for window in self.maintenance if (end := window.until(moment))), default=None)
