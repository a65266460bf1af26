"""The plan: two sites, the links between them, the name clients know, and the policy. One YAML document.

The README's "The plan" section describes every field. `parse` turns a YAML text into a `Plan` or raises one `BadPlan`
that names every wrong field by its path.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import yaml
from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from failover.errors import BadPlan, UnknownSite
from failover.plan.base import Endpoint, Host, Name, Part
from failover.plan.client_name import NAME_KINDS, ClientNameConfig
from failover.plan.fleets import FLEET_KINDS, FleetConfig
from failover.plan.policy import Policy

FENCED: Final = "fenced"


class Kafka(Part):
    """A site's Kafka cluster. `credentials` names a secret in the controller's region (see `failover.aws.secrets`)."""

    cluster_id: str = Field(min_length=1)
    bootstrap: Endpoint
    rest_endpoint: str = Field(pattern=r"^https?://[^/\s]+$")
    credentials: str | None = None
    security_protocol: Literal["SASL_SSL", "SSL", "PLAINTEXT"] = "SASL_SSL"


class Alarm(Part):
    """A CloudWatch alarm, by its name alone or with `vantage`: where from it sees the site, by default its own region.
    Alarms and probes of one vantage point may be wrong together."""

    name: str = Field(min_length=1)
    vantage: str | None = Field(default=None, min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _by_its_name(cls, given: Any) -> Any:
        return {"name": given} if isinstance(given, str) else given


class Site(Part):
    """One side of the plan. `alarms` are the CloudWatch alarms that speak for or against it."""

    region: str = Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")
    kafka: Kafka
    fleets: tuple[FleetConfig, ...] = Field(min_length=1)
    dns_target: Host
    alarms: tuple[Alarm, ...] = ()


class Link(Part):
    """A cluster link, of the same name on both clusters; the standby holds the mirrors."""

    name: str = Field(min_length=1)


class Protect(Part):
    """What the standby must have. `groups`: consumer groups whose offsets are synced and checked; `topics`: topics that
    must have a mirror, by name; empty: every topic of the active cluster that is not internal; `acls`: whether the ACLs
    must be the same."""

    groups: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    acls: bool = False


class Clients(Part):
    """How `verify` goes the way a client goes. `canary_probe`: whether every look at the sites goes it, too, with a
    record each."""

    credentials: str | None = None
    security_protocol: Literal["SASL_SSL", "SSL", "PLAINTEXT"] = "SASL_SSL"
    canary_topic: str = Field(default="failover-canary", min_length=1)
    canary_probe: bool = False


class Plan(Part):
    """A whole plan. Its name is its key everywhere. `anchors`: endpoints outside of both sites; a vantage point that
    does not reach most of them is cut off itself."""

    name: Name
    hostname: Host
    bootstrap: Endpoint
    home: str
    sites: dict[Name, Site] = Field(min_length=2, max_length=2)
    links: tuple[Link, ...] = Field(min_length=1)
    protect: Protect = Protect()
    anchors: tuple[Endpoint, ...] = ()
    dns: ClientNameConfig
    clients: Clients = Clients()
    policy: Policy = Policy()

    def site(self, name: str) -> Site:
        """The site of that name.

        Raises:
            UnknownSite: if the plan has none.
        """
        try:
            return self.sites[name]
        except KeyError:
            raise UnknownSite(
                f"plan {self.name!r} has no site {name!r}; its sites are {' and '.join(sorted(self.sites))}"
            ) from None

    def other(self, name: str) -> str:
        """The name of the other site.

        Raises:
            UnknownSite: if the plan has no site `name`.
        """
        self.site(name)
        return next(site for site in self.sites if site != name)

    def site_of_alarm(self, alarm: str) -> str | None:
        """The name of the site that the alarm speaks for, or None."""
        return next((site for site, named in self._alarms() if named.name == alarm), None)

    def vantage_of_alarm(self, alarm: str, region: str) -> str:
        """Where from an alarm of that region sees its site."""
        return next((named.vantage for _, named in self._alarms() if named.name == alarm), None) or region

    def _alarms(self) -> Iterator[tuple[str, Alarm]]:
        return ((name, alarm) for name, site in self.sites.items() for alarm in site.alarms)


def parse(text: str, name: str = "?") -> Plan:
    """The plan in a YAML document.

    Raises:
        BadPlan: naming every wrong field by its path.
    """
    try:
        document = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
    except yaml.YAMLError as error:
        raise BadPlan(name, [("(document)", f"is not YAML: {' '.join(str(error).split())}")]) from None
    if not isinstance(document, dict):
        raise BadPlan(name, [("(document)", "must be a mapping")])
    name = str(document.get("name", name))
    try:
        plan = Plan.model_validate(document)
    except ValidationError as error:
        problems = [(_path(problem["loc"]), _said(dict(problem))) for problem in _causes(error)]
        raise BadPlan(name, problems) from None
    if problems := list(_contradictions(plan)):
        raise BadPlan(name, problems)
    return plan


def load_plan(path: Path) -> Plan:
    """The plan in a YAML file.

    Raises:
        BadPlan: naming every wrong field by its path.
    """
    return parse(path.read_text(), path.stem)


@functools.lru_cache(maxsize=128)
def parse_cached(text: str, name: str) -> Plan:
    """As `parse`, once for each text: a warm function reads its plan for nothing."""
    return parse(text, name)


def _contradictions(plan: Plan) -> Iterator[tuple[str, str]]:
    if plan.home not in plan.sites:
        yield "home", f"names no site of the plan ({', '.join(plan.sites)})"
    owners: dict[str, str] = {}
    for name, site in plan.sites.items():
        yield from _contradictions_of_fleets(plan, name, site)
        for index, alarm in enumerate(site.alarms):
            if other := owners.get(alarm.name):
                yield f"sites.{name}.alarms[{index}]", f"speaks for site {other} too; an alarm has one site"
            owners[alarm.name] = name
    if len({link.name for link in plan.links}) < len(plan.links):
        yield "links", "names one link twice"
    yield from _same_on_both_sites(plan)
    for field in ("controls", "endpoints", "alias_zones"):
        if (by_site := getattr(plan.dns, field, None)) and by_site.keys() != plan.sites.keys():
            yield f"dns.{field}", f"must name each site of the plan ({', '.join(plan.sites)}) and no other"


def _contradictions_of_fleets(plan: Plan, name: str, site: Site) -> Iterator[tuple[str, str]]:
    for index, fleet in enumerate(site.fleets):
        field, given, fenced = fleet.routes()
        routes = {*plan.sites} | ({FENCED} if fenced else set())
        yield from _wrong_routes(f"sites.{name}.fleets[{index}].{field}", given, routes)
    if len({fleet.name for fleet in site.fleets}) < len(site.fleets):
        yield f"sites.{name}.fleets", "has two fleets of one name"


def _same_on_both_sites(plan: Plan) -> Iterator[tuple[str, str]]:
    first, second = plan.sites
    if plan.sites[first].kafka.cluster_id == plan.sites[second].kafka.cluster_id:
        yield f"sites.{second}.kafka.cluster_id", f"is the cluster of site {first} too"
    if plan.sites[first].dns_target.rstrip(".") == plan.sites[second].dns_target.rstrip("."):
        yield f"sites.{second}.dns_target", f"is the target of site {first} too"


def _wrong_routes(path: str, given: dict[str, str], wanted: set[str]) -> Iterator[tuple[str, str]]:
    for missing in sorted(wanted - given.keys()):
        one_more = " and one that is fenced" if FENCED in wanted else ""
        yield f"{path}.{missing}", f"is missing: a fleet needs one for each site{one_more}"
    for extra in sorted(given.keys() - wanted):
        yield f"{path}.{extra}", f"is none of {', '.join(sorted(wanted))}"
    if len(set(given.values())) < len(given):
        yield path, "names one of them twice: a route could not be told from another"


def _causes(error: ValidationError) -> Iterator[ErrorDetails]:
    """The problems, without those that only follow from a problem deeper down."""
    problems = error.errors()
    for problem in problems:
        depth = len(problem["loc"])
        if not any(len(p["loc"]) > depth and p["loc"][:depth] == problem["loc"] for p in problems):
            yield problem


def _path(location: tuple[str | int, ...]) -> str:
    path = ""
    for before, part in zip((None, *location), location, strict=False):
        kind = (isinstance(before, int) and part in FLEET_KINDS) or (before == "dns" and part in NAME_KINDS)
        if part == "[key]" or kind:  # which kind it is, is no field
            continue
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path or "(document)"


def _said(problem: dict[str, Any]) -> str:
    match problem["type"]:
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return "is no field of a plan"
        case _:
            shown = problem["input"]
            return f"{problem['msg']}" + (f", not {shown!r}" if isinstance(shown, str | int | float | None) else "")
