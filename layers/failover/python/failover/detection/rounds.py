"""Rounds: what is called every few seconds of a minute, for many plans at a time.

A schedule keeps its minute to the minute only, and what it starts lasts as long: the last rounds of one minute and the
first of the next may come at once. A container that has begun with the newer leaves the older alone.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from failover.errors import FailoverError
from failover.plan.model import Plan

AHEAD_S: Final = 60.0
"""A minute that is further ahead is no schedule's, and supersedes none."""


class Round(BaseModel):
    """One call: the plans it is for, and the minute it is of, as the schedule has it; None: of none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    plans: tuple[str, ...] = Field(min_length=1)
    scheduled_at: AwareDatetime | None = None


@dataclass(frozen=True, kw_only=True)
class DuePlans:
    """What a round is for, by name."""

    plans: dict[str, Plan]
    undeployed: list[str]
    """They are not deployed, or bad."""
    superseded: tuple[str, ...]
    """A round of a newer minute has begun with them."""


class Minutes:
    """The newest minute of each plan whose rounds this container was called for."""

    def __init__(self) -> None:
        self._newest: dict[str, datetime] = {}

    def due(self, of: Round, deployed: Mapping[str, Plan | FailoverError]) -> DuePlans:
        """The plans of a round that are to be looked at. Their minute is the newest from now on."""
        superseded = self.superseded(of)
        names = [name for name in of.plans if name not in superseded]
        plans = {name: plan for name in names if isinstance(plan := deployed.get(name), Plan)}
        return DuePlans(plans=plans, undeployed=[name for name in names if name not in plans], superseded=superseded)

    def superseded(self, of: Round) -> tuple[str, ...]:
        """The plans for which a round of a newer minute was called. The others' minute is the newest from now on."""
        minute = of.scheduled_at
        if minute is None or minute.timestamp() > time.time() + AHEAD_S:
            return ()
        superseded = tuple(plan for plan in of.plans if minute < self._newest.get(plan, minute))
        self._newest |= dict.fromkeys(set(of.plans) - set(superseded), minute)
        return superseded
