"""Each kind of name is led to the standby once, proven by what is answered, whatever happens in between."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from drill import orders
from failover.dns import ClientName
from failover.ledger import Ledger
from tests.names.conftest import EAST, WEST, Call, Held, answered, until_done

pytestmark = pytest.mark.slow
Hold = Callable[[], Held]


def record(value: str, **more: Any) -> dict[str, Any]:
    """A record set of the client hostname."""
    return {"Name": orders.HOSTNAME, "Type": "CNAME", "TTL": 1, "ResourceRecords": [{"Value": value}], **more}


@pytest.fixture(params=["simple", "weighted", "failover", "health-check"])
def held(request: pytest.FixtureRequest, aws: Callable[..., Any], aws_endpoint: str, zone: str) -> Held:
    """The name, leading to east."""
    records: dict[str, list[dict[str, Any]]] = {
        "simple": [record(EAST)],
        "weighted": [record(EAST, SetIdentifier="e", Weight=10), record(WEST, SetIdentifier="w", Weight=0)],
        "failover": [
            record(EAST, SetIdentifier="first", Failover="PRIMARY"),
            record(WEST, SetIdentifier="second", Failover="SECONDARY"),
        ],
    }
    described = {"kind": "route53-record", "hosted_zone_id": zone, "ttl": 1, "routing": request.param}
    if request.param == "health-check":
        beacons = [_beacon(aws, aws_endpoint, region) for region in ("us-west-2", "us-east-1")]
        children = [_check(aws, each) for each in beacons]
        calculated = aws("route53").create_health_check(
            CallerReference="both",
            HealthCheckConfig={"Type": "CALCULATED", "ChildHealthChecks": children, "HealthThreshold": len(children)},
        )["HealthCheck"]["Id"]
        records["health-check"] = [
            record(EAST, SetIdentifier="home", Failover="PRIMARY", HealthCheckId=calculated),
            record(WEST, SetIdentifier="other", Failover="SECONDARY"),
        ]
        described = {"kind": "route53-health-check", "hosted_zone_id": zone, "ttl": 1, "beacons": beacons}
    changes = [{"Action": "CREATE", "ResourceRecordSet": each} for each in records[request.param]]
    aws("route53").change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})
    return Held(described)


def _beacon(aws: Callable[..., Any], endpoint: str, region: str) -> dict[str, Any]:
    bucket = f"beacon-{region}"
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    aws("s3", region).create_bucket(Bucket=bucket, **where)
    anybody = {"Effect": "Allow", "Principal": "*"}
    statements = [
        anybody | {"Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/orders"},
        anybody | {"Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{bucket}"},
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    aws("s3", region).put_bucket_policy(Bucket=bucket, Policy=policy)
    return {"bucket": bucket, "key": "orders", "region": region, "url": f"{endpoint}/{bucket}/orders"}


def _check(aws: Callable[..., Any], beacon: dict[str, Any]) -> str:
    port = int(beacon["url"].split(":")[2].partition("/")[0])
    config = {
        "Type": "HTTP",
        "IPAddress": "127.0.0.1",
        "Port": port,
        "ResourcePath": f"/{beacon['bucket']}/{beacon['key']}",
        "RequestInterval": 10,
        "FailureThreshold": 1,
        "Inverted": True,
    }
    created = aws("route53").create_health_check(CallerReference=beacon["bucket"], HealthCheckConfig=config)
    return str(created["HealthCheck"]["Id"])


def test_the_name_is_flipped_and_what_is_answered_proves_it(
    execution: dict[str, Any], call: Call, name_server: str
) -> None:
    assert answered(name_server) == [EAST]
    report = until_done(call, {"execution": execution})
    assert answered(name_server) == [WEST]
    assert (report["observed"]["record"], set(report["observed"]["answers"].values())) == (WEST, {WEST})


def test_a_repeated_flip_changes_nothing(execution: dict[str, Any], call: Call, name_server: str) -> None:
    first = until_done(call, {"execution": execution})
    again = call("flip_dns", {"execution": execution})
    assert (again["status"], again["observed"]) == ("done", first["observed"])


def test_a_flip_that_crashed_after_its_effect_is_taken_up(
    execution: dict[str, Any], call: Call, name_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as crash:
        crash.setattr(Ledger, "record_step", lambda *_: (_ for _ in ()).throw(MemoryError()))
        with pytest.raises(MemoryError):
            call("flip_dns", {"execution": execution})
    until_done(call, {"execution": execution})
    assert answered(name_server) == [WEST]


def test_a_dry_run_says_where_it_would_lead_and_leads_nowhere(
    execution: dict[str, Any], call: Call, name_server: str
) -> None:
    dry = call("claim", {"start": {"plan": "orders", "to": "standby", "dry_run": True}, "execution_name": "dry"})
    report = call("flip_dns", {"execution": dry["execution"]})
    assert (report["status"], report["observed"]["would_point_at"]) == ("done", WEST)
    assert report["observed"]["record"] == EAST
    assert answered(name_server) == [EAST]


def test_the_name_is_led_back_when_asked(
    execution: dict[str, Any], call: Call, name_server: str, client_name: Callable[[], ClientName]
) -> None:
    until_done(call, {"execution": execution})
    name = client_name()
    change = name.lead_to("east")
    deadline = time.monotonic() + 20
    while not ((state := name.look(change)).leads_to(EAST) and state.in_sync):
        assert time.monotonic() < deadline, state
        time.sleep(0.1)
    assert answered(name_server) == [EAST]
