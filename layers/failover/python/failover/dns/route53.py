"""Calls of Route 53's control plane, which is in us-east-1."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, cast

from failover.aws.clients import Role, client
from failover.aws.errors import aws_errors, error_code
from failover.dns import canonical
from failover.dns.answers import own_resolvers
from failover.errors import DnsRejected, DnsUnavailable

if TYPE_CHECKING:
    from mypy_boto3_route53 import Route53Client
    from mypy_boto3_route53.type_defs import ChangeTypeDef, ResourceRecordSetTypeDef

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")


class Zone:
    """A hosted zone. Methods raise `DnsUnavailable` and `DnsRejected`."""

    def __init__(self, zone_id: str, route53: Route53Client | None = None, role: Role | None = None) -> None:
        self._zone_id = zone_id
        self._route53 = route53 if route53 is not None else client("route53", role=role)

    def records(self, hostname: str, kind: Literal["A", "CNAME"]) -> list[dict[str, Any]]:
        """The record sets of a name and type: one, or one for each set identifier."""
        answer = self._call(
            self._route53.list_resource_record_sets,
            HostedZoneId=self._zone_id,
            StartRecordName=hostname,
            StartRecordType=kind,
            MaxItems="10",
        )
        record_sets = answer["ResourceRecordSets"]
        return [
            dict(record) for record in record_sets if canonical(record["Name"]) == hostname and record["Type"] == kind
        ]

    def upsert(self, records: list[dict[str, Any]]) -> str:
        """UPSERT all of them or none; the id of the change."""
        changes: list[ChangeTypeDef] = [
            {"Action": "UPSERT", "ResourceRecordSet": cast("ResourceRecordSetTypeDef", record)} for record in records
        ]
        answer = self._call(
            self._route53.change_resource_record_sets,
            HostedZoneId=self._zone_id,
            ChangeBatch={"Changes": changes},
        )
        return str(answer["ChangeInfo"]["Id"])

    def in_sync(self, change: str) -> bool:
        """Whether every name server of Route 53 has the change. One that nobody remembers is: the records are looked at
        anyway."""
        try:
            return bool(self._call(self._route53.get_change, Id=change)["ChangeInfo"]["Status"] == "INSYNC")
        except DnsRejected as error:
            if error_code(error) == "NoSuchChange":
                return True
            raise

    def name_servers(self) -> tuple[str, ...]:
        """Those of the zone's delegation set; of a private zone, which has none, the resolvers of this host."""
        answer = self._call(self._route53.get_hosted_zone, Id=self._zone_id)
        if answer["HostedZone"].get("Config", {}).get("PrivateZone"):
            return own_resolvers()
        return tuple(answer.get("DelegationSet", {}).get("NameServers", ()))

    def health_check(self, identity: str) -> dict[str, Any]:
        """The HealthCheckConfig of a health check."""
        answer = self._call(self._route53.get_health_check, HealthCheckId=identity)
        return dict(answer["HealthCheck"]["HealthCheckConfig"])

    def health_check_answers(self, identity: str) -> list[bool]:
        """Whether each checker of a health check last had an answer from its endpoint."""
        answer = self._call(self._route53.get_health_check_status, HealthCheckId=identity)
        reports = [observation.get("StatusReport", {}) for observation in answer["HealthCheckObservations"]]
        return [report.get("Status", "").startswith("Success") for report in reports]

    def _call(
        self, operation: Callable[Arguments, Answer], *_: Arguments.args, **arguments: Arguments.kwargs
    ) -> Answer:
        """One call, its errors told apart by whether repeating may help."""
        with aws_errors(f"Route 53, for zone {self._zone_id}", transient=DnsUnavailable, final=DnsRejected):
            return operation(*_, **arguments)


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
