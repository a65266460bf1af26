"""A site's gateway fleets in the plan, one class a kind.

`routes()` is what a fleet can be routed to by name: the field of the plan, what it holds for each target, and whether
it needs one for the fence.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from failover.plan.base import Endpoint, Name, PlanModel, form

ObjectName = Annotated[str, form(r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$", "the name of a Kubernetes object")]
GatewayName = Annotated[
    str,
    form(
        r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", "the name of a Gateway: lower-case letters, digits and -, 63 at most"
    ),
]
"""Its operator makes it a label of the pods, which ends at 63 characters."""
ProxyName = Annotated[
    str,
    form(
        r"^[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?$",
        "the name of a KafkaProxy: lower-case letters, digits and -, 50 at most",
    ),
]
RouteName = Annotated[str, form(r"^.{1,30}$", "the name of a Gateway's route: 30 characters at most")]
Namespace = Annotated[str, form(r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", "the name of a Kubernetes namespace")]
Instances = Annotated[int, Field(ge=1, le=1000)]
"""How many instances a fleet that was scaled to zero comes back with, where nothing tells how many there were."""
ReloadWithin = Annotated[int, Field(ge=1, le=600)]
"""By when a pod has reloaded that ever will, in seconds from the change on: 2 to 14 s were measured, and a drain takes
up to 10 s more. One that has not by then is replaced."""
ListenerArn = Annotated[str, form(r"^arn:[^:]+:elasticloadbalancing:.+:listener/.+$", "the ARN of a listener")]
TaskDefinitionArn = Annotated[
    str,
    form(
        r"^arn:[^:]+:ecs:[^:]+:[^:]+:task-definition/[^:]+:[0-9]+$",
        "the ARN of a task definition with its revision: arn:aws:ecs:us-east-2:123456789012:task-definition/gateway:1",
    ),
]
Routes = tuple[str, dict[str, str], bool]


class EcsFleet(PlanModel):
    """A gateway fleet that is one ECS service, with a pre-registered task definition for each way it can be routed."""

    name: Name
    """Its name; one of a kind in its site."""
    kind: Literal["ecs"]
    """One ECS service."""
    cluster: str = Field(min_length=1)
    """The ECS cluster."""
    service: str = Field(min_length=1)
    """The ECS service."""
    bootstrap: Endpoint
    """Its load balancer, as its clients connect to it."""
    task_definitions: dict[str, TaskDefinitionArn]
    """Revisions that were registered before: one for each site it can be routed to, and `fenced`."""
    instances: Instances = 3
    """How many a fleet that was scaled to zero comes back with, where nothing tells how many there were."""

    def routes(self) -> Routes:
        """By task definition."""
        return "task_definitions", self.task_definitions, True


class EcsBlueGreenFleet(PlanModel):
    """Two ECS services, one routed to each site for good, behind the listeners of one Network Load Balancer: each
    forwards to the target groups of both, and only one of them has any weight. Task definitions are as for one
    service."""

    name: Name
    """Its name; one of a kind in its site."""
    kind: Literal["ecs-blue-green"]
    """Two ECS services."""
    cluster: str = Field(min_length=1)
    """The ECS cluster."""
    services: dict[str, Annotated[str, Field(min_length=1)]]
    """The ECS service of each site."""
    listeners: tuple[ListenerArn, ...] = Field(min_length=1)
    """The load balancer's listeners, that of the bootstrap first."""
    bootstrap: Endpoint
    """Its load balancer, as its clients connect to it."""
    task_definitions: dict[str, TaskDefinitionArn]
    """Revisions that were registered before: one for each site it can be routed to, and `fenced`."""
    instances: Instances = 3
    """How many a fleet that was scaled to zero comes back with, where nothing tells how many there were."""

    def routes(self) -> Routes:
        """By task definition."""
        return "task_definitions", self.task_definitions, True

    def service(self, site: str) -> EcsFleet:
        """The service for a site, as a fleet of its own."""
        return EcsFleet(
            name=self.name,
            kind="ecs",
            cluster=self.cluster,
            service=self.services[site],
            bootstrap=self.bootstrap,
            task_definitions=self.task_definitions,
            instances=self.instances,
        )

    @model_validator(mode="after")
    def _one_service_per_site(self) -> Self:
        if self.services.keys() != self.task_definitions.keys() - {"fenced"}:
            raise ValueError("services and task_definitions must name the same sites")
        if len(set(self.services.values())) < len(self.services):
            raise ValueError("services names one service twice")
        return self


class Eks(PlanModel):
    """An EKS cluster.
    With `endpoint` and `certificate_authority` a failover needs no control plane of the lost region."""

    name: str = form(r"^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$", "the name of an EKS cluster")
    """Its name."""
    endpoint: str | None = form(r"^https://[^/\s@]+$", "a URL without a path: https://…", default=None)
    """Its API server; asked of EKS where it is left out."""
    certificate_authority: str | None = Field(default=None, min_length=1)
    """In base64, as EKS tells it; asked of EKS where it is left out."""

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.endpoint is None) != (self.certificate_authority is None):
            raise ValueError("endpoint and certificate_authority belong together: give both, or neither")
        return self


class Domain(PlanModel):
    """A streaming domain of a gateway, and which of its bootstrap servers."""

    name: str = Field(min_length=1)
    """Its name."""
    bootstrap_server_id: str = Field(min_length=1)
    """Which of its bootstrap servers."""
    secret_store: str | None = Field(default=None, min_length=1)
    """Whose credentials the route swaps in for it, where it swaps."""
    extension_headers: dict[str, str] = Field(default={})
    """What the route adds to the tokens that pass through to it, such as `logicalCluster: lkc-…` at Confluent Cloud."""


class CfkFleet(PlanModel):
    """A gateway fleet that is one Gateway of Confluent for Kubernetes, with a streaming domain for each site."""

    name: Name
    """Its name; one of a kind in its site."""
    kind: Literal["cfk"]
    """One Gateway of Confluent for Kubernetes."""
    eks: Eks
    """The cluster it runs on."""
    namespace: Namespace
    """Its namespace."""
    gateway: GatewayName
    """Its Gateway."""
    route: RouteName
    """The Gateway's route that clients use."""
    bootstrap: Endpoint
    """Its load balancer, as its clients connect to it."""
    domains: dict[str, Domain]
    """The streaming domain of each site."""
    instances: Instances = 3
    """How many a fleet that was scaled to zero comes back with, where nothing tells how many there were."""
    reload_within_seconds: ReloadWithin = 30
    """By when a pod has reloaded that ever will; one that has not is replaced."""

    def routes(self) -> Routes:
        """By streaming domain."""
        return "domains", {site: f"{it.name}/{it.bootstrap_server_id}" for site, it in self.domains.items()}, False


class CfkBlueGreenFleet(PlanModel):
    """Two Gateways of Confluent for Kubernetes, one routed to each site for good, behind one Service whose selector
    leads clients to one of them. Whatever can be said of both is said once."""

    name: Name
    """Its name; one of a kind in its site."""
    kind: Literal["cfk-blue-green"]
    """Two Gateways of Confluent for Kubernetes."""
    eks: Eks
    """The cluster it runs on."""
    namespace: Namespace
    """Its namespace."""
    service: ObjectName
    """The Service whose selector leads clients to one of them."""
    gateways: dict[str, GatewayName]
    """The Gateway of each site."""
    route: RouteName
    """The Gateway's route that clients use."""
    bootstrap: Endpoint
    """Its load balancer, as its clients connect to it."""
    domains: dict[str, Domain]
    """The streaming domain of each site."""
    instances: Instances = 3
    """How many a fleet that was scaled to zero comes back with, where nothing tells how many there were."""
    reload_within_seconds: ReloadWithin = 30
    """By when a pod has reloaded that ever will; one that has not is replaced."""

    def routes(self) -> Routes:
        """By Gateway."""
        return "gateways", dict(self.gateways), False

    def gateway(self, site: str) -> CfkFleet:
        """The Gateway for a site, as a fleet of its own."""
        return CfkFleet(
            name=self.name,
            kind="cfk",
            eks=self.eks,
            namespace=self.namespace,
            gateway=self.gateways[site],
            route=self.route,
            bootstrap=self.bootstrap,
            domains=self.domains,
            instances=self.instances,
            reload_within_seconds=self.reload_within_seconds,
        )

    @model_validator(mode="after")
    def _same_sites(self) -> Self:
        if self.domains.keys() != self.gateways.keys():
            raise ValueError("domains and gateways must name the same sites")
        return self


class KroxyliciousFleet(PlanModel):
    """A gateway fleet that is one KafkaProxy of Kroxylicious, with a virtual cluster that leads to a KafkaService for
    each site."""

    name: Name
    """Its name; one of a kind in its site."""
    kind: Literal["kroxylicious"]
    """One KafkaProxy of Kroxylicious."""
    eks: Eks
    """The cluster it runs on."""
    namespace: Namespace
    """Its namespace."""
    proxy: ProxyName
    """Its KafkaProxy."""
    virtual_cluster: ObjectName
    """The virtual cluster that clients use."""
    bootstrap: Endpoint
    """Its load balancer, as its clients connect to it."""
    services: dict[str, ObjectName]
    """The KafkaService of each site; `fenced`, if there is one, leads nowhere."""
    instances: Instances = 3
    """How many a fleet that was scaled to zero comes back with, where nothing tells how many there were."""
    port: int | None = Field(default=None, ge=1, le=65_535)
    """Of the bootstrap on a pod itself, where the controller can ask that without TLS for another name."""

    def routes(self) -> Routes:
        """By KafkaService."""
        return "services", dict(self.services), "fenced" in self.services


FleetConfig = Annotated[
    EcsFleet | EcsBlueGreenFleet | CfkFleet | CfkBlueGreenFleet | KroxyliciousFleet, Field(discriminator="kind")
]
