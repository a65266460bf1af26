"""When a plan's switchover and back is practised by itself."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import Field

from failover.plan.base import PlanModel
from failover.plan.policy import Weekly


class PracticeSchedule(PlanModel):
    """When a switchover and back is practised by itself, and its report kept as evidence. Without it, only by hand."""

    windows: tuple[Weekly, ...] = Field(min_length=1)
    """When one may begin; one that has begun goes on."""
    every_days: int = Field(default=30, ge=1, le=3650)
    """None begins sooner after the last switchover and back."""
    stay_seconds: int = Field(default=300, ge=0, le=21_600)
    """How long clients work on the other site before they are led home."""

    def open_until(self, now: float) -> datetime | None:
        """When the window ends that is open now (seconds since 1970), or None."""
        moment = datetime.fromtimestamp(now, UTC)
        return max((end for window in self.windows if (end := window.until(moment))), default=None)
