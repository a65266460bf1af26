"""Who writes beside the controller: the team's own tools, which know nothing of it. They rotate secrets, change the
plan, and put the name and the fleets back to what their own sources say."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import yaml

from simulation.sites import LOG_END, TOPICS, definition_of, other
from simulation.story import Story
from simulation.world import PLAN, World

_OVERLAP_S: Final = (0.0, 0.0, 60.0)
"""For how long an old key is good after its secret was changed."""


class Others:
    """The other writers of a life."""

    def __init__(self, world: World, story: Story) -> None:
        self._world = world
        self._chance = random.Random(f"others {story.seed}")

    @property
    def deeds(self) -> Mapping[str, Callable[[], None]]:
        """What they do, by the story's word for it."""
        return {
            "change the plan": self._change_plan,
            "rotate a secret": self._rotate,
            "revert the name": self._revert_name,
            "revert a fleet": self._revert_fleet,
            "deploy": self._deploy,
            "have a group read on the standby": self._read_on_standby,
            "delete a topic of the standby": self._delete_topic,
        }

    def _read_on_standby(self) -> None:
        standby = other(self._world.active)
        self._world.sites.group_states[standby] = "STABLE"
        self._world.sites.committed[standby] = dict.fromkeys(TOPICS, LOG_END)
        self._world.tell(f"somebody's consumers read on {standby} itself")

    def _delete_topic(self) -> None:
        standby = other(self._world.active)
        self._world.sites.delete_topic(standby, TOPICS[-1])
        self._world.tell(f"somebody deletes the topic {TOPICS[-1]} on {standby}")

    def _deploy(self) -> None:
        self._world.tell("every function is deployed anew")
        self._world.functions.forget()

    def _change_plan(self) -> None:
        """Something that changes nothing of what is promised."""
        document: Any = yaml.safe_load(self._world.account.plan_text(PLAN))
        document["policy"]["promotion_timeout_seconds"] += 10
        document["policy"]["hold_seconds"] = self._chance.choice((2, 3, 4))
        self._world.account.put_plan(PLAN, yaml.safe_dump(document, sort_keys=False))
        self._world.tell("the plan is changed in its store")

    def _rotate(self) -> None:
        name = self._chance.choice(sorted(self._world.keys.good))
        overlap = self._chance.choice(_OVERLAP_S)
        fields = self._world.keys.rotate(name)
        self._world.account.secrets[f"failover/{PLAN}/{name}"] = json.dumps(fields)
        self._world.scheduler.call_later(overlap, lambda: self._world.keys.retire(name))
        self._world.tell(f"the secret of {name} is rotated; the old key is good for {overlap:.0f} s more")

    def _revert_name(self) -> None:
        """external-dns, or a plan of Terraform, writes the record that it knows: that of the site that was home."""
        self._world.meddled_at = self._world.now
        self._world.tell("somebody else's tool writes the name's record back to gw-east")
        write = partial(self._world.sites.point_name_at, "gw-east.orders.example.com")
        self._world.put_back.get("name", write)()

    def _revert_fleet(self) -> None:
        """Terraform deploys the standby's fleet as it was."""
        site = other(self._world.active)
        fleet = self._world.sites.sites[site].fleet
        self._world.meddled_at = self._world.now
        self._world.tell(f"somebody else's tool deploys the fleet of {site} as it was, led to {site}")
        if site in self._world.put_back:
            self._world.put_back[site]()
            return
        fleet.definition = definition_of(site, site)
        self._world.sites.deploy(fleet)
