"""The port to a gateway fleet: what its route points at, which instances serve it, and pointing it elsewhere.

A new kind of fleet is one file with a class that fits `Fleet`, its part of the plan, and one line in `_KINDS`.
"""

from __future__ import annotations

import functools
import importlib
from dataclasses import dataclass
from typing import Final, Protocol, cast

from failover.plan import EcsFleet, Site


@dataclass(frozen=True)
class Instance:
    """One gateway container. `bootstrap`: where the route can be reached on this instance alone, if known; `zone`: the
    availability zone it runs in, if told."""

    name: str
    bootstrap: str | None
    zone: str | None = None


@dataclass(frozen=True)
class FleetState:
    """What the fleet really is. `target`: the site its wanted configuration routes to, `fenced`, or None for neither.
    `settled`: every instance runs that configuration and none of before is left."""

    target: str | None
    settled: bool
    instances: tuple[Instance, ...]
    detail: str


class Fleet(Protocol):
    """One fleet. Methods raise `FleetUnavailable` if repeating may help, and `FleetRejected` if not."""

    def look(self) -> FleetState:
        """What the fleet is now."""

    def route(self, target: str) -> None:
        """Point its route at a site's cluster, or fence it; returns before the instances have changed."""


_KINDS: Final = {"ecs": "failover.gateway.ecs:EcsService"}


@functools.cache
def fleet_of(fleet: EcsFleet, region: str) -> Fleet:
    """The fleet a plan describes, in the region of its site."""
    module, _, name = _KINDS[fleet.kind].partition(":")
    return cast("Fleet", getattr(importlib.import_module(module), name)(fleet, region))


def fleets_of(site: Site) -> list[tuple[str, Fleet]]:
    """The fleets of a site, by name."""
    return [(fleet.name, fleet_of(fleet, site.region)) for fleet in site.fleets]
