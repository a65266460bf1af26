"""The people who have a site that came back follow the active one again, by the restore's state machine, and who lead
clients back to it then: a failback is a switchover."""

from __future__ import annotations

import random
from typing import Any, Final

from simulation.deployment import RESTORE, SWITCHOVER
from simulation.scheduler import Process
from simulation.sites import other
from simulation.story import Story
from simulation.world import PLAN, World

NAME: Final = "restore"
"""What the name of every restore begins with."""
_AFTER_FAILOVER_S: Final = (3000.0, 20_000.0)
_AFTER_RESTORE_S: Final = (3700.0, 20_000.0)
_SAMPLES, _SAMPLED_EVERY_S = 9, 40.0
"""A site that was restored is switched over to only once its mirrors are known to be close behind for some minutes: the
lag is sampled at shorter intervals for them."""
_TRIED_AGAIN_S: Final = (900.0, 3600.0)
_TRIES: Final = 4
"""Of one restore that stands down again and again."""


class Restores:
    """What these people do, by what they are told."""

    def __init__(self, world: World, story: Story) -> None:
        self._world = world
        self._story = story
        self._chance = random.Random(f"restores {story.seed}")
        self._started = 0
        self._tries = 0

    def hear(self, message: dict[str, Any]) -> bool:
        """Act on a message, if it is theirs to act on; says whether it is."""
        outcome, is_restore = message.get("outcome"), str(message.get("execution", "")).startswith(NAME)
        if not self._story.restores or "dry-run" in str(message.get("execution", "")):
            return False
        if outcome == "succeeded" and is_restore and self._story.fails_back:
            self._world.scheduler.spawn(self._fail_back, Process("a person"))
            return True
        if outcome == "succeeded" and not is_restore:
            self._tries = 0
            self._later(_AFTER_FAILOVER_S)
            return True
        if outcome == "stood-down" and is_restore and self._tries < _TRIES:
            if "consumer group" in str(message.get("why", "")):
                self._world.tell("people stop the group that it names")
                self._world.sites.group_states = dict.fromkeys(self._world.sites.group_states, "EMPTY")
            self._later(_TRIED_AGAIN_S)
            return True
        return False

    def start(self, to: str, **more: Any) -> None:
        """Have the other site follow this one."""
        self._started += 1
        request = {"plan": PLAN, "to": to, "by": "alice", "reason": f"{other(to)} is back", **more}
        if not self._story.rescues:
            request["discard"] = True
        self._world.watch_closely()
        self._world.tell(f"a person has {other(to)} mirror {to} again")
        self._world.start(request, f"{NAME}-{self._started}", RESTORE)

    def _fail_back(self) -> None:
        """Some hours later, to the site that has followed since, if both are well and nothing runs."""
        self._world.scheduler.sleep(self._chance.uniform(*_AFTER_RESTORE_S))
        for _ in range(_SAMPLES):
            self._world.watch()
            self._world.functions.invoke_later("sample_lag", {"plans": [PLAN]})
            self._world.scheduler.sleep(_SAMPLED_EVERY_S)
        sites, active = self._world.sites, self._world.active
        to = other(active)
        well = all(all(site.up.values()) for site in sites.sites.values())
        if not well or not sites.mirrors[to] or any(run.running for run in self._world.executions):
            return
        self._started += 1
        self._world.watch_closely()
        self._world.tell(f"a person leads clients back to {to}")
        request = {"plan": PLAN, "to": to, "by": "alice", "reason": f"{to} follows again"}
        self._world.start(request, f"switchover-{self._started}", SWITCHOVER)

    def _later(self, seconds: tuple[float, float]) -> None:
        self._world.scheduler.spawn(lambda: self._restore(seconds), Process("a person"))

    def _restore(self, seconds: tuple[float, float]) -> None:
        """Once the other site is back, if nobody has restored it meanwhile, and nothing runs."""
        self._world.scheduler.sleep(self._chance.uniform(*seconds))
        sites, active = self._world.sites, self._world.active
        returned = other(active)
        is_back = all(sites.sites[returned].up.values())
        follows = "ACTIVE" in sites.mirrors[returned].values()
        if follows or any(run.running for run in self._world.executions):
            return
        if is_back:
            self._tries += 1
            self.start(active)
