"""Where gateways stand: with a site's Kafka cluster, or near the clients. It is what carries clients."""

from __future__ import annotations

from failover.plan.base import Host, PlanModel, Region
from failover.plan.fleets import FleetConfig
from failover.plan.role import Role


class Location(PlanModel):
    """A place where gateways stand, of no site. Whichever site is active, they lead to it."""

    region: Region
    """Where its fleets are."""
    fleets: tuple[FleetConfig, ...] = ()
    """Its fleets of gateways. A site may have none, if there are gateways near the clients."""
    role: Role | None = None
    """A role that is taken on to look at its fleets and to route them."""
    dns_target: Host = ""
    """What the client hostname points at to lead clients to its fleets: the name of its load balancer."""
