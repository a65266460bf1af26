"""A simple Route 53 record, changed by UPSERT (https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html)
and proven by the zone's own name servers, as resolvers will ask them.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dns.exception
import dns.message
import dns.query
import dns.rdatatype
import dns.resolver
from botocore.exceptions import BotoCoreError, ClientError

from failover.aws import client, error_code, is_transient
from failover.dns import NameState, canonical
from failover.errors import DnsRejected, DnsUnavailable
from failover.plan import Route53Record

ASKED_S = 1.0


class Route53ClientName:
    """A `ClientName` that is one record of a Route 53 zone."""

    def __init__(self, hostname: str, record: Route53Record, route53: Any = None) -> None:
        self._hostname = canonical(hostname)
        self._record = record
        self._route53 = route53 if route53 is not None else client("route53")
        self._servers: tuple[str, ...] = record.nameservers

    def look(self, change: str | None) -> NameState:
        """The record in the zone, GetChange of `change`, and what each name server answers."""
        in_sync = True
        if change is not None:
            in_sync = self._call(self._route53.get_change, Id=change)["ChangeInfo"]["Status"] == "INSYNC"
        record, ttl = self._held()
        return NameState(record, self._answers(), in_sync, ttl)

    def point_at(self, target: str) -> str:
        """UPSERT the record; the id of the change."""
        records = {
            "Name": self._hostname,
            "Type": self._record.type,
            "TTL": self._record.ttl,
            "ResourceRecords": [{"Value": canonical(target)}],
        }
        answer = self._call(
            self._route53.change_resource_record_sets,
            HostedZoneId=self._record.hosted_zone_id,
            ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": records}]},
        )
        return str(answer["ChangeInfo"]["Id"])

    def _held(self) -> tuple[str | None, int | None]:
        answer = self._call(
            self._route53.list_resource_record_sets,
            HostedZoneId=self._record.hosted_zone_id,
            StartRecordName=self._hostname,
            StartRecordType=self._record.type,
            MaxItems="1",
        )
        for found in answer["ResourceRecordSets"]:
            if canonical(found["Name"]) == self._hostname and found["Type"] == self._record.type:
                if "SetIdentifier" in found:
                    raise DnsRejected(
                        f"{self._hostname} has a routing policy; a route53-record must be a simple record"
                    )
                return canonical(found["ResourceRecords"][0]["Value"]), found.get("TTL")
        return None, None

    def _answers(self) -> dict[str, str]:
        if not self._servers:
            zone = self._call(self._route53.get_hosted_zone, Id=self._record.hosted_zone_id)
            self._servers = tuple(zone.get("DelegationSet", {}).get("NameServers", ()))
        with ThreadPoolExecutor(max_workers=max(1, len(self._servers))) as pool:
            return dict(zip(self._servers, pool.map(self._ask, self._servers), strict=True))

    def _ask(self, server: str) -> str:
        host, _, port = server.partition(":")
        question = dns.message.make_query(self._hostname, self._record.type)
        try:
            address = (
                host if host.replace(".", "").isdigit() else str(dns.resolver.resolve(host, "A", lifetime=ASKED_S)[0])
            )
            answer = dns.query.udp(question, address, timeout=ASKED_S, port=int(port or 53))
        except (dns.exception.DNSException, OSError) as error:
            return f"no answer ({type(error).__name__})"
        for found in answer.answer:
            if found.rdtype == dns.rdatatype.from_text(self._record.type):
                return canonical(str(next(iter(found)).target))
        return "no such record"

    def _call(self, operation: Callable[..., dict[str, Any]], **arguments: Any) -> dict[str, Any]:
        try:
            return operation(**arguments)
        except (ClientError, BotoCoreError) as error:
            if is_transient(error):
                raise DnsUnavailable(f"Route 53 gave no answer for {self._hostname}: {error}") from error
            code = error_code(error) if isinstance(error, ClientError) else type(error).__name__
            raise DnsRejected(
                f"Route 53 refused {self._hostname} in zone {self._record.hosted_zone_id}: {code}"
            ) from error
