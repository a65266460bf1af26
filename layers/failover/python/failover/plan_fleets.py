"""A site's gateway fleets in the plan, one class a kind.

`routes()` is what a fleet can be routed to by name: the field of the plan, what it holds for each target, and whether
it needs one for the fence.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from failover.plan_part import Endpoint, Name, Part

ObjectName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
"""The name of a Kubernetes object."""
Namespace = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
Routes = tuple[str, dict[str, str], bool]


class EcsFleet(Part):
    """A gateway fleet that is one ECS service, with a pre-registered task definition for each way it can be routed."""

    name: Name
    kind: Literal["ecs"]
    cluster: str = Field(min_length=1)
    service: str = Field(min_length=1)
    bootstrap: Endpoint
    task_definitions: dict[str, str]

    def routes(self) -> Routes:
        """By task definition."""
        return "task_definitions", self.task_definitions, True


class Eks(Part):
    """An EKS cluster. `endpoint` and `certificate_authority` (base64, as EKS tells it) are asked of EKS where they are
    left out; given here, a failover needs no control plane of the lost region."""

    name: str = Field(pattern=r"^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$")
    endpoint: str | None = Field(default=None, pattern=r"^https://[^/\s]+$")
    certificate_authority: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.endpoint is None) != (self.certificate_authority is None):
            raise ValueError("endpoint and certificate_authority belong together: give both, or neither")
        return self


class Domain(Part):
    """A streaming domain of a gateway, and which of its bootstrap servers."""

    name: str = Field(min_length=1)
    bootstrap_server_id: str = Field(min_length=1)


class CfkFleet(Part):
    """A gateway fleet that is one Gateway of Confluent for Kubernetes, with a streaming domain for each site."""

    name: Name
    kind: Literal["cfk"]
    eks: Eks
    namespace: Namespace
    gateway: ObjectName
    route: str = Field(min_length=1)
    bootstrap: Endpoint
    domains: dict[str, Domain]

    def routes(self) -> Routes:
        """By streaming domain."""
        return "domains", {site: f"{it.name}/{it.bootstrap_server_id}" for site, it in self.domains.items()}, False


PlannedFleet = Annotated[EcsFleet | CfkFleet, Field(discriminator="kind")]
FLEET_KINDS: Final = ("ecs", "cfk")
