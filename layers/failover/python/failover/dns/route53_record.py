"""Records of Route 53, changed by UPSERT (https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html)
and proven by the zone's own name servers, as resolvers will ask them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from failover.dns import NameState, canonical, targets_of
from failover.dns.answers import Kind, ask
from failover.dns.route53 import Zone, target_of
from failover.errors import DnsRejected, Obstacle
from failover.plan.client_name import Route53Record
from failover.plan.model import Plan

if TYPE_CHECKING:
    from mypy_boto3_route53 import Route53Client

WEIGHT: Final = 100


class Route53Name:
    """A `ClientName` that is records of a Route 53 zone: one, or one for each site."""

    def __init__(self, plan: Plan, described: Route53Record, route53: Route53Client | None = None) -> None:
        self._hostname = canonical(plan.hostname)
        self._targets = targets_of(plan)
        self._described = described
        self._type: Kind = "A" if described.type == "alias" else "CNAME"
        self._zone = Zone(described.hosted_zone_id, route53, described.role)
        self._servers: tuple[str, ...] = described.nameservers

    def look(self, change: str | None) -> NameState:
        """What each name server answers, GetChange of `change`, and, unless that is pending, the zone's records."""
        answers = self.answers(())
        if change is not None and not self._zone.in_sync(change):
            return NameState(record=None, answers=answers, in_sync=False)
        records = self._records()
        ttl = max((int(record["TTL"]) for record in records if "TTL" in record), default=None)
        return NameState(record=self._led_to(records), answers=answers, in_sync=True, ttl=ttl)

    def point_to(self, site: str) -> str:
        """UPSERT the records that differ, in one change; its id."""
        self._records()
        return self.upsert(self.records_for(site))

    def records_for(self, site: str) -> list[dict[str, Any]]:
        """Those that differ; if none does, all of them. One alone is known without a look at the zone, which refuses it
        by itself beside others of its name."""
        if self._described.routing == "simple":
            return [self._simple(self._targets[site])]
        records = self._records()
        match self._described.routing:
            case "weighted":
                desired = [
                    _weighing(record, WEIGHT if target_of(record) == self._targets[site] else 0) for record in records
                ]
            case _:
                desired = self._primary_of(records, self._targets[site])
        differing = [record for record in desired if record not in records]
        return differing or desired

    def in_sync(self, change: str) -> bool:
        """Whether every name server of Route 53 has the change."""
        return self._zone.in_sync(change)

    def upsert(self, records: list[dict[str, Any]]) -> str:
        """Change records of the zone, in one change; its id."""
        return self._zone.upsert(records)

    def obstacles(self, active: str) -> list[Obstacle]:
        """Records that Route 53 would lead elsewhere by itself."""
        checked = [record for record in self._records() if record.get("HealthCheckId")]
        return [
            Obstacle(
                f"the record {record.get('SetIdentifier')} of {self._hostname} has a health check: Route 53 moves"
                " clients by itself, before the standby is writable, and back",
                "have simple or weighted records, kind: route53-health-check, or routing: latency",
            )
            for record in checked
        ] + [
            Obstacle(
                f"the record of {self._hostname} evaluates its target's health: Route 53 may lead clients elsewhere",
                "set EvaluateTargetHealth to false",
            )
            for record in self._records()
            if record.get("AliasTarget", {}).get("EvaluateTargetHealth") and "SetIdentifier" in record
        ]

    def _records(self) -> list[dict[str, Any]]:
        """The records, as the plan says that they are.

        Raises:
            DnsRejected: if they are otherwise.
        """
        records = self._zone.records(self._hostname, self._type)
        routing = self._described.routing
        routings = {"weighted" if "Weight" in e else "failover" if "Failover" in e else "simple" for e in records}
        if any("SetIdentifier" in record and not {"Weight", "Failover"} & record.keys() for record in records):
            routings = {"another"}
        if routings and routings != {routing}:
            raise DnsRejected(f"{self._hostname} has {', '.join(sorted(routings))} routing; the plan says {routing}")
        if routing != "simple" and {target_of(record) for record in records} != set(self._targets.values()):
            raise DnsRejected(
                f"{self._hostname} must have one {routing} record for each of {', '.join(self._targets.values())}"
            )
        return records

    def _led_to(self, records: list[dict[str, Any]]) -> str | None:
        """The target that the records lead to, if they lead to one."""
        match self._described.routing:
            case "simple":
                leading = records
            case "weighted":
                leading = [record for record in records if record["Weight"] > 0]
            case _:
                leading = [record for record in records if record["Failover"] == "PRIMARY"]
        return target_of(leading[0]) if len(leading) == 1 else None

    def _simple(self, target: str) -> dict[str, Any]:
        if self._described.type == "CNAME":
            value = {"TTL": self._described.ttl, "ResourceRecords": [{"Value": target}]}
            return {"Name": self._hostname, "Type": "CNAME", **value}
        site = next(site for site, of_site in self._targets.items() if of_site == target)
        zone = self._described.alias_zones[site]
        alias = {"HostedZoneId": zone, "DNSName": target, "EvaluateTargetHealth": False}
        return {"Name": self._hostname, "Type": "A", "AliasTarget": alias}

    def _primary_of(self, records: list[dict[str, Any]], target: str) -> list[dict[str, Any]]:
        """The pair with the roles as they have to be. The identifiers stay, what they lead to changes places: Route 53
        has no more than one PRIMARY of a name, so roles could not be exchanged one by one."""
        leads = ("ResourceRecords", "AliasTarget", "HealthCheckId", "TTL")
        primary, secondary = sorted(records, key=lambda record: str(record["Failover"]))
        if target_of(primary) == target:
            return records

        def exchanged(record: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
            rest = {key: value for key, value in record.items() if key not in leads}
            return rest | {key: other[key] for key in leads if key in other}

        return [exchanged(primary, secondary), exchanged(secondary, primary)]

    @property
    def zone(self) -> str:
        """Its id, and the role that changes it."""
        role = self._described.role
        return "#".join([self._described.hosted_zone_id, *([role.role_arn] if role else [])])

    def name_servers(self) -> tuple[str, ...]:
        """The plan's, or those of the zone's delegation set."""
        if not self._servers:
            self._servers = self._zone.name_servers()
        return self._servers

    def answers(self, servers: tuple[str, ...]) -> dict[str, str]:
        """What these name servers answer, or those of the zone."""
        self._servers = servers or self.name_servers()
        return ask(self._servers, self._hostname, self._type, self._targets)


def _weighing(record: dict[str, Any], weight: int) -> dict[str, Any]:
    return record | {"Weight": weight}
