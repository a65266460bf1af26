"""Whether gateways stand where clients are led: what locations, fleets and the client hostname say of each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from failover.plan.location import Location
from failover.plan.model import FENCED, Plan
from failover.validation import is_address
from failover.wording import Problem

_POINTED_BY_CNAME: Final = ("route53-record", "cloud-dns")
"""Kinds of names of which the controller itself writes the record."""
_BY_LATENCY: Final = "dns.kind: route53-record with routing: latency"


def misplaced(plan: Plan) -> Iterator[Problem]:
    """Why clients could not come to the gateways of a plan, or would come to others."""
    for name in plan.fleets:
        if name in plan.sites:
            yield f"fleets.{name}", "is a site, too: give the place near the clients another name"
        elif name == FENCED:
            yield f"fleets.{name}", "is what a fleet is routed to that is fenced: give the place another name"
    yield from _without_clients(plan)
    yield from _of_two_locations(plan)
    for path, location in paths(plan):
        if location.dns_target and is_address(location.dns_target) and plan.dns.kind in _POINTED_BY_CNAME:
            yield (
                f"{path}.dns_target",
                f"is the address {location.dns_target}, and a CNAME leads to a name: write the load balancer's",
            )
        for index, fleet in enumerate(location.fleets):
            field, routes, fenced = fleet.routes()
            yield from _routes(
                f"{path}.fleets[{index}].{field}", routes, {*plan.sites} | ({FENCED} if fenced else set())
            )


def nearness(plan: Plan) -> Iterator[Problem]:
    """Gateways that are near the clients by name, and in a site's region: they are lost with it."""
    for name, location in plan.fleets.items():
        for site, described in plan.sites.items():
            if location.region == described.region:
                yield f"fleets.{name}.region", f"is site {site}'s, too: its gateways are lost with {location.region}"


def paths(plan: Plan) -> Iterator[tuple[str, Location]]:
    """Each location, and its path in the plan."""
    for field, locations in (("sites", plan.sites), ("fleets", plan.fleets)):
        yield from ((f"{field}.{name}", location) for name, location in locations.items())


def _without_clients(plan: Plan) -> Iterator[Problem]:
    """Gateways that no client is led to, and clients that are led to no gateway."""
    if plan.fleets and plan.dns.kind != "none" and not plan.dns.answers_every_location:
        yield "fleets", f"are led no clients by a name that leads to one site alone: write {_BY_LATENCY}"
    for path, location in paths(plan):
        is_site = path.startswith("sites.")
        if location.fleets and not location.dns_target:
            yield f"{path}.dns_target", "is missing: name the load balancer of its fleets"
        if not location.fleets and location.dns_target:
            yield f"{path}.fleets", f"is missing: there is nobody at {location.dns_target}; name them, or no dns_target"
        elif not location.fleets and not (is_site and plan.fleets):
            remedy = ", or name gateways near the clients in fleets" if is_site else ""
            yield f"{path}.fleets", f"is missing: name the gateways there{remedy}"
        if not location.fleets and is_site and plan.clients.canary_probe:
            yield "clients.canary_probe", f"writes through a site's own gateways, and {path} has none: write false"


def _of_two_locations(plan: Plan) -> Iterator[Problem]:
    """Targets and names that could not be told apart."""
    targets: dict[str, str] = {}
    fleets: dict[str, str] = {}
    serve_at_once = plan.dns.answers_every_location or bool(plan.fleets)
    for path, location in paths(plan):
        kind, _, name = path.partition(".")
        where = f"site {name}" if kind == "sites" else name
        if location.dns_target:
            if owner := targets.get(target := location.dns_target.lower().rstrip(".")):
                yield f"{path}.dns_target", f"is the target of {owner} too"
            targets[target] = where
        if len({fleet.name for fleet in location.fleets}) < len(location.fleets):
            yield f"{path}.fleets", "has two fleets of one name"
        for index, fleet in enumerate(location.fleets if serve_at_once else ()):
            if (owner := fleets.get(fleet.name, where)) != where:
                yield f"{path}.fleets[{index}].name", f"is a fleet of {owner} too: all of them serve at once"
            fleets[fleet.name] = where


def _routes(path: str, routes: dict[str, str], targets: set[str]) -> Iterator[Problem]:
    for missing in sorted(targets - routes.keys()):
        one_more = " and one that is fenced" if FENCED in targets else ""
        yield f"{path}.{missing}", f"is missing: a fleet needs one for each site{one_more}"
    for extra in sorted(routes.keys() - targets):
        yield f"{path}.{extra}", f"is none of {', '.join(sorted(targets))}"
    if len(set(routes.values())) < len(routes):
        yield path, "names one of them twice: a route could not be told from another"
