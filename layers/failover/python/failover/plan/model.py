"""The plan: two sites, the links between them, the name clients know, and the policy. One YAML document.

docs/plan.md describes every field. `parse` turns a YAML text into a `Plan` or raises one `BadPlan` that names every
wrong field by its path.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, ValidationError

from failover.errors import BadPlan, UnknownSite
from failover.plan.base import ClientHostname, Endpoint, Label, Name, Origin, PlanModel, Region, Topic, form
from failover.plan.beside import Api, Beside, Connect, RoleBindings, SchemaRegistry
from failover.plan.client_name import ClientNameConfig
from failover.plan.document import read_document
from failover.plan.hooks import Hook
from failover.plan.location import Location
from failover.plan.policy import Policy
from failover.plan.practice import PracticeSchedule
from failover.plan.renamed import with_new_names
from failover.plan.rescue import Rescue
from failover.plan.role import Role
from failover.wording import problems_of

FENCED: Final = "fenced"
ALARMED: Final = ("kafka", "gateway")
"""The services on which a plan's small stack has alarms."""
ROUTE53_REGION: Final = "us-east-1"
"""Where the metrics of Route 53's health checks are, and so the alarms on them
(https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/monitoring-health-checks.html)."""


class Kafka(PlanModel):
    """A site's Kafka cluster."""

    cluster_id: Label
    """Its id, as Kafka itself tells it: `lkc-…`."""
    bootstrap: Endpoint
    """What a Kafka client of the controller connects to."""
    rest_endpoint: Origin
    """Where its REST API answers."""
    credentials: Label | None = None
    """The name of a secret in the controller's region, of a resource API key or an OAuth client; it serves REST and
    Kafka."""
    role: Role | None = None
    """A role that is taken on to read that secret."""
    security_protocol: Literal["SASL_SSL", "SSL", "PLAINTEXT"] = "SASL_SSL"
    """How a Kafka client of the controller speaks to it."""


class Alarm(PlanModel):
    """A CloudWatch alarm that speaks for or against a site: its name alone, or with more of it."""

    name: Label
    """The alarm's name in CloudWatch."""
    vantage: Label | None = None
    """Where from it sees the site; by default its own region. Alarms and probes of one vantage point may be wrong
    together."""
    region: Region | None = None
    """Where it lives; by default in one of `Plan.alarm_regions`."""


def _by_its_name(alarm: Any) -> Any:
    return {"name": alarm} if isinstance(alarm, str) else alarm


class Site(Location):
    """One side of the plan."""

    kafka: Kafka
    """Its Kafka cluster."""
    schema_registry: SchemaRegistry | None = None
    """Its Schema Registry, which readiness looks at."""
    connect: Connect | None = None
    """Its Connect cluster, which readiness looks at."""
    role_bindings: RoleBindings | None = None
    """Where the role bindings of its cluster are told, which readiness looks at."""
    alarms: tuple[Annotated[Alarm, BeforeValidator(_by_its_name, json_schema_input_type=str | Alarm)], ...] = ()
    """The CloudWatch alarms that speak for or against it, by name, or as `name` with more of it."""


class Link(PlanModel):
    """A cluster link, of the same name on both clusters; the standby holds the mirrors."""

    name: Label
    """Its name on both clusters; its mirrors have no prefix."""


class Protect(PlanModel):
    """What the standby must have."""

    groups: tuple[Label, ...] = ()
    """Consumer groups whose offsets must be synced; they are checked after promotion, and by policy clamped."""
    topics: tuple[Topic, ...] = ()
    """Topics that must have a mirror; none named: every topic of the active cluster that is not internal."""
    acls: bool = False
    """Whether both clusters must have the same ACLs; if not, a difference is a warning."""


class Clients(PlanModel):
    """How `verify` goes the way a client goes."""

    credentials: Label | None = None
    """The name of a secret in the controller's region, of credentials that a client of the gateways may use for the
    canary topic."""
    role: Role | None = None
    """A role that is taken on to read that secret."""
    security_protocol: Literal["SASL_SSL", "SSL", "PLAINTEXT"] = "SASL_SSL"
    """How clients speak to the gateways."""
    canary_topic: Topic = "failover-canary"
    """Where the canary records go; it is on both clusters, and no mirror."""
    canary_probe: bool = False
    """Whether every look at the sites writes and reads a record through their gateways, too; then a cluster that
    answers and takes no records counts as lost."""


Operator = Annotated[
    str, form(r"^(\*|arn:[^\s]+)$", "the ARN of a caller, or a pattern of it: * stands for any text, ? for a character")
]


class Objectives(PlanModel):
    """What the plan aims at: every report is held to it."""

    rto_seconds: int | None = Field(default=None, ge=1)
    """How long clients may be without a cluster that they can work on."""
    rpo_records: int | None = Field(default=None, ge=0)
    """How many records may be stranded on the lost site."""


class Plan(PlanModel):
    """A whole plan."""

    name: Name
    """Its key everywhere."""
    hostname: ClientHostname
    """The DNS name that is flipped, lower case and without a last dot."""
    bootstrap: Endpoint
    """What clients have as `bootstrap.servers`: the hostname with a port."""
    home: str
    """The site that is active before the first failover."""
    sites: dict[Name, Site] = Field(min_length=2, max_length=2)
    """The two sites, by name."""
    fleets: dict[Name, Location] = Field(default_factory=dict)
    """Where gateways stand near the clients, of no site, by name; they lead to the active site, whichever that is."""
    links: tuple[Link, ...] = Field(min_length=1)
    """The cluster links between them."""
    protect: Protect = Protect()
    """What the standby must have."""
    unused: tuple[Beside, ...] = ()
    """What clients do without of what stands beside the topics: readiness calls unknown what is neither named at the
    sites nor here."""
    vantage_points: tuple[Label, ...] = ()
    """Whose observations count; those of others are no votes. Where none is named everybody's count."""
    anchors: tuple[Endpoint, ...] = ()
    """Endpoints outside of both sites; a vantage point that does not reach most of them is cut off itself, and no
    vote."""
    dns: ClientNameConfig
    """How the client hostname is held."""
    clients: Clients = Clients()
    """How `verify` goes the way a client goes."""
    rescue: Rescue | None = None
    """Where stranded records are kept before they are truncated. Without it nothing is restored that would truncate
    any."""
    operators: tuple[Operator, ...] = ()
    """Who may put, start, abort, answer and pause at the controller's URL, as IAM verifies the caller: ARNs, or
    patterns of them; a role's are `arn:aws:sts::<account>:assumed-role/<role>/*`. None named: everybody whom IAM lets
    ask."""
    objectives: Objectives = Objectives()
    """What every failover is measured by; nothing is decided by it."""
    hooks: tuple[Hook, ...] = Field(default=(), max_length=10)
    """Functions of yours that are called at turns of a failover and a switchover."""
    practice: PracticeSchedule | None = None
    """When a switchover and back is practised by itself; without it, only by hand."""
    policy: Policy = Policy()
    """When the controller may act by itself, and whose word counts."""

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

    @property
    def logins(self) -> tuple[Kafka | Clients | Api, ...]:
        """Whatever the controller has credentials for."""
        sites = self.sites.values()
        beside = (api for site in sites for api in (site.schema_registry, site.connect, site.role_bindings) if api)
        return (*(site.kafka for site in sites), *beside, self.clients)

    @property
    def locations(self) -> dict[str, Location]:
        """Wherever gateways may stand: the sites, and the places near the clients."""
        return {**self.sites, **self.fleets}

    def location(self, name: str) -> Location:
        """The location of that name.

        Raises:
            UnknownSite: if the plan has none.
        """
        return self.fleets.get(name) or self.site(name)

    def carrying(self, active: str) -> dict[str, Location]:
        """The locations that clients come through while that site is active."""
        if self.dns.answers_every_location:
            return self.locations
        return {active: self.site(active), **self.fleets}

    def carrying_only(self, active: str) -> dict[str, Location]:
        """Those of them that clients come through while that site is active, and not while the other one is."""
        others = self.carrying(self.other(active))
        return {name: location for name, location in self.carrying(active).items() if name not in others}

    def first_route(self, location: str) -> str:
        """The site that a location's fleets lead to before the first failover: its own, if no client comes to them."""
        return self.home if location in self.carrying(self.home) else location

    @property
    def alarm_regions(self) -> frozenset[str]:
        """Where alarms of the plan live that don't say where: with the sites, with who watches them, with Route 53."""
        return frozenset({*(site.region for site in self.sites.values()), *self.vantage_points, ROUTE53_REGION})

    @property
    def alarms_by_region(self) -> dict[str, list[str]]:
        """The names of its alarms, in every region where they may live."""
        by_region: dict[str, list[str]] = {}
        for _, alarm in self._alarms():
            for region in [alarm.region] if alarm.region else sorted(self.alarm_regions):
                by_region.setdefault(region, []).append(alarm.name)
        return by_region

    def site_of_alarm(self, alarm: str, region: str) -> str | None:
        """The name of the site that the alarm of that region speaks for, or None."""
        return next(
            (
                site
                for site, named in self._alarms()
                if named.name == alarm and region in ({named.region} if named.region else self.alarm_regions)
            ),
            None,
        )

    def trusts(self, vantage: str) -> bool:
        """Whether what is seen from that vantage point counts."""
        return not self.vantage_points or vantage in self.vantage_points

    def vantage_of_alarm(self, alarm: str, region: str) -> str:
        """Where from an alarm of that region sees its site."""
        return next((named.vantage for _, named in self._alarms() if named.name == alarm), None) or region

    def alarmed_services(self, site: str) -> frozenset[str]:
        """The services of a site whose alarm in the plan's small stack (command/alarms.yaml) the plan names. Only they
        have a metric: each one costs, and nobody else reads it."""
        named = {alarm.name for alarm in self.site(site).alarms}
        return frozenset(service for service in ALARMED if f"failover-{self.name}-{site}-{service}" in named)

    @property
    def has_alarms(self) -> bool:
        """Whether it names an alarm of its small stack, and so has one."""
        return any(self.alarmed_services(site) for site in self.sites)

    def _alarms(self) -> Iterator[tuple[str, Alarm]]:
        return ((name, alarm) for name, site in self.sites.items() for alarm in site.alarms)


def parse(text: str, name: str = "?") -> Plan:
    """The plan in a YAML document.

    Raises:
        BadPlan: naming every wrong field by its path.
    """
    # Not at the top: the rules know the model.
    from failover.plan.consistency import contradictions

    document = read_document(text)
    name = str(document.content.get("name", name))
    if document.problems:
        raise BadPlan(name, list(document.problems))
    content = with_new_names(document.content)
    try:
        # As JSON: of Python's own values, a strict model takes no list for a tuple.
        plan = Plan.model_validate_json(json.dumps(content))
    except ValidationError as error:
        raise BadPlan(name, problems_of(error, content, Plan)) from None
    if problems := list(contradictions(plan)):
        raise BadPlan(name, problems)
    return plan


def load_plan(path: Path) -> Plan:
    """The plan in a YAML file.

    Raises:
        BadPlan: naming every wrong field by its path.
    """
    return parse(path.read_text(), path.stem)


@functools.lru_cache(maxsize=1024)
def parse_cached(text: str, name: str) -> Plan:
    """As `parse`, once for each text: a warm function reads its plan for nothing."""
    return parse(text, name)
