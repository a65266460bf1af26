"""The port to a gateway fleet: what its route points at, which instances serve it, and pointing it elsewhere.

A new kind of fleet is one file with a class that fits `Fleet`, its part of the plan, and one line in `_KINDS`.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Final, Literal, Protocol, cast

from failover.container import remembered
from failover.errors import Obstacle
from failover.plan.fleets import FleetConfig
from failover.plan.model import Site

SPARE: Final = 1
"""How many instances a fleet has beyond what a peak needs."""
FenceKind = Literal["route", "leads nowhere", "scaled to zero"]
"""Every request is answered with an error that clients retry; or no broker answers; or no instance is left."""


@dataclass(frozen=True)
class Instance:
    """One gateway container. `bootstrap`: where the route can be reached on this instance alone, if known; `zone`: the
    availability zone it runs in, if told; `config_id`: of the configuration it says it runs, if it says; `proof`: why
    it is held to run the fleet's wanted configuration, or None: that is not proven; `auth_failures`: how many swaps of
    credentials have failed on it since it started, if it swaps any and says so; `metrics`: the host:port that tells it,
    where that was not asked yet."""

    name: str
    bootstrap: str | None
    zone: str | None = None
    config_id: str | None = None
    proof: str | None = None
    auth_failures: int | None = None
    metrics: str | None = None


@dataclass(frozen=True)
class FleetState:
    """What the fleet really is. `target`: the site its wanted configuration routes to, `fenced`, or None for neither.
    `settled`: every instance is proven to run that configuration and none of before is left. `stalled`: why it will not
    settle by itself; routing it there again helps. `tier`: how a change of route reaches the instances. `fence_kind`:
    how it is fenced, if it is. `missing`: how many instances it is short of, where nothing else keeps it from being
    settled."""

    target: str | None
    settled: bool
    instances: tuple[Instance, ...]
    detail: str
    tier: str = "replace"
    fence_kind: FenceKind | None = None
    stalled: str | None = None
    missing: int = 0

    @property
    def carries(self) -> bool:
        """Whether clients may come: it is settled, or lacks no more than the one instance that it must bear to lose."""
        return self.settled or (self.missing == SPARE and bool(self.instances))

    def routed_to(self, target: str) -> bool:
        """Whether it is routed there, and is or will be settled without another act."""
        return self.target == target and self.stalled is None

    @property
    def unproven(self) -> list[str]:
        """The names of the instances that are not proven to run the wanted configuration."""
        return [instance.name for instance in self.instances if instance.proof is None]


class Fleet(Protocol):
    """One fleet. Methods raise `FleetUnavailable` if repeating may help, and `FleetRejected` if not."""

    def look(self) -> FleetState:
        """What the fleet is now."""

    def route(self, target: str) -> None:
        """Point its route at a site's cluster, or fence it; returns before the instances have changed. If it is routed
        there, and stalled, do what remains to be done."""

    def obstacles(self) -> list[Obstacle]:
        """What readiness should tell; it is asked long before a failover, and may ask for more than a look does."""


_KINDS: Final = {
    "ecs": "failover.fleets.ecs:EcsService",
    "ecs-blue-green": "failover.fleets.ecs_blue_green:BlueGreenServices",
    "cfk": "failover.fleets.cfk:CfkGateway",
    "cfk-blue-green": "failover.fleets.cfk_blue_green:BlueGreenGateways",
    "kroxylicious": "failover.fleets.kroxylicious:KroxyliciousCluster",
}


@remembered
def fleet_of(fleet: FleetConfig, region: str) -> Fleet:
    """The fleet a plan describes, in the region of its site."""
    module, _, name = _KINDS[fleet.kind].partition(":")
    return cast("Fleet", getattr(importlib.import_module(module), name)(fleet, region))


def fleets_of(site: Site) -> list[tuple[str, Fleet]]:
    """The fleets of a site, by name."""
    return [(fleet.name, fleet_of(fleet, site.region)) for fleet in site.fleets]
