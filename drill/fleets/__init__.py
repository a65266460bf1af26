"""The gateway fleets of a world's sites: ECS services of its AWS account, or Kubernetes clusters of their own.

Each is routed to the active site at first: whichever fleet a client is led to, it works.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, Protocol

from drill import fixture_plan
from drill.fixture_plan import GATEWAY_REGIONS
from drill.process import Child
from gateway.settings import Settings as GatewaySettings

Document = dict[str, Any]
FleetKind = Literal["ecs", "ecs-blue-green", "cfk"]
Spawn = Callable[[str, dict[str, Any], str], Child]
NODES: Final = GatewaySettings(node_ids=(1, fixture_plan.BROKERS), hot_reload=True)


def zones(site: str) -> list[str]:
    """The availability zones of a site's region."""
    return [f"{GATEWAY_REGIONS[site]}{letter}" for letter in "abc"]


class Fleets(Protocol):
    """One fleet for each location. `size`: how many instances it has."""

    size: int

    def in_plan(self, site: str, balancer: str) -> Document:
        """A site's fleet as it stands in the plan."""

    def deploy(self, plan: Document, balancers: Mapping[str, str]) -> None:
        """Start them, behind the load balancers with these admin URLs. What is known only then is put into the plan."""

    def processes(self, site: str) -> list[Child]:
        """What of a site's fleet is a process of the world's own."""

    def instances(self, site: str) -> list[str]:
        """The names of the instances that run."""

    def lose_zone(self, site: str) -> None:
        """End what runs in the first availability zone of a site's region, for good."""
