"""What can be chosen of a drill's world before it comes up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from drill import fixture_plan
from drill.client_name import NameKind
from drill.fixture_plan import TOPICS
from drill.fleets import FleetKind
from drill.network.edge import ResolverKind
from drill.ports import HERE, Host
from drill.process import ROOT
from drill.timing import Timing

Gateways = Literal["sites", "near-clients"]
GatewayEngine = Literal["stand-in", "kroxylicious"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What can be chosen of a world. Durations in seconds. `more_topics`: mirrored on the wire, beside those that the
    clients use; `rest_only_mirrors`: mirrors that exist in the REST API only; `controllers`: one, in the standby's
    region, or two, in each site's; `fleet_fields`, `kubernetes`: more fields of each fleet in the plan, and of the
    Kubernetes clusters' configuration."""

    directory: Path
    instances: int = 2
    fleet: FleetKind = "ecs"
    gateways: Gateways = "sites"
    """Where they stand: each site has some, or all are near the clients, of no site."""
    fleet_fields: dict[str, Any] = field(default_factory=dict)
    kubernetes: dict[str, Any] = field(default_factory=dict)
    kafka: Literal["mock", "apache"] = "mock"
    """What the clusters are: librdkafka's mock, or Apache Kafka."""
    gateway: GatewayEngine = "stand-in"
    """What each container of a fleet on ECS is: the stand-in, or Kroxylicious."""
    epochs_back: bool = False
    """Whether the leader epochs of the standby's cluster are below those of the site that is active first."""
    name: NameKind = "route53-record"
    template: Path = ROOT / "template.yaml"
    link_interval_s: float = 0.4
    offset_sync_s: float = 3.0
    timing: Timing = field(default_factory=Timing)
    seed: int = 1
    """Of what is drawn: how long each change of a name takes, where it takes any time."""
    resolver: ResolverKind = "host"
    """Whose cache of names clients have: their host's, or a JVM's."""
    policy: dict[str, Any] = field(default_factory=dict)
    topics: Sequence[str] = TOPICS
    """What clients use, mirrored on the standby."""
    groups: Sequence[str] = (fixture_plan.GROUP,)
    """Whose offsets are synced to the standby."""
    watch: bool = True
    alarms: bool = True
    alarm_evaluation: bool = True
    """Whether alarms follow their metrics; else each stays as it was set."""
    more_topics: int = 0
    rest_only_mirrors: int = 0
    plans: int = 1
    """In the controller: the drill's own, and others of the same two regions, which have no clients."""
    controllers: Literal[1, 2] = 1
    own_plans_at_third: bool = False
    """Whether the third region's vantage point reads a plan of its own, which may lead it elsewhere."""
    site_returns: Literal["suspended", "killed"] = "suspended"
    """How a site is lost that returns: stopped in its tracks, or killed with its log kept, which the mock has not."""
    truncation: bool = False
    """Whether the clusters can truncate topics, as a restore has to."""
    plan_fields: dict[str, Any] = field(default_factory=dict)
    """More of the plan."""
    host: Host = HERE
    """Where the world listens, but for what only its own processes call, which is on loopback."""
    say: Callable[[str], None] = lambda _: None

    @property
    def gateway_places(self) -> tuple[str, ...]:
        """The locations that have gateways, first the one that clients are led to at first."""
        return (fixture_plan.HOME, fixture_plan.STANDBY) if self.gateways == "sites" else (fixture_plan.NEAR,)

    @property
    def container(self) -> str:
        """The module that is a gateway's container on ECS."""
        return "drill.gateway.instance" if self.gateway == "stand-in" else "drill.gateway.kroxylicious"

    @property
    def first_target(self) -> str:
        """The load balancer that the name leads to at first."""
        return fixture_plan.dns_target(self.gateway_places[0])
