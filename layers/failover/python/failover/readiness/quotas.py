"""What AWS lets the account have, and what of it a failover would need. What of that can't be read, for want of a right
or of a network, is `unknown`; what no failover needs is a warning at most."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from failover.errors import FailoverError
from failover.execution.fleet_sizes import SavedSize
from failover.plan.fleets import EcsBlueGreenFleet, EcsFleet
from failover.readiness import Finding, fail, ok, unknown, warn
from failover.readiness.fleets import needed_instances, saved_sizes
from failover.readiness.snapshot import PlanSnapshot

ROLES_TO_SPARE: Final = 40
"""What a controller's stack has, more or less: with fewer no second one can be deployed."""
HEALTH_CHECKS_TO_SPARE: Final = 2
"""What one more plan has whose name goes by them."""


def quotas(snapshot: PlanSnapshot) -> Iterator[Finding]:
    """Fargate where the fleets are that take over, Route 53's health checks, and roles; each by itself."""
    for look, unread in ((_fargate, unknown), (_health_checks, warn), (_roles, warn)):
        try:
            yield from look(snapshot)
        except FailoverError as error:
            yield unread(str(error), "allow the controller to read it, or look in Service Quotas yourself")


def fargate(where: str, limit: float, needed: float) -> Iterator[Finding]:
    """Whether the account may have as many vCPU on Fargate in a region as a location's fleets need; its other tasks
    there are in the same limit (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html)."""
    fact = f"{where}: its fleets need {needed:g} of the {limit:g} vCPU that the account may have on Fargate there"
    remedy = "ask AWS for more: Service Quotas, Fargate On-Demand vCPU resource count"
    if limit < needed:
        yield fail(fact, remedy)
    elif limit < 2 * needed:
        yield warn(f"{fact}, and other tasks are in that, too", remedy)
    else:
        yield ok(fact)


def used(what: str, count: int, limit: int, spare: int) -> Iterator[Finding]:
    """Whether some are free of what an account may have so many of."""
    fact = f"the account has {count:,} of {limit:,} {what}"
    if limit - count < spare:
        yield warn(fact, f"ask AWS for more {what}, or remove some")
    else:
        yield ok(fact)


def _fargate(snapshot: PlanSnapshot) -> Iterator[Finding]:
    runs = False
    for where, location in snapshot.plan.carrying(snapshot.standby).items():
        fleets = [fleet for fleet in location.fleets if isinstance(fleet, EcsFleet | EcsBlueGreenFleet)]
        saved = saved_sizes(snapshot) if fleets else {}
        if vcpu := sum(_vcpu(snapshot, where, fleet, saved) for fleet in fleets):
            runs = True
            yield from fargate(where, snapshot.fargate_limit(where), vcpu)
    if not runs:
        yield ok("no fleet that takes over runs on Fargate")


def _vcpu(
    snapshot: PlanSnapshot, where: str, fleet: EcsFleet | EcsBlueGreenFleet, saved: Mapping[str, SavedSize]
) -> float:
    """Of all tasks that a fleet will have; those of both colours, where it has two."""
    needed = needed_instances(snapshot, where, fleet.name, saved)
    instances = max(snapshot.fleet(where, fleet.name).size or 0, needed or 0)
    colours = len(fleet.services) if isinstance(fleet, EcsBlueGreenFleet) else 1
    return instances * colours * snapshot.vcpu_on_fargate(where, fleet.task_definitions[snapshot.standby])


def _health_checks(snapshot: PlanSnapshot) -> Iterator[Finding]:
    yield from used("health checks", *snapshot.health_checks(), HEALTH_CHECKS_TO_SPARE)


def _roles(snapshot: PlanSnapshot) -> Iterator[Finding]:
    yield from used("roles", *snapshot.roles(), ROLES_TO_SPARE)
