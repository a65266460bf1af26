"""The client hostname of a world: one record of its zone, or a pair that beacons switch, as name.yaml sets them up."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from drill.fixture_plan import (
    GATEWAY_REGIONS,
    HOME,
    HOSTNAME,
    NEAR,
    PLAN,
    REGIONS,
    STANDBY,
    THIRD_REGION,
    TTL_S,
    dns_target,
)

NameKind = Literal["route53-record", "route53-health-check"]
Document = dict[str, Any]
Aws = Callable[..., Any]
BEACON_REGIONS: Final = (REGIONS[STANDBY], THIRD_REGION)


def hold_name(
    kind: NameKind, aws: Aws, zone_id: str, endpoint: str, *, near: tuple[str, int] | None = None
) -> Document:
    """Have the zone lead the name to the home site; the plan's `dns`. `endpoint`: where the AWS account answers;
    `near`: host and port of the gateways near the clients, if those are led to instead, at all times."""
    if near is not None:
        return _hold_by_latency(aws, zone_id, NEAR, near)
    if kind == "route53-health-check":
        return _hold_by_beacons(aws, zone_id, endpoint)
    hold_by_records(aws, zone_id, [record(HOME)])
    return {"kind": kind, "hosted_zone_id": zone_id, "type": "CNAME", "ttl": TTL_S}


def _hold_by_latency(aws: Aws, zone_id: str, place: str, address: tuple[str, int]) -> Document:
    """Have the zone lead the name to the gateways at a place, as long as its load balancer takes connections."""
    host, port = address
    endpoint = {"Type": "TCP", "IPAddress": host, "Port": port, "RequestInterval": 10, "FailureThreshold": 3}
    policy = {"SetIdentifier": place, "Region": GATEWAY_REGIONS[place], "HealthCheckId": _check(aws, place, endpoint)}
    hold_by_records(aws, zone_id, [record(place, **policy)])
    dns = {"kind": "route53-record", "hosted_zone_id": zone_id, "type": "CNAME", "ttl": TTL_S}
    return dns | {"routing": "latency"}


def record(site: str, **more: Any) -> Document:
    """A record set that leads the client hostname to a location."""
    leads_to = [{"Value": dns_target(site)}]
    return {"Name": HOSTNAME, "Type": "CNAME", "TTL": TTL_S, "ResourceRecords": leads_to, **more}


def hold_by_records(aws: Aws, zone_id: str, records: Sequence[Document]) -> None:
    """Create the hostname's records."""
    changes = [{"Action": "CREATE", "ResourceRecordSet": record} for record in records]
    aws("route53").change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch={"Changes": changes})


def _hold_by_beacons(aws: Aws, zone_id: str, endpoint: str) -> Document:
    beacons = [_beacon(aws, endpoint, region) for region in BEACON_REGIONS]
    checks = [_check(aws, beacon["bucket"], _asks_for(beacon["url"])) for beacon in beacons]
    neither = {"Type": "CALCULATED", "ChildHealthChecks": checks, "HealthThreshold": len(checks)}
    primary = {"SetIdentifier": "home", "Failover": "PRIMARY", "HealthCheckId": _check(aws, "neither", neither)}
    secondary = {"SetIdentifier": "other", "Failover": "SECONDARY"}
    hold_by_records(aws, zone_id, [record(HOME, **primary), record(STANDBY, **secondary)])
    return {"kind": "route53-health-check", "hosted_zone_id": zone_id, "ttl": TTL_S, "beacons": beacons}


def _beacon(aws: Aws, endpoint: str, region: str) -> Document:
    bucket, s3 = f"beacon-{region}", aws("s3", region)
    # us-east-1 is where a bucket is when nothing is said, and it can't be said.
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=bucket, **where)
    anybody = {"Effect": "Allow", "Principal": "*"}
    statements = [
        anybody | {"Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/{PLAN}"},
        anybody | {"Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{bucket}"},
    ]
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))
    return {"bucket": bucket, "key": PLAN, "region": region, "url": f"{endpoint}/{bucket}/{PLAN}"}


def _asks_for(url: str) -> Document:
    address = urlsplit(url)
    return {
        "Type": "HTTP",
        "IPAddress": address.hostname,
        "Port": address.port,
        "ResourcePath": address.path,
        "RequestInterval": 10,
        "FailureThreshold": 1,
        "Inverted": True,
    }


def _check(aws: Aws, reference: str, config: Document) -> str:
    created = aws("route53").create_health_check(CallerReference=reference, HealthCheckConfig=config)
    return str(created["HealthCheck"]["Id"])
