"""Records of Route 53 by latency, one for each location, each with a health check: all of them serve at all times, and
Route 53 itself leaves out a location that is dead. Nothing is flipped.

What name servers answer depends on where they are asked from; a record whose check fails is answered to nobody, unless
all fail (https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/health-checks-how-route-53-chooses-records.html).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from failover.dns import NameState, canonical, targets_of
from failover.dns.answers import Kind, ask, servers_of
from failover.dns.route53 import Zone, target_of
from failover.errors import DnsRejected, DnsUnavailable, Obstacle
from failover.plan.client_name import Route53Record
from failover.plan.model import Plan

if TYPE_CHECKING:
    from mypy_boto3_route53 import Route53Client

HEALTHY_SHARE: Final = 0.18
"""More of the checkers than this, and an endpoint is healthy
(https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html)."""
SLOWEST_S: Final = 30
"""In which a dead location should be left out: three looks of a fast check."""
_ENDPOINT: Final = ("HTTP", "HTTPS", "HTTP_STR_MATCH", "HTTPS_STR_MATCH", "TCP")
"""Kinds of checks whose checkers say what they see."""


def leads_nobody_to(plan: Plan, location: str) -> bool:
    """Whether a plan's name is known to lead nobody to a location, though it leads to every one that is well.

    Raises:
        DnsUnavailable, DnsRejected
    """
    if not isinstance(plan.dns, Route53Record) or not plan.dns.answers_every_location:
        return False
    return targets_of(plan)[location] in LatencyRecords(plan, plan.dns).unhealthy_targets()


class LatencyRecords:
    """A `ClientName` that is records of a Route 53 zone by latency."""

    def __init__(self, plan: Plan, described: Route53Record, route53: Route53Client | None = None) -> None:
        self._hostname = canonical(plan.hostname)
        self._targets = targets_of(plan)
        self._type: Kind = "A" if described.type == "alias" else "CNAME"
        self._zone = Zone(described.hosted_zone_id, route53, described.role)
        self._servers: tuple[str, ...] = described.nameservers

    def look(self, change: str | None) -> NameState:
        """What each name server answers; the records, where Route 53's control plane tells them."""
        ttl: int | None = None
        unreached: tuple[str, ...] = ()
        try:
            ttl = max((int(record["TTL"]) for record in self._records() if "TTL" in record), default=None)
        except DnsUnavailable as error:
            unreached = (str(error),)
        if not self._servers:
            self._servers = servers_of(self._hostname)
        answers = ask(self._servers, self._hostname, self._type, self._targets)
        return NameState(record=None, answers=answers, in_sync=True, ttl=ttl, unreached=unreached)

    def point_to(self, site: str) -> str:
        """Nothing is flipped.

        Raises:
            DnsRejected
        """
        raise DnsRejected(f"{self._hostname} leads to every location at all times, and not to {site} alone")

    def unhealthy_targets(self) -> frozenset[str]:
        """The targets that are answered to nobody: their health check fails, and another location's does not."""
        health = {target_of(record): self._is_healthy(record) for record in self._records()}
        return frozenset(target for target in health if health[target] is False and True in health.values())

    def obstacles(self, active: str) -> list[Obstacle]:
        """Records that are answered though their location is dead, or not though it is well."""
        records = self._records()
        checks = Counter(record.get("HealthCheckId") for record in records)
        return [
            obstacle
            for record in records
            for obstacle in self._wrong_check(record, shared=checks[record.get("HealthCheckId")] > 1)
        ]

    def _wrong_check(self, record: dict[str, Any], *, shared: bool) -> Iterator[Obstacle]:
        target, identity = target_of(record), record.get("HealthCheckId")
        if identity is None:
            yield Obstacle(
                f"the record of {self._hostname} that leads to {target} has no health check: it is answered though"
                " nobody is there",
                "give it one that looks at that load balancer every 10 seconds",
            )
            return
        what, check = f"the health check {identity} of {target}", self._zone.health_check(identity)
        if shared:
            yield Obstacle(f"{what} is another location's, too", "give each record one of its own")
        if check.get("Disabled") or check.get("Inverted"):
            yield Obstacle(f"{what} is disabled or inverted: it says nothing of the fleet", "enable it, not inverted")
        if check["Type"] not in _ENDPOINT:
            yield Obstacle(
                f"{what} is of kind {check['Type']}: whether its location is left out can't be told in a failover",
                "have it look at the load balancer by TCP",
            )
            return
        host = check.get("FullyQualifiedDomainName")
        if host and canonical(host) != target:
            yield Obstacle(f"{what} looks at {host}", f"have it look at {target}")
        seconds = int(check.get("RequestInterval", 30)) * int(check.get("FailureThreshold", 3))
        if seconds > SLOWEST_S:
            yield Obstacle(f"{what} takes {seconds} s to find a dead fleet", "have it ask every 10 seconds, thrice")
        if self._is_healthy(record) is False:
            yield Obstacle(f"{what} fails: no client is led there", "look at the fleet, or at what the check asks")

    def _is_healthy(self, record: dict[str, Any]) -> bool | None:
        """What Route 53 takes the record's location for; None where it does not tell. Without a check it is healthy."""
        if (identity := record.get("HealthCheckId")) is None:
            return True
        try:
            answers = self._zone.health_check_answers(identity)
        except DnsRejected:
            return None
        return sum(answers) > HEALTHY_SHARE * len(answers) if answers else None

    def _records(self) -> list[dict[str, Any]]:
        """The records, as the plan says that they are.

        Raises:
            DnsUnavailable
            DnsRejected: if they are otherwise.
        """
        records = self._zone.records(self._hostname, self._type)
        if any("Region" not in record for record in records):
            raise DnsRejected(f"{self._hostname} has records of another routing; the plan says latency")
        if sorted(map(target_of, records)) != sorted(self._targets.values()):
            targets = ", ".join(self._targets.values())
            raise DnsRejected(f"{self._hostname} must have one latency record for each of {targets}")
        return records
