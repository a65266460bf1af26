"""The port to a gateway fleet: what its route points at, which instances serve it, and pointing it elsewhere.

A new kind of fleet is one file with a class that fits `Fleet`, its part of the plan, and one line in `_KINDS`.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeVar, cast

from failover.aws.clients import Role
from failover.aws.errors import error_code
from failover.container import remembered
from failover.errors import FleetRejected, FleetUnavailable, Obstacle
from failover.plan.fleets import FleetConfig
from failover.plan.location import Location
from failover.plan.model import FENCED

SPARE_INSTANCES: Final = 1
"""How many instances a fleet has beyond what a peak needs."""
QUICK_S: Final = 1.0
"""Within this time a failure is no silence; a step looks again within its call for no longer."""
FENCE_LOOK_S: Final = 0.8
"""Of a fleet whose fence holds up those that wait for the standby: who says nothing for so long is out of reach."""
REROUTE_LOOK_S: Final = 3.0
"""Of the lost site's fleet once the standby is writable: its clients may hang on connections that only a new route
ends, and nobody but the proof waits for it."""
Answer = TypeVar("Answer")
FenceKind = Literal["route", "leads nowhere", "scaled to zero"]
"""Every request is answered with an error that clients retry; or no broker answers; or no instance is left."""


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One gateway container."""

    name: str
    bootstrap: str | None
    """The host:port of the route on this instance alone, if it is known."""
    zone: str | None = None
    """The availability zone it runs in, if anything tells."""
    config_id: str | None = None
    """Of the configuration it says it runs, if it says."""
    proof: str | None = None
    """Why it is held to run the fleet's wanted configuration; None: that is not proven."""
    auth_failures: int | None = None
    """How many swaps of credentials have failed since it started, if it swaps any and says so."""
    metrics: str | None = None
    """The host:port that tells those, where it was not asked yet."""


@dataclass(frozen=True, kw_only=True)
class FleetState:
    """What a fleet really is."""

    target: str | None
    """The site its wanted configuration routes to, `fenced`, or None for neither."""
    settled: bool
    """Every instance is proven to run that configuration, and none of a previous revision is left."""
    instances: tuple[Instance, ...]
    detail: str
    tier: str = "replace"
    """How a change of route reaches the instances."""
    fence_kind: FenceKind | None = None
    vacated: bool = False
    """Of a fleet routed to the fence: no instance that leads elsewhere is left, and none will come. Those that answer
    clients with the fence's error may be on their way yet."""
    stalled_because: str | None = None
    """Why it will not settle by itself, where routing it there again helps."""
    refused_because: str | None = None
    """In its control plane's words, why it does not take the present target. Another target may be taken."""
    look_again_s: int = 1
    """Seconds until a look may tell more, while it is not settled."""
    missing: int = 0
    """How many instances it is short of, where nothing else keeps it from being settled."""
    size: int | None = None
    """How many instances its control plane is asked for; None: nothing tells."""

    @property
    def accepts_clients(self) -> bool:
        """Whether clients may come: it is settled, or lacks no more than the one instance that it must bear to lose."""
        return self.settled or (self.missing == SPARE_INSTANCES and bool(self.instances))

    def routed_to(self, target: str) -> bool:
        """Whether it is routed there, and is or will be settled without another act.

        Raises:
            FleetRejected: it is routed there, and its control plane refused that.
        """
        if self.target == target and self.refused_because is not None:
            raise FleetRejected(self.refused_because)
        return self.target == target and self.stalled_because is None

    @property
    def fence_holds(self) -> bool:
        """Whether it is fenced, and no client's request gets through it to a cluster any more."""
        return self.target == FENCED and (self.settled or self.vacated)

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

    def size(self) -> int | None:
        """How many instances its control plane is asked for; it takes less than a look."""

    def raise_to(self, instances: int) -> None:
        """Ask for so many instances, unless it is asked for more; returns before they are there. Its route stays."""

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
def fleet_of(fleet: FleetConfig, region: str, role: Role | None) -> Fleet:
    """The fleet a plan describes, in the region of its location; `role`: who looks at it and routes it."""
    module, _, name = _KINDS[fleet.kind].partition(":")
    return cast("Fleet", getattr(importlib.import_module(module), name)(fleet, region, role=role))


def fleets_of(location: Location) -> list[tuple[str, Fleet]]:
    """The fleets of a location, by name."""
    return [(fleet.name, fleet_of(fleet, location.region, location.role)) for fleet in location.fleets]


def is_busy(error: FleetUnavailable) -> bool:
    """Whether a control plane that could not be used lives: it answered, that it is busy or has failed inside."""
    return error.answered or bool(error_code(error))


def at_once_again(look: Callable[[], Answer]) -> Answer:
    """A look; a second one where nobody answered the first and that was known at once. A connection that is refused or
    reset may be one of many; one that nobody answers for seconds is of a region that is silent, and is waited for once.

    Raises:
        FleetUnavailable, FleetRejected
    """
    started = time.monotonic()
    try:
        return look()
    except FleetUnavailable as error:
        if is_busy(error) or time.monotonic() > started + QUICK_S:
            raise
    return look()


def look_in_time(look: Callable[[], Answer], within: float) -> Answer:
    """A look as `at_once_again` has it, given up after `within` seconds: an API that hangs takes the SDK's patience,
    which whoever does not need the fleet has not. A look changes nothing, so one that ends later does no harm.

    Raises:
        FleetUnavailable, FleetRejected
    """
    pool = ThreadPoolExecutor(max_workers=1)
    answer = pool.submit(at_once_again, look)
    pool.shutdown(wait=False)
    wait([answer], timeout=within)
    if not answer.done():
        raise FleetUnavailable(f"no answer within {within:g} s")
    return answer.result()
