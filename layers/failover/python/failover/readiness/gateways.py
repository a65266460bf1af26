"""The gateway fleets: where they are routed, whether they could carry all clients with one instance or zone less, and
whether the instances really are on the cluster they should be on. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from failover.errors import Obstacle
from failover.fleets import FleetState, Instance
from failover.plan.policy import Policy
from failover.readiness import Finding, fail, listed, ok, unknown, warn

SIZE_OLD_S: Final = 86_400.0


def route(name: str, state: FleetState, targets: tuple[str, ...]) -> Iterator[Finding]:
    """Whether a fleet is routed to one of `targets`. The active site's must be routed to it; the standby's may be
    routed to its own cluster already, or to the active one."""
    if state.target not in targets:
        yield fail(
            f"fleet {name} is routed to {state.target or 'a configuration that the plan does not name'}",
            f"route it to {' or '.join(targets)}, or correct its routes in the plan",
        )
    elif state.refused_because is not None:
        yield fail(f"fleet {name} was refused its route: {state.refused_because}", "mend what its control plane names")
    elif state.stalled_because is not None:
        yield fail(f"fleet {name} does not settle: {state.stalled_because}", f"route it to {state.target} again")
    elif not state.settled:
        yield warn(
            f"fleet {name} is on its way to {state.target}: {state.detail}", "let its deployment end, or mend it"
        )
    else:
        yield ok(f"fleet {name} is routed to {state.target}: {state.detail}")


def unobstructed(name: str, obstacles: Iterable[Obstacle]) -> Iterator[Finding]:
    """Whether anything would keep a fleet from being routed."""
    for obstacle in obstacles:
        yield fail(f"fleet {name}: {obstacle.what}", obstacle.remedy)


def capacity(site: str, instances: tuple[Instance, ...], needed: int) -> Iterator[Finding]:
    """Whether a site's fleets could carry all clients, with one instance to spare, in more than one zone. `needed`: how
    many instances all clients need."""
    count, zones = len(instances), {instance.zone for instance in instances}
    named_zones = sorted(zone for zone in zones if zone)
    where = f"in {len(named_zones)} zones ({', '.join(named_zones)})" if named_zones else "in zones that are not told"
    fact = f"{site} has {count:,} healthy instances {where}; {needed:,} are needed"
    grow = "raise the desired count of its fleets"
    if count < needed:
        yield fail(fact, f"{grow}: they could not carry all clients")
    elif count == needed:
        yield warn(f"{fact}, none to spare", f"{grow}: it must survive the loss of an instance, too")
    elif None in zones:
        yield warn(fact, "the loss of a zone can't be judged: see where its instances run")
    elif len(named_zones) < 2:
        yield warn(fact, "spread its fleets over two zones or more")
    elif (least := count - max(sum(i.zone == zone for i in instances) for zone in named_zones)) < needed:
        yield warn(f"{fact}, {least} are left without the fullest zone", grow)
    else:
        yield ok(fact)


def size_recorded(name: str, recorded_at: float | None, now: float) -> Iterator[Finding]:
    """Whether it is known how large a fleet is that carries clients. `recorded_at`: when it was last seen well."""
    if recorded_at is None:
        yield unknown(
            f"fleet {name} was never seen well: how many instances clients need is not known",
            "let it settle, routed to the active site",
        )
    elif now - recorded_at > SIZE_OLD_S:
        yield warn(
            f"how large fleet {name} is was last seen {now - recorded_at:,.0f} s ago",
            "see why it is not settled, routed to the active site",
        )


def size(name: str, state: FleetState, needed: int | None, policy: Policy) -> Iterator[Finding]:
    """Whether a fleet is asked for as many instances as clients need that come to it, or a failover has to raise it."""
    fact = f"fleet {name} is asked for {state.size} instances"
    if state.size is None:
        yield unknown(f"nothing tells how many instances fleet {name} is asked for", "look at the fleet")
    elif needed is None:
        yield unknown(f"{fact}, and how many clients need is not known", "see the fleets that clients come through")
    elif state.size >= needed:
        yield ok(f"{fact}; {needed} are needed")
    elif policy.on_smaller_fleet == "raise":
        yield warn(
            f"{fact}, and {needed} are needed: a failover asks for them first, and waits up to"
            f" {policy.capacity_timeout_seconds} s",
            "raise its desired count now: on the day, others ask for what is left of the region, too",
        )
    else:
        yield warn(
            f"{fact}, and {needed} are needed: a failover leaves it as it is",
            "raise its desired count, or write policy.on_smaller_fleet: raise",
        )


def needed(active: tuple[Instance, ...]) -> int:
    """How many instances all clients need: what the active site has now, less the one it has to spare."""
    return max(1, len(active) - 1)


def clusters(fleet: str, by_instance: Mapping[str, str | None], expected: str) -> Iterator[Finding]:
    """Whether each instance of a fleet is on the wanted cluster, by asking it. `found`: the cluster by instance; None
    where the instance was reached by no way."""
    wrong = [f"{name} is on {cluster}" for name, cluster in by_instance.items() if cluster not in (expected, None)]
    mute = [name for name, cluster in by_instance.items() if cluster is None]
    right = sum(cluster == expected for cluster in by_instance.values())
    if wrong:
        yield fail(f"fleet {fleet}: {listed(wrong)}, not {expected}", "replace those instances")
    if mute:
        yield unknown(
            f"fleet {fleet}: {listed(mute)} could not be asked",
            "let the controller reach each instance on its route's port: verify has to ask them, too",
        )
    if not by_instance:
        yield unknown(f"fleet {fleet} has no instance to ask", "look at the fleet")
    if right:
        yield ok(f"fleet {fleet}: {right:,} instances are on {expected}")
