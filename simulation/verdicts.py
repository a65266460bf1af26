"""How good the decisions of a life are: failovers that nobody needed, outages that nothing was done about, and how long
it took to decide. They are judged by what was the case at the sites, whoever saw it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final

from simulation.observers import Observers
from simulation.oracle import COOLDOWN_S
from simulation.sites import other
from simulation.story import Outage, PolicyName, Story
from simulation.world import STARTED, World

MUST_FAIL_OVER_S: Final = 150.0
"""An outage that lasts for so long must not be sat out,"""
UNTOUCHED_S: Final = 90_000.0
"""if nothing was failed over for so long before: no limit of a day is in the way; and the cooldown must be over, which
begins with any change of the active site."""
CLIENTS_WORK_S: Final = 10.0
"""Clients that could work for so long before a failover did not need it."""


@dataclass(frozen=True, kw_only=True)
class Decisions:
    """What a life's failovers by themselves came to."""

    policy: PolicyName
    must: int
    """Outages that must not be sat out."""
    missed: int
    false: int
    either_way: int
    """Failovers for outages that may be sat out, too."""
    to_decide: tuple[float, ...]
    """Seconds from the outage to the decision, of those that must not."""


@dataclass
class Verdicts:
    """Looks on, and judges at the end. Only lives in which nothing else is in the way tell of missed outages."""

    world: World
    story: Story
    observers: Observers
    _decided: dict[str, float] = field(default_factory=dict)
    """When each execution was past its decision."""

    def begin(self) -> None:
        """From now on it looks on."""
        self.world.functions.invoked.append(self._invoked)

    def _invoked(self, function: str, execution: str) -> None:
        if function == "fence" and execution not in self._decided:
            self._decided[execution] = self.world.now

    def conclude(self) -> Decisions:
        """What came of it all."""
        failovers = sorted((at, name) for name, at in self._decided.items() if "-failover" in name)
        outages = [outage for outage in self.observers.past if outage.is_of_clients]
        causes: dict[str, Outage | None] = {}
        for at, name in failovers:
            lost = other(self._to(name))
            began = self._started(name)
            causes[name] = next(
                (
                    each
                    for each in outages
                    if each.site == lost
                    and STARTED + each.begins <= at
                    and STARTED + each.ends > began - CLIENTS_WORK_S
                ),
                None,
            )
        must = [each for each in outages if self._is_must(each, failovers)]
        decided = {id(cause): at for (at, name) in reversed(failovers) if (cause := causes[name]) is not None}
        to_decide = [decided[id(each)] - STARTED - each.begins for each in must if id(each) in decided]
        false = sum(cause is None for cause in causes.values())
        return Decisions(
            policy=self.story.policy,
            must=len(must),
            missed=len(must) - len(to_decide),
            false=false,
            either_way=len(causes) - false - len(to_decide),
            to_decide=tuple(to_decide),
        )

    def _is_must(self, outage: Outage, failovers: list[tuple[float, str]]) -> bool:
        begins, ends = STARTED + outage.begins, STARTED + outage.ends
        lasts = min(ends, STARTED + self.story.seconds) - begins
        plain = not (self.story.acts or self.story.spells or self.story.faults or self.story.maintenance)
        active = self.observers.active_at(outage)
        untouched = not any(begins - UNTOUCHED_S < at < begins for at, _ in failovers)
        cooled_down = begins - self.observers.changed_before(outage) > COOLDOWN_S
        standby_well = not any(
            each.site != outage.site and STARTED + each.begins < ends and STARTED + each.ends > begins
            for each in self.observers.past
        )
        return (
            self.story.mode == "automatic"
            and plain
            and untouched
            and cooled_down
            and standby_well
            and outage.site == active
            and lasts >= MUST_FAIL_OVER_S
        )

    def _to(self, name: str) -> str:
        return str(json.loads(self._text(name))["to"])

    def _text(self, name: str) -> str:
        return next(run.input_text for run in self.world.executions if run.name == name)

    def _started(self, name: str) -> float:
        return next(run.started for run in self.world.executions if run.name == name)
