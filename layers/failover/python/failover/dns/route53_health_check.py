"""A failover pair of Route 53 records that beacons switch: S3 objects, there while clients are led away from home.

"Standby takes over primary": the PRIMARY record is the home site's, and its health check is inverted, on an endpoint
that does not answer while all is well (https://aws.amazon.com/blogs/networking-and-content-delivery/creating-disaster-recovery-mechanisms-using-amazon-route-53/).
Changing it needs S3 in a region that works and Route 53's checkers and name servers, nothing of its control plane. A
beacon that can't be asked counts as none: with beacons in two regions, the loss of one does not lead clients back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import httpx

from failover.aws.clients import client
from failover.aws.errors import aws_errors, error_code
from failover.dns import NameState, canonical, targets_of
from failover.dns.answers import ask, servers_of
from failover.dns.route53 import Zone, checks_of, target_of
from failover.errors import DnsRejected, DnsUnavailable, Obstacle
from failover.plan.client_name import Beacon, Route53HealthCheck
from failover.plan.model import Plan

FAST_S: Final = 10
"""Between two questions of a checker: so many, or 30."""
CHECKED_S: Final = 3.0
_ABSENT: Final = {"404", "NoSuchKey", "NotFound"}


class BeaconName:
    """A `ClientName` that leads home while no beacon is there, and to the other site while one is."""

    def __init__(self, plan: Plan, described: Route53HealthCheck) -> None:
        self._hostname = canonical(plan.hostname)
        self._targets = targets_of(plan)
        self._home, self._away = plan.home, plan.other(plan.home)
        self._described = described
        self._servers: tuple[str, ...] = described.nameservers

    def look(self, change: str | None) -> NameState:
        """Which beacons are there, and what name servers answer; Route 53's control plane is not asked."""
        beacons = self._at_all_beacons(self._is_there)
        states = {state for state in beacons.values() if isinstance(state, bool)}
        site = None if len(states) != 1 else self._away if states == {True} else self._home
        if not self._servers:
            self._servers = servers_of(self._hostname)
        answers = ask(self._servers, self._hostname, "CNAME", self._targets)
        unreached = tuple(
            f"{beacon.address}: {answer}" for beacon, answer in beacons.items() if isinstance(answer, Exception)
        )
        return NameState(
            record=self._targets[site] if site else None,
            answers=answers,
            in_sync=True,
            ttl=self._described.ttl,
            unreached=unreached,
        )

    def point_to(self, site: str) -> str:
        """Put every beacon, or take every one away. One that can't be changed is told by `look`."""
        changed = self._at_all_beacons(self._put if site == self._away else self._take_away)
        return ", ".join(f"{beacon.region}: {outcome}" for beacon, outcome in changed.items())

    def obstacles(self, active: str) -> list[Obstacle]:
        """The records, the health check and the beacons, as far as they are not as a flip needs them."""
        zone = Zone(self._described.hosted_zone_id, role=self._described.role)
        records = {str(record.get("Failover")): record for record in zone.records(self._hostname, "CNAME")}
        return [
            *self._wrong_records(records),
            *self._wrong_checks(zone, records.get("PRIMARY", {}).get("HealthCheckId")),
            *self._wrong_beacons(active),
        ]

    def _wrong_records(self, records: dict[str, dict[str, Any]]) -> Iterator[Obstacle]:
        for role, site in (("PRIMARY", self._home), ("SECONDARY", self._away)):
            if role not in records or target_of(records[role]) != self._targets[site]:
                yield Obstacle(
                    f"{self._hostname} has no {role} record that leads to {self._targets[site]}",
                    "deploy name.yaml: the home site's record is PRIMARY, the other's SECONDARY",
                )
        if records.get("SECONDARY", {}).get("HealthCheckId"):
            yield Obstacle(
                f"the SECONDARY record of {self._hostname} has a health check: if it fails, clients are led back",
                "take it off the record",
            )

    def _wrong_checks(self, zone: Zone, identity: str | None) -> Iterator[Obstacle]:
        if not identity:
            yield Obstacle(f"the PRIMARY record of {self._hostname} has no health check", "deploy name.yaml")
            return
        checks = [check for check in checks_of(zone, identity) if check["Type"] != "CALCULATED"]
        requested = {_requested_url(check) for check in checks}
        for beacon in self._described.beacons:
            if beacon.address not in requested:
                yield Obstacle(f"no health check of {self._hostname} asks for {beacon.address}", "deploy name.yaml")
        for check in checks:
            if check.get("Disabled") or not check.get("Inverted"):
                yield Obstacle(
                    f"the health check on {_requested_url(check)} is disabled or not inverted", "deploy name.yaml"
                )
            if int(check.get("RequestInterval", 30)) != FAST_S or int(check.get("FailureThreshold", 3)) > 1:
                yield Obstacle(
                    f"the health check on {_requested_url(check)} is slow",
                    "have it ask every 10 seconds, with threshold 1",
                )

    def _wrong_beacons(self, active: str) -> Iterator[Obstacle]:
        """Asked as a checker asks: without credentials. 403 is what S3 says of an object that nobody may read."""
        expected = 200 if active == self._away else 404
        for beacon, status in self._at_all_beacons(_status).items():
            if status != expected:
                yield Obstacle(
                    f"{beacon.address} answers {status}, and {expected} is wanted while {active} is active",
                    "let anybody read the object and list its bucket (name.yaml), and let the controller look again",
                )

    def _at_all_beacons(self, act: Callable[[Beacon], Any]) -> dict[Beacon, Any]:
        """What became of each beacon; the error where it can't be told.

        Raises:
            DnsUnavailable, DnsRejected: if it can be told of none of them.
        """

        def tried(beacon: Beacon) -> Any:
            try:
                return act(beacon)
            except (DnsUnavailable, DnsRejected) as error:
                return error

        beacons = self._described.beacons
        with ThreadPoolExecutor(max_workers=len(beacons)) as pool:
            outcomes = dict(zip(beacons, pool.map(tried, beacons), strict=True))
        errors = [outcome for outcome in outcomes.values() if isinstance(outcome, Exception)]
        if len(errors) == len(outcomes):
            kind = DnsUnavailable if any(isinstance(error, DnsUnavailable) for error in errors) else DnsRejected
            raise kind("; ".join(map(str, errors)))
        return outcomes

    def _is_there(self, beacon: Beacon) -> bool:
        try:
            self._s3(beacon, "head_object")
        except DnsRejected as error:
            if error_code(error) in _ABSENT:
                return False
            raise
        return True

    def _put(self, beacon: Beacon) -> bool:
        self._s3(beacon, "put_object", Body=b"", ContentType="text/plain", CacheControl="no-store")
        return True

    def _take_away(self, beacon: Beacon) -> bool:
        self._s3(beacon, "delete_object")
        return False

    def _s3(self, beacon: Beacon, operation: str, **more: Any) -> None:
        s3 = client("s3", beacon.region, attempts=1, role=self._described.role)
        of = f"S3 in {beacon.region}, {operation} of {beacon.bucket}/{beacon.key}"
        with aws_errors(of, transient=DnsUnavailable, final=DnsRejected):
            getattr(s3, operation)(Bucket=beacon.bucket, Key=beacon.key, **more)


def _status(beacon: Beacon) -> int:
    try:
        return httpx.get(beacon.address, timeout=CHECKED_S).status_code
    except httpx.HTTPError as error:
        raise DnsUnavailable(f"no answer ({type(error).__name__})") from error


def _requested_url(check: dict[str, Any]) -> str:
    """The URL that a health check asks for."""
    scheme, port = check["Type"].partition("_")[0].lower(), int(check.get("Port") or 0)
    host = check.get("FullyQualifiedDomainName") or check.get("IPAddress")
    usual = {"http": 80, "https": 443}.get(scheme)
    return f"{scheme}://{host}{'' if port in (0, usual) else f':{port}'}{check.get('ResourcePath', '/')}"
