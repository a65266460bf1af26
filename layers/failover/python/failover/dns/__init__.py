"""The port to the DNS provider: where the client hostname leads, and leading it elsewhere.

A new provider is one file with a class that fits `ClientName`, its part of the plan, and one line in `_KINDS`.
"""

from __future__ import annotations

import importlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast, runtime_checkable

from failover.container import remembered
from failover.errors import Obstacle
from failover.plan.model import Plan


@dataclass(frozen=True, kw_only=True)
class NameState:
    """What the provider holds and what is really answered.

    `record`: the target that the provider was told, None if it is neither of the sites' or was told half; `answers`: by
    name server that was asked; `in_sync`: whether the provider is through with the change; `ttl` in seconds; `change`:
    the id of what is under way, where the name keeps it itself; `unreached`: what of the provider could not be asked,
    though enough of it could; `failed`: what the provider says of a change that came to nothing.
    """

    record: str | None
    answers: dict[str, str]
    in_sync: bool
    ttl: int | None = None
    change: str | None = None
    unreached: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()

    def answers_one_of(self, targets: Collection[str]) -> bool:
        """Whether every answer is one of these targets."""
        return bool(self.answers) and set(self.answers.values()) <= set(targets)

    def leads_to(self, target: str) -> bool:
        """Whether the record and every answer are this target."""
        expected = canonical(target)
        return self.record == expected and bool(self.answers) and set(self.answers.values()) == {expected}


class ClientName(Protocol):
    """The client hostname. Methods raise `DnsUnavailable` if repeating may help, and `DnsRejected` if not."""

    def look(self, change: str | None) -> NameState:
        """Where it leads. `change`: the id that `point_to` gave, to ask whether it is in sync everywhere."""

    def point_to(self, site: str) -> str:
        """Lead it to a site; returns the id of the change before it is in sync."""

    def obstacles(self, active: str) -> list[Obstacle]:
        """What readiness should tell, while that site is active; unlike the others it may ask any control plane."""


@runtime_checkable
class ZoneName(ClientName, Protocol):
    """A client hostname that is records of a zone, which other plans' names are in, too."""

    @property
    def zone(self) -> str:
        """What tells the zone, and who changes it, from others."""

    def name_servers(self) -> tuple[str, ...]:
        """Those of the zone."""

    def answers(self, servers: tuple[str, ...]) -> dict[str, str]:
        """What these name servers answer; if there are none, those of the zone. Its API is asked for nothing else."""

    def records_for(self, site: str) -> list[dict[str, Any]]:
        """The records that lead to a site, as far as they are not there yet."""

    def in_sync(self, change: str) -> bool:
        """Whether every name server has the change."""

    def upsert(self, records: list[dict[str, Any]]) -> str:
        """Change records of the zone, of whatever name, all or none; the id of the change."""


def canonical(name: str) -> str:
    """A domain name as names are compared: lower case, without the last dot."""
    return name.rstrip(".").lower()


def targets_of(plan: Plan) -> dict[str, str]:
    """Where the name leads for each site, or for each location."""
    led_to = [name for name in plan.locations if plan.location(name).dns_target]
    return {name: canonical(plan.location(name).dns_target) for name in led_to}


_KINDS: Final = {
    "route53-record": "failover.dns.route53_record:Route53Name",
    "route53-latency": "failover.dns.route53_latency:LatencyRecords",
    "route53-health-check": "failover.dns.route53_health_check:BeaconName",
    "arc-routing-control": "failover.dns.arc_routing_control:RoutingControlName",
    "cloud-dns": "failover.dns.cloud_dns:CloudDnsName",
    "traffic-manager": "failover.dns.traffic_manager:TrafficManagerName",
}


@remembered
def client_name_of(plan: Plan) -> ClientName | None:
    """The client hostname of a plan, at its DNS provider; None if there is no name to flip."""
    if plan.dns.kind == "none":
        return None
    module, _, name = _KINDS["route53-latency" if plan.dns.answers_every_location else plan.dns.kind].partition(":")
    return cast("ClientName", getattr(importlib.import_module(module), name)(plan, plan.dns))
