"""What stands beside the topics, and Cluster Linking does not carry: schemas, connectors, role bindings."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from failover.plan.base import Label, PlanModel, Url, form
from failover.plan.role import Role

Beside = Literal["schema-registry", "connectors", "role-bindings"]
Crn = Annotated[str, form(r"^crn://\S+$", "the CRN of a cluster, crn://…/cloud-cluster=lkc-…")]


class Api(PlanModel):
    """An API that readiness looks at."""

    url: Url
    """Where it answers, with the path that its own paths begin after."""
    credentials: Label | None = None
    """The name of a secret in the controller's region, of an API key or an OAuth client."""
    role: Role | None = None
    """A role that is taken on to read that secret."""


class SchemaRegistry(Api):
    """A site's Schema Registry."""

    exporter: Label | None = None
    """The schema exporter on it that feeds the other site's while this site is active."""


class Connect(Api):
    """A site's Connect cluster: the REST API of its workers, or
    `https://api.confluent.cloud/connect/v1/environments/<environment>/clusters/<cluster>`."""

    connectors: tuple[Label, ...] = Field(min_length=1)
    """Those that must run while the site is active; while it is the standby they must be there, stopped."""


class RoleBindings(Api):
    """The role bindings of a site's cluster: the IAM API of Confluent Cloud, `https://api.confluent.cloud`."""

    crn: Crn
    """What the bindings of the cluster begin with:
    `crn://confluent.cloud/organization=…/environment=…/cloud-cluster=lkc-…`."""
