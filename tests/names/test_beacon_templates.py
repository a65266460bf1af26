"""What `beacon.yaml` and `name.yaml` set up is what a flip needs, as readiness asks for it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import yaml

from drill import fixture_plan
from drill.aws.clients import Clients
from drill.aws.lambda_process import Surroundings
from drill.aws.lambda_runtime import LambdaRuntime
from drill.aws.template import Stack
from failover.dns import client_name_of
from failover.plan.model import Plan, parse

ROOT = Path(__file__).resolve().parents[2]
Deploy = Callable[..., dict[str, str]]


@pytest.fixture
def deploy(aws: Callable[..., Any], aws_endpoint: str, tmp_path: Path) -> Deploy:
    """Deploys a template; its outputs."""

    def deployed(name: str, region: str, **parameters: str) -> dict[str, str]:
        stack = Stack(
            ROOT / f"{name}.yaml",
            parameters,
            name=name,
            account=fixture_plan.ACCOUNT,
            region=region,
            clients=Clients(aws_endpoint),
            runtime=LambdaRuntime(
                Surroundings(python=sys.executable, endpoint=aws_endpoint, log_dir=tmp_path), lambda _: None
            ),
        )
        return stack.load()

    return deployed


@pytest.fixture
def plan(aws: Callable[..., Any], aws_endpoint: str, deploy: Deploy, monkeypatch: pytest.MonkeyPatch) -> Plan:
    zone = (
        aws("route53")
        .create_hosted_zone(Name=fixture_plan.ZONE, CallerReference="t")["HostedZone"]["Id"]
        .split("/")[-1]
    )
    regions = ("us-west-2", "us-east-1")
    beacons = {region: deploy("beacon", region, PlanName="orders") for region in regions}
    deploy(
        "name",
        "us-west-2",
        PlanName="orders",
        ClientHostname=fixture_plan.HOSTNAME,
        HostedZoneId=zone,
        HomeTarget=fixture_plan.dns_target("east"),
        OtherTarget=fixture_plan.dns_target("west"),
        BeaconDomain=beacons["us-west-2"]["Domain"],
        SecondBeaconDomain=beacons["us-east-1"]["Domain"],
    )
    here = httpx.get

    def to_this_machine(url: str, **more: Any) -> httpx.Response:
        """A bucket's own address leads to this account's S3."""
        address = urlsplit(url)
        return here(f"{aws_endpoint}/{address.netloc.partition('.')[0]}{address.path}", **more)

    monkeypatch.setattr(httpx, "get", to_this_machine)
    document = yaml.safe_load((ROOT / "plans" / "orders.yaml").read_text())
    for site in ("east", "west"):
        document["sites"][site]["dns_target"] = fixture_plan.dns_target(site)
    described = [
        {"bucket": outputs["Bucket"], "key": "orders", "region": region} for region, outputs in beacons.items()
    ]
    document |= {
        "hostname": fixture_plan.HOSTNAME,
        "dns": {"kind": "route53-health-check", "hosted_zone_id": zone, "ttl": 5, "beacons": described},
    }
    return parse(yaml.safe_dump(document))


def test_nothing_of_it_stands_in_a_flips_way(plan: Plan) -> None:
    name = client_name_of(plan)
    assert name is not None
    assert name.obstacles("east") == []


def test_a_beacon_that_is_there_is_seen_by_anybody(plan: Plan) -> None:
    name = client_name_of(plan)
    assert name is not None
    name.point_to("west")
    assert name.obstacles("west") == []
    assert len(name.obstacles("east")) == 2


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"Inverted": False}, "not inverted"),
        ({"FailureThreshold": 3}, "is slow"),
        ({"ResourcePath": "/another"}, "no health check"),
        ({"Disabled": True}, "disabled"),
    ],
)
def test_a_health_check_that_was_changed_by_hand_is_found(
    plan: Plan, aws: Callable[..., Any], change: dict[str, Any], found: str
) -> None:
    checks = aws("route53").list_health_checks()["HealthChecks"]
    check = next(each for each in checks if each["HealthCheckConfig"]["Type"] == "HTTPS")
    aws("route53").update_health_check(HealthCheckId=check["Id"], **change)
    name = client_name_of(plan)
    assert name is not None
    assert any(found in each.what for each in name.obstacles("east"))


def test_a_bucket_that_nobody_may_look_into_is_found(plan: Plan, aws: Callable[..., Any]) -> None:
    name = client_name_of(plan)
    assert name is not None
    name.point_to("west")
    bucket = next(iter(aws("s3").list_buckets()["Buckets"]))["Name"]
    aws("s3").delete_bucket_policy(Bucket=bucket)
    (obstacle,) = name.obstacles("west")
    assert "answers 403" in obstacle.what and bucket in obstacle.what


def test_what_would_lead_clients_back_by_itself_is_found(plan: Plan, aws: Callable[..., Any]) -> None:
    route53 = aws("route53")
    zone = route53.list_hosted_zones()["HostedZones"][0]["Id"]
    secondary = next(
        each
        for each in route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
        if each.get("Failover") == "SECONDARY"
    )
    check = route53.list_health_checks()["HealthChecks"][0]["Id"]
    change = {"Action": "UPSERT", "ResourceRecordSet": secondary | {"HealthCheckId": check}}
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [change]})
    name = client_name_of(plan)
    assert name is not None
    (obstacle,) = name.obstacles("east")
    assert "SECONDARY" in obstacle.what and "led back" in obstacle.what
