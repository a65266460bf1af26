"""Rounds: what is called every few seconds of a minute, for many plans at a time.

A schedule keeps its minute to the minute only, and what it starts lasts as long: the last rounds of one minute and the
first of the next may come at once. A container that has begun with the newer leaves the older alone.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

AHEAD_S: Final = 60.0
"""A minute that is further ahead is no schedule's, and supersedes none."""


class Round(BaseModel):
    """One call: the plans it is for, and the minute it is of, as the schedule has it; None: of none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    plans: tuple[str, ...] = Field(min_length=1)
    scheduled_at: AwareDatetime | None = None


class Minutes:
    """The newest minute of each plan whose rounds this container was called for."""

    def __init__(self) -> None:
        self._newest: dict[str, datetime] = {}

    def superseded(self, of: Round) -> tuple[str, ...]:
        """The plans for which a round of a newer minute was called. The others' minute is the newest from now on."""
        minute = of.scheduled_at
        if minute is None or minute.timestamp() > time.time() + AHEAD_S:
            return ()
        superseded = tuple(plan for plan in of.plans if minute < self._newest.get(plan, minute))
        self._newest |= dict.fromkeys(set(of.plans) - set(superseded), minute)
        return superseded
