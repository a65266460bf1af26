"""How the client hostname is held: what a plan's `dns` may be. One class a kind, told apart by `kind`."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from failover.plan.base import Label, Name, NameServer, PlanModel, PublicUrl, Region, Url, form
from failover.plan.role import Role

ZoneId = Annotated[str, form(r"^[A-Z0-9]{1,32}$", "the id of a hosted zone, such as Z0123456789ABC")]
Seconds = Annotated[int, Field(ge=0, le=300)]


class DnsVerification(PlanModel):
    """What every kind of name has: how a flip is proven."""

    nameservers: tuple[NameServer, ...] = ()
    """Who is asked whether the new target is answered; by default those of the zone. Those of a private zone answer
    nobody: then it is the resolver of the functions' VPC, with which the zone must be associated."""
    resolvers: tuple[NameServer, ...] = ()
    """Who is asked, too, once they do, as clients are; what they still remember is told, and not waited for."""

    @property
    def ttl_seconds(self) -> int | None:
        """The longest time in seconds that a resolver may keep an answer; None if that is nobody's to choose."""
        return getattr(self, "ttl", None)

    @property
    def answers_every_location(self) -> bool:
        """Whether it leads to every location at all times, each client to one of those that are well: then nothing is
        flipped."""
        return False


class Route53Record(DnsVerification):
    """Records of a Route 53 zone that are changed by UPSERT."""

    kind: Literal["route53-record"]
    """Records of a Route 53 zone."""
    role: Role | None = None
    """A role that is taken on to look at the name and to change it."""
    hosted_zone_id: ZoneId
    """Of the client hostname."""
    type: Literal["CNAME", "alias"] = "CNAME"
    """`CNAME`, or `alias`: an A record of the load balancers."""
    routing: Literal["simple", "weighted", "failover", "latency"] = "simple"
    """`simple`: one record; `weighted` and `failover`: one for each site, of any set identifier; `latency`: one for
    each location, with a health check. Then all serve at all times, and nothing is flipped."""
    ttl: Seconds = 1
    """For how long, in seconds, a resolver may keep an answer."""
    alias_zones: dict[Name, ZoneId] = Field(default_factory=dict)
    """The load balancers' zones by site, or by location, for `type: alias`."""

    @property
    def answers_every_location(self) -> bool:
        """By latency."""
        return self.routing == "latency"

    @property
    def ttl_seconds(self) -> int | None:
        """An alias has the TTL of what it stands for."""
        return None if self.type == "alias" else self.ttl

    @model_validator(mode="after")
    def _alias_zones_for_aliases(self) -> Route53Record:
        if (self.type == "alias") != bool(self.alias_zones):
            raise ValueError("alias_zones has the load balancers' zones by site, for type: alias and for nothing else")
        return self


class Beacon(PlanModel):
    """An S3 object that is there while clients are to be led away from the home site."""

    bucket: str = form(r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", "the name of an S3 bucket")
    """Its bucket."""
    key: str = form(r"^[A-Za-z0-9._/-]+$", "a key of letters, digits, ., _, / and -", max_length=255)
    """Its key there."""
    region: Region
    """Where the bucket is."""
    url: PublicUrl | None = None
    """Where Route 53's checkers ask for it; by default its own address."""

    @property
    def address(self) -> str:
        """What a checker asks for."""
        return self.url or f"https://{self.bucket}.s3.{self.region}.amazonaws.com/{self.key}"


class Route53HealthCheck(DnsVerification):
    """A failover pair of records; the home site's, PRIMARY, has a health check that is inverted: it fails while one of
    the beacons is there. Only beacons are changed: no control plane of Route 53 is needed."""

    kind: Literal["route53-health-check"]
    """A failover pair of records with a health check."""
    role: Role | None = None
    """A role that is taken on to look at the name and to change it."""
    hosted_zone_id: ZoneId
    """Of the client hostname."""
    beacons: tuple[Beacon, ...] = Field(min_length=1, max_length=4)
    """One a region; any one that can be written is enough."""
    ttl: Seconds = 1
    """For how long, in seconds, a resolver may keep an answer."""


class ClusterEndpoint(PlanModel):
    """One of the five regional endpoints of an ARC cluster."""

    endpoint: Url
    """Its URL, as ARC tells it."""
    region: Region
    """Its region."""


class ArcRoutingControl(DnsVerification):
    """Routing controls of Amazon Application Recovery Controller, one a site; the records' health checks are theirs."""

    kind: Literal["arc-routing-control"]
    """Routing controls of Amazon Application Recovery Controller."""
    role: Role | None = None
    """A role that is taken on to look at the name and to change it."""
    cluster_endpoints: tuple[ClusterEndpoint, ...] = Field(min_length=1, max_length=5)
    """The regional endpoints of the ARC cluster."""
    controls: dict[Name, str] = Field(min_length=2, max_length=2)
    """The ARNs of the routing controls by site."""


class CloudDns(DnsVerification):
    """A CNAME in a managed zone of Google Cloud DNS.
    The controller's role is known there by workload identity federation."""

    kind: Literal["cloud-dns"]
    """A CNAME in Google Cloud DNS."""
    project: str = form(r"^[a-z0-9:.-]{1,100}$", "the id of a Google Cloud project")
    """Its project."""
    managed_zone: str = form(r"^[a-z0-9-]{1,63}$", "the name of a managed zone of Cloud DNS")
    """Its zone."""
    audience: Label
    """That of the workload identity provider which knows the controller's role."""
    service_account: str | None = form(r"^[^@/\s]+@[^@/\s]+$", "the address of a service account", default=None)
    """Whom the controller acts as, if its own identity has no permissions."""
    ttl: Seconds = 1
    """For how long, in seconds, a resolver may keep an answer."""
    api: Url = "https://dns.googleapis.com"
    """Where Cloud DNS answers."""
    sts_api: Url = "https://sts.googleapis.com"
    """Where tokens are exchanged."""
    iam_api: Url = "https://iamcredentials.googleapis.com"
    """Where the service account's tokens are made."""


class TrafficManager(DnsVerification):
    """A profile of Azure Traffic Manager that the client hostname is a CNAME of."""

    kind: Literal["traffic-manager"]
    """A profile of Azure Traffic Manager."""
    subscription: str = form(r"^[0-9a-fA-F-]{36}$", "the id of an Azure subscription")
    """Its subscription."""
    resource_group: str = form(r"^[-\w.()]+$", "the name of an Azure resource group", max_length=90)
    """Its resource group."""
    profile: str = form(r"^[A-Za-z0-9-]{1,63}$", "the name of a Traffic Manager profile")
    """Its name."""
    endpoints: dict[Name, str] = Field(min_length=2, max_length=2)
    """The profile's endpoints by site, as `ExternalEndpoints/<name>` or `AzureEndpoints/<name>`."""
    by: Literal["priority", "status"] = "priority"
    """What is changed of them."""
    tenant: str = form(r"^[0-9A-Za-z.-]{1,253}$", "the id or the domain of an Entra tenant")
    """The tenant of the application."""
    client_id: Label
    """The application that knows the controller's role by a federated credential."""
    ttl: Seconds = 1
    """For how long, in seconds, a resolver may keep an answer."""
    api: Url = "https://management.azure.com"
    """Where Azure Resource Manager answers."""
    login: Url = "https://login.microsoftonline.com"
    """Where Entra ID answers."""


class NoClientName(PlanModel):
    """Clients reach the gateways without a name that would have to be flipped."""

    kind: Literal["none"]
    """No name is flipped."""

    @property
    def resolvers(self) -> tuple[str, ...]:
        """Nobody is asked for no name."""
        return ()

    @property
    def ttl_seconds(self) -> int | None:
        """There is no name."""
        return None

    @property
    def answers_every_location(self) -> bool:
        """There is no name."""
        return False


ClientNameConfig = Annotated[
    Route53Record | Route53HealthCheck | ArcRoutingControl | CloudDns | TrafficManager | NoClientName,
    Field(discriminator="kind"),
]
NAME_KINDS: Final = (
    "route53-record",
    "route53-health-check",
    "arc-routing-control",
    "cloud-dns",
    "traffic-manager",
    "none",
)
