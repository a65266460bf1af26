"""What the fields of a plan say of each other: each alone may be right, and together they can't be meant."""

from __future__ import annotations

from collections.abc import Iterator

from failover.plan.document import Problem
from failover.plan.model import FENCED, Plan, Site


def contradictions(plan: Plan) -> Iterator[Problem]:
    """Why a plan is refused though each of its fields is well-formed."""
    if plan.home not in plan.sites:
        yield "home", f"names no site of the plan: write {' or '.join(plan.sites)}"
    yield from _same_on_both_sites(plan)
    yield from _alarms(plan)
    for name, site in plan.sites.items():
        yield from _fleets(plan, name, site)
    if len({link.name for link in plan.links}) < len(plan.links):
        yield "links", "names one link twice"
    for field in ("controls", "endpoints", "alias_zones"):
        if (by_site := getattr(plan.dns, field, None)) and by_site.keys() != plan.sites.keys():
            yield f"dns.{field}", f"must name each site of the plan ({', '.join(plan.sites)}) and no other"


def _same_on_both_sites(plan: Plan) -> Iterator[Problem]:
    first, second = plan.sites
    if plan.sites[first].kafka.cluster_id == plan.sites[second].kafka.cluster_id:
        yield f"sites.{second}.kafka.cluster_id", f"is the cluster of site {first} too"
    if plan.sites[first].dns_target.rstrip(".") == plan.sites[second].dns_target.rstrip("."):
        yield f"sites.{second}.dns_target", f"is the target of site {first} too"


def _alarms(plan: Plan) -> Iterator[Problem]:
    owners: dict[str, str] = {}
    for name, site in plan.sites.items():
        for index, alarm in enumerate(site.alarms):
            if owner := owners.get(alarm.name):
                yield f"sites.{name}.alarms[{index}]", f"speaks for site {owner} too; an alarm has one site"
            owners[alarm.name] = name


def _fleets(plan: Plan, name: str, site: Site) -> Iterator[Problem]:
    for index, fleet in enumerate(site.fleets):
        field, routes, fenced = fleet.routes()
        yield from _routes(
            f"sites.{name}.fleets[{index}].{field}", routes, {*plan.sites} | ({FENCED} if fenced else set())
        )
    if len({fleet.name for fleet in site.fleets}) < len(site.fleets):
        yield f"sites.{name}.fleets", "has two fleets of one name"


def _routes(path: str, routes: dict[str, str], targets: set[str]) -> Iterator[Problem]:
    for missing in sorted(targets - routes.keys()):
        one_more = " and one that is fenced" if FENCED in targets else ""
        yield f"{path}.{missing}", f"is missing: a fleet needs one for each site{one_more}"
    for extra in sorted(routes.keys() - targets):
        yield f"{path}.{extra}", f"is none of {', '.join(sorted(targets))}"
    if len(set(routes.values())) < len(routes):
        yield path, "names one of them twice: a route could not be told from another"
