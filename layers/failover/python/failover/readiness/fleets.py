"""The fleets, wherever they stand: each is looked at, and judged by `gateways`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from failover.errors import FailoverError
from failover.execution.fleet_sizes import SavedSize, load_fleet_sizes, save_fleet_sizes
from failover.fleets import Instance
from failover.fleets.size import Size, needed_by, size_of, zones_of
from failover.kafka.cluster import cluster_id
from failover.kafka.factory import as_client
from failover.plan.model import FENCED, Plan
from failover.readiness import Finding, gateways, ok, unreadable
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


def sizes(snapshot: PlanSnapshot) -> Iterator[Finding]:
    """Whether each fleet that clients would come to is as large as those they come from; keeps how large those are."""
    plan, now = snapshot.plan, snapshot.now
    leaving, joining = _leaving(snapshot), plan.carrying_only(snapshot.standby)
    save_fleet_sizes(snapshot.book, plan.name, _sizes_of_well_fleets(snapshot, leaving), now)
    saved = saved_sizes(snapshot)
    for _, name in leaving:
        yield from gateways.size_recorded(name, saved[name].at if name in saved else None, now)
    for where, at in joining.items():
        for fleet in at.fleets:
            try:
                needed = needed_instances(snapshot, where, fleet.name, saved)
                yield from gateways.size(fleet.name, snapshot.fleet(where, fleet.name), needed, plan.policy)
            except FailoverError as error:
                yield unreadable(error)
    if not (plan.carrying_only(snapshot.active) or joining):
        yield ok("clients come through the same fleets before and after a failover")


def saved_sizes(snapshot: PlanSnapshot) -> dict[str, SavedSize]:
    """How large the fleets were that clients come from, by name, when they were last seen well."""
    return load_fleet_sizes(snapshot.book, snapshot.plan.name, _leaving(snapshot))


def needed_instances(snapshot: PlanSnapshot, where: str, name: str, saved: Mapping[str, SavedSize]) -> int | None:
    """How many instances a fleet needs that clients would come to; None: nobody knows, or they come to it now, too."""
    at = snapshot.plan.carrying_only(snapshot.standby).get(where)
    if at is None:
        return None
    sizes = {of: record.size for of, record in saved.items()}
    otherwise = max((size.zones for size in sizes.values()), default=0)
    zones = zones_of(snapshot.fleet(where, name).instances, otherwise)
    return needed_by(name, zones, frozenset(fleet.name for fleet in at.fleets), sizes)


def _leaving(snapshot: PlanSnapshot) -> list[tuple[str, str]]:
    """The fleets that clients come from, by location and name."""
    leaving = snapshot.plan.carrying_only(snapshot.active)
    return [(where, fleet.name) for where, at in leaving.items() for fleet in at.fleets]


def _sizes_of_well_fleets(snapshot: PlanSnapshot, fleets: list[tuple[str, str]]) -> dict[tuple[str, str], Size]:
    """Those that can't be looked at, or are not well, are not among them."""
    sizes = {}
    for where, name in fleets:
        try:
            state = snapshot.fleet(where, name)
        except FailoverError:
            continue
        if state.settled and state.target == snapshot.active and (size := size_of(state)) is not None:
            sizes[where, name] = size
    return sizes


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
