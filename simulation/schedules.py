"""What the stack's schedules call, whether anything was heard or not: each round, while the sites are looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from simulation.deployment import ACCOUNT
from simulation.regions import REGION
from simulation.scheduler import Process
from simulation.world import PLAN, World

_OF_PLAN: Final = {"plan": PLAN}
_LOOK: Final = {
    "source": "kafka.failover",
    "detail-type": "Regular Look",
    "account": ACCOUNT,
    "detail": {"plans": [PLAN]},
}


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A function, what it is called with, and how often; seconds."""

    function: str
    request: dict[str, Any]
    every: float
    first: float
    everywhere: bool = False
    """Whether every controller has it; else the first alone."""


SCHEDULES: Final = (
    Schedule(function="judge", request=_LOOK, every=60.0, first=7.0, everywhere=True),
    Schedule(function="sample_lag", request={"plans": [PLAN]}, every=120.0, first=11.0),
    Schedule(function="watch_site", request={"plans": [PLAN]}, every=1200.0, first=13.0),
    Schedule(function="check_readiness", request=_OF_PLAN, every=86_400.0, first=17.0),
    Schedule(function="sweep_ledger", request={}, every=86_400.0, first=19.0, everywhere=True),
)
"""More seldom than in the field, but for the judge's: what they see is in the world, and each look costs."""


class Schedules:
    """The schedules of a life."""

    def __init__(self, world: World) -> None:
        self._world = world

    def begin(self) -> None:
        """From now on they call."""
        for schedule in SCHEDULES:
            for region in self._world.regions if schedule.everywhere else (REGION,):
                process = Process(f"schedule of {schedule.function}")
                self._world.scheduler.spawn(self._rounds(schedule, region), process, schedule.first)

    def _rounds(self, schedule: Schedule, region: str) -> Callable[[], None]:
        def rounds() -> None:
            while True:
                self._world.await_attention()
                self._world.functions.invoke_later(schedule.function, dict(schedule.request), region)
                self._world.scheduler.sleep(schedule.every)

        return rounds
