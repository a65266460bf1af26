"""Calls of Route 53's control plane, which is in us-east-1."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from failover.aws.clients import client, error_code, is_transient
from failover.dns import canonical
from failover.errors import DnsRejected, DnsUnavailable


class Zone:
    """A hosted zone. Methods raise `DnsUnavailable` and `DnsRejected`."""

    def __init__(self, zone_id: str, route53: Any = None) -> None:
        self._zone_id = zone_id
        self._route53 = route53 if route53 is not None else client("route53")

    def records(self, hostname: str, kind: str) -> list[dict[str, Any]]:
        """The record sets of a name and type: one, or one for each set identifier."""
        answer = self.call(
            self._route53.list_resource_record_sets,
            HostedZoneId=self._zone_id,
            StartRecordName=hostname,
            StartRecordType=kind,
            MaxItems="10",
        )
        found = answer["ResourceRecordSets"]
        return [each for each in found if canonical(each["Name"]) == hostname and each["Type"] == kind]

    def upsert(self, records: list[dict[str, Any]]) -> str:
        """UPSERT all of them or none; the id of the change."""
        changes = [{"Action": "UPSERT", "ResourceRecordSet": each} for each in records]
        answer = self.call(
            self._route53.change_resource_record_sets,
            HostedZoneId=self._zone_id,
            ChangeBatch={"Changes": changes},
        )
        return str(answer["ChangeInfo"]["Id"])

    def in_sync(self, change: str) -> bool:
        """Whether every name server of Route 53 has the change."""
        return bool(self.call(self._route53.get_change, Id=change)["ChangeInfo"]["Status"] == "INSYNC")

    def name_servers(self) -> tuple[str, ...]:
        """Those of the zone's delegation set."""
        zone = self.call(self._route53.get_hosted_zone, Id=self._zone_id)
        return tuple(zone.get("DelegationSet", {}).get("NameServers", ()))

    def health_check(self, identity: str) -> dict[str, Any]:
        """The HealthCheckConfig of a health check."""
        answer = self.call(self._route53.get_health_check, HealthCheckId=identity)
        return dict(answer["HealthCheck"]["HealthCheckConfig"])

    def call(self, operation: Callable[..., dict[str, Any]], **arguments: Any) -> dict[str, Any]:
        """One call, its errors told apart by whether repeating may help."""
        try:
            return operation(**arguments)
        except (ClientError, BotoCoreError) as error:
            if is_transient(error):
                raise DnsUnavailable(f"Route 53 gave no answer for zone {self._zone_id}: {error}") from error
            code = error_code(error) if isinstance(error, ClientError) else type(error).__name__
            raise DnsRejected(f"Route 53 refused a call for zone {self._zone_id}: {code}: {error}") from error


def target_of(record: dict[str, Any]) -> str:
    """Where a record set leads: an alias's name, or the value."""
    if alias := record.get("AliasTarget"):
        return canonical(str(alias["DNSName"])).removeprefix("dualstack.")
    return canonical(str(record["ResourceRecords"][0]["Value"]))


def checks_of(zone: Zone, identity: str) -> Iterator[dict[str, Any]]:
    """A health check's HealthCheckConfig, or if it is calculated, its children's."""
    config = zone.health_check(identity)
    if config["Type"] != "CALCULATED":
        yield config
    for child in config.get("ChildHealthChecks", ()):
        yield zone.health_check(child)
