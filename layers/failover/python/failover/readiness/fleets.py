"""The fleets, wherever they stand: each is looked at, and judged by `gateways`."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from failover.errors import FailoverError
from failover.fleets import Instance
from failover.kafka.cluster import cluster_id
from failover.kafka.factory import as_client
from failover.plan.model import FENCED, Plan
from failover.readiness import Finding, gateways, unreadable
from failover.readiness.snapshot import PlanSnapshot


def routes(snapshot: PlanSnapshot) -> Iterator[Finding]:
    """A fleet that clients come through must lead to the active site; one of the standby may lead there, too."""
    carrying = snapshot.plan.carrying(snapshot.active)
    for where, location in snapshot.plan.locations.items():
        targets = (snapshot.active,) if where in carrying else (where, snapshot.active)
        for fleet in location.fleets:
            try:
                yield from gateways.route(fleet.name, snapshot.fleet(where, fleet.name), targets)
                yield from gateways.unobstructed(fleet.name, snapshot.fleet_obstacles(where, fleet.name))
            except FailoverError as error:
                yield unreadable(error)


def capacity(snapshot: PlanSnapshot) -> Iterator[Finding]:
    """Of a pair of sites each must carry all clients; what serves at all times, its own, with one instance less."""
    plan = snapshot.plan
    before, after = plan.carrying(snapshot.active), plan.carrying(snapshot.standby)
    of_active = tuple(i for where in before if where not in after for i in snapshot.instances(where))
    for where, location in {**before, **after}.items():
        if location.fleets:
            own = snapshot.instances(where)
            stays = where in before and where in after
            yield from gateways.capacity(where, own, gateways.needed(own if stays else of_active))


def instances(snapshot: PlanSnapshot) -> Iterator[Finding]:
    """Instances that will carry clients, as `verify` will ask them; others may be beyond the controller's reach."""
    named = [(where, fleet) for where, at in snapshot.plan.carrying(snapshot.standby).items() for fleet in at.fleets]
    for where, fleet in named:
        state = snapshot.fleet(where, fleet.name)
        if state.target not in (None, FENCED):
            clusters = _clusters_of(snapshot.plan, state.instances)
            yield from gateways.clusters(fleet.name, clusters, snapshot.cluster_id(str(state.target)))


def _clusters_of(plan: Plan, instances: tuple[Instance, ...]) -> dict[str, str | None]:
    def cluster_at(instance: Instance) -> str | None:
        try:
            return as_client(plan, instance.bootstrap, cluster_id) if instance.bootstrap else None
        except FailoverError:
            return None

    with ThreadPoolExecutor(max_workers=min(16, len(instances) or 1)) as pool:
        return dict(zip((instance.name for instance in instances), pool.map(cluster_at, instances), strict=True))
