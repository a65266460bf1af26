"""A DNS server for the zone that Route 53 holds: authoritative, over UDP and TCP, its answers read through the API.

The zone is read beside the answering, so that no question waits for the API; when the API does not answer, the last
answers stand. Route 53's data plane outlives its control plane, too: what health checks say is heard on another way,
and so is, in a drill, what name servers answer of a change that is not in sync yet.
"""

from __future__ import annotations

import functools
import threading
import time
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final

import boto3
import urllib3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from dnslib import AAAA, CNAME, NS, QTYPE, RCODE, RR, SOA, TXT, A, DNSRecord
from dnslib.server import BaseResolver, DNSLogger, DNSServer
from pydantic import BaseModel
from urllib3.exceptions import HTTPError

from drill.ports import Host, free_ports
from drill.process import announce, configuration, exit_with_parent

READ_AGAIN_S: Final = 0.1
HEALTH: Final = "/drill/health-checks"
_CONNECTIONS: Final = urllib3.PoolManager()
DATA: Final[dict[str, Any]] = {"A": A, "AAAA": AAAA, "CNAME": CNAME, "NS": NS}


class DnsConfig(BaseModel):
    """What the process is told. `health_url`: where it hears what health checks say; `records_url`: where records are
    told as name servers answer them, if not by Route 53's API."""

    aws_endpoint: str
    zone_id: str
    region: str = "us-east-1"
    health_url: str | None = None
    records_url: str | None = None
    host: Host = Host()


class Zone:
    """The zone's records as they were last read; a thread reads them every 100 ms."""

    def __init__(self, config: DnsConfig) -> None:
        self._config = config
        self._healthy: dict[str, bool] = {}
        self._answered: list[dict[str, Any]] = []
        self.origin = ""

    def records(self, name: str) -> list[dict[str, Any]]:
        """The record sets of a name that are answered now, by their routing policy and its health checks."""
        named = [record_set for record_set in self._answered if _plain(record_set["Name"]) == name]
        by_weight = sorted(
            (record_set for record_set in named if record_set.get("Weight")),
            key=lambda record_set: -int(record_set["Weight"]),
        )
        primary = [record_set for record_set in named if record_set.get("Failover") == "PRIMARY"]
        secondary = [record_set for record_set in named if record_set.get("Failover") == "SECONDARY"]
        by_latency = [record_set for record_set in named if "Region" in record_set]
        well = [record_set for record_set in by_latency if not self._fails([record_set])]
        simple = [record_set for record_set in named if "SetIdentifier" not in record_set]
        failing_over = secondary if self._fails(primary) and not self._fails(secondary) else primary
        return simple + by_weight[:1] + (well or by_latency)[:1] + failing_over

    def _fails(self, records: list[dict[str, Any]]) -> bool:
        """Whether there is none, or its health check says no."""
        return not any(self._healthy.get(record_set.get("HealthCheckId", ""), True) for record_set in records)

    def start(self) -> None:
        """Read once, then again and again."""
        self._read()
        threading.Thread(target=self._read_on, name="zone", daemon=True).start()

    def _read_on(self) -> None:
        while True:
            time.sleep(READ_AGAIN_S)
            self._read()

    def _read(self) -> None:
        config = self._config
        with suppress(OSError, ValueError, HTTPError):
            self._healthy = _fetch(config.health_url or config.aws_endpoint + HEALTH)
        try:
            self._answered = _fetch(config.records_url) if config.records_url else self._of_route53()
        except (BotoCoreError, ClientError, OSError, ValueError, HTTPError):
            return
        start_of_zone = (record_set["Name"] for record_set in self._answered if record_set["Type"] == "SOA")
        self.origin = next(start_of_zone, self.origin)

    @functools.cached_property
    def _route53(self) -> Any:
        return boto3.client(
            "route53",
            region_name=self._config.region,
            endpoint_url=self._config.aws_endpoint,
            aws_access_key_id="drill",
            aws_secret_access_key="drill",
            config=Config(connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 1}),
        )

    def _of_route53(self) -> list[dict[str, Any]]:
        answer: Any = self._route53.list_resource_record_sets(HostedZoneId=self._config.zone_id)
        record_sets: list[dict[str, Any]] = answer["ResourceRecordSets"]
        return record_sets


def _fetch(url: str) -> Any:
    answer = _CONNECTIONS.request("GET", url, timeout=1.0, retries=False)
    if answer.status != HTTPStatus.OK:
        raise OSError(f"{url} answers {answer.status}")
    return answer.json()


class Resolver(BaseResolver):  # type: ignore[misc]
    """Answers from the zone."""

    def __init__(self, zone: Zone) -> None:
        self._zone = zone

    def resolve(self, request: Any, handler: Any) -> Any:
        """The answer to one question: records of the name and type, or its CNAME."""
        reply = request.reply()
        reply.header.aa, reply.header.ra = 1, 0
        name = str(request.q.qname).lower().rstrip(".")
        kind = QTYPE[request.q.qtype]
        named = self._zone.records(name)
        for record_set in named:
            if record_set["Type"] in (kind, "CNAME") or kind == "ANY":
                for records in self._leads_to(record_set):
                    _answer(reply, request.q.qname, records)
        if not reply.rr:
            if not named:
                reply.header.rcode = RCODE.NXDOMAIN
            origin = self._zone.origin or "invalid."
            reply.add_auth(RR(origin, QTYPE.SOA, rdata=SOA(f"ns.{origin}", f"hostmaster.{origin}"), ttl=5))
        return reply

    def _leads_to(self, records: dict[str, Any]) -> list[dict[str, Any]]:
        """The records, or what an alias stands for in this zone, with its TTL."""
        if "AliasTarget" not in records:
            return [records]
        targets = self._zone.records(_plain(records["AliasTarget"]["DNSName"]))
        return [record_set for record_set in targets if record_set["Type"] == records["Type"]]


def _answer(reply: DNSRecord, name: Any, records: dict[str, Any]) -> None:
    for value in records.get("ResourceRecords", []):
        kind = records["Type"]
        data = TXT(value["Value"].strip('"')) if kind == "TXT" else None
        if kind in DATA:
            data = DATA[kind](value["Value"])
        if data is not None:
            reply.add_answer(RR(name, getattr(QTYPE, kind), rdata=data, ttl=int(records.get("TTL", 0))))


def _plain(name: str) -> str:
    return name.lower().rstrip(".")


def main() -> None:
    config = configuration(DnsConfig)
    exit_with_parent()
    zone = Zone(config)
    zone.start()
    port = free_ports(1, config.host.listen)
    quiet = DNSLogger(logf=lambda _: None)  # it would write to stdout, which says one line and no more
    for tcp in (False, True):
        DNSServer(Resolver(zone), address=config.host.listen, port=port, tcp=tcp, logger=quiet).start_thread()
    announce({"port": port})
    threading.Event().wait()


if __name__ == "__main__":
    main()
