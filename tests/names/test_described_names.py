"""What a plan may say of its client hostname, and what is refused, by field."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import NoneType
from typing import Any

import pytest
import yaml

from failover.dns import NameState, client_name_of
from failover.dns.arc_routing_control import RoutingControlName
from failover.dns.cloud_dns import CloudDnsName
from failover.dns.route53_health_check import BeaconName
from failover.dns.route53_latency import LatencyRecords
from failover.dns.route53_record import Route53Name
from failover.dns.traffic_manager import TrafficManagerName
from failover.errors import BadPlan
from failover.plan.client_name import NAME_KINDS
from failover.plan.model import parse
from tests.fleets_near_clients import of_both_sites

EAST, WEST = "gw-east.orders.example.com", "gw-west.orders.example.com"
ROOT = Path(__file__).resolve().parents[2]
ENDPOINTS = [
    {"endpoint": f"https://{n}.route53-recovery-cluster.us-west-2.amazonaws.com/v1", "region": "us-west-2"}
    for n in "abcde"
]
ARN = "arn:aws:route53-recovery-control::123456789012:controlpanel/c/routingcontrol/"
DESCRIBED: dict[str, dict[str, Any]] = {
    "route53-record": {"hosted_zone_id": "Z1", "routing": "weighted"},
    "route53-health-check": {
        "hosted_zone_id": "Z1",
        "beacons": [{"bucket": "beacon-west", "key": "orders", "region": "us-west-2"}],
    },
    "arc-routing-control": {
        "cluster_endpoints": ENDPOINTS,
        "controls": {"east": f"{ARN}east", "west": f"{ARN}west"},
    },
    "cloud-dns": {
        "project": "orders-prod",
        "managed_zone": "orders",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/aws/providers/aws",
    },
    "traffic-manager": {
        "subscription": "00000000-0000-0000-0000-000000000001",
        "resource_group": "gateways",
        "profile": "orders",
        "endpoints": {"east": "ExternalEndpoints/east", "west": "ExternalEndpoints/west"},
        "tenant": "example.com",
        "client_id": "00000000-0000-0000-0000-000000000002",
    },
    "none": {},
}


def plan(kind: str, **changed: Any) -> str:
    document = yaml.safe_load((ROOT / "plans" / "orders.yaml").read_text())
    return yaml.safe_dump(document | {"dns": {"kind": kind, **DESCRIBED[kind], **changed}})


@pytest.mark.parametrize("kind", NAME_KINDS)
def test_each_kind_is_read(kind: str) -> None:
    assert parse(plan(kind)).dns.kind == kind


@pytest.mark.parametrize("kind", NAME_KINDS)
def test_each_kind_is_held_by_a_class_of_its_own_and_no_name_by_none(kind: str) -> None:
    names = {
        "route53-record": Route53Name,
        "route53-health-check": BeaconName,
        "arc-routing-control": RoutingControlName,
        "cloud-dns": CloudDnsName,
        "traffic-manager": TrafficManagerName,
        "none": NoneType,
    }
    assert type(client_name_of(parse(plan(kind)))) is names[kind]


def test_a_name_by_latency_is_held_as_one_that_leads_everywhere() -> None:
    assert isinstance(client_name_of(parse(json.dumps(of_both_sites()))), LatencyRecords)


@pytest.mark.parametrize(
    ("record", "answers", "leads"),
    [
        (EAST, {"a": EAST, "b": EAST}, True),
        (EAST, {"a": EAST, "b": WEST}, False),
        (WEST, {"a": EAST}, False),
        (None, {"a": EAST}, False),
        (EAST, {"a": WEST}, False),
        (EAST, {}, False),
    ],
)
def test_a_name_leads_to_a_target_once_its_record_and_every_answer_do(
    record: str | None, answers: dict[str, str], leads: bool
) -> None:
    assert NameState(record=record, answers=answers, in_sync=True).leads_to(f"{EAST.upper()}.") is leads


@pytest.mark.parametrize(
    ("kind", "changed", "field"),
    [
        ("route53-record", {"type": "alias"}, "alias_zones"),
        ("route53-record", {"ttl": 3600}, "ttl"),
        ("route53-record", {"routing": "geolocation"}, "routing"),
        ("route53-health-check", {"beacons": []}, "beacons"),
        ("arc-routing-control", {"controls": {"east": f"{ARN}east", "north": f"{ARN}north"}}, "controls"),
        ("arc-routing-control", {"cluster_endpoints": ["not a URL"]}, "cluster_endpoints"),
        ("cloud-dns", {"project": "../another"}, "project"),
        ("cloud-dns", {"api": "ftp://dns"}, "api"),
        ("traffic-manager", {"endpoints": {"east": "ExternalEndpoints/east"}}, "endpoints"),
        ("traffic-manager", {"endpoints": {"east": "a", "north": "b"}}, "endpoints"),
        ("traffic-manager", {"by": "weight"}, "by"),
        ("traffic-manager", {"resource_group": "g" * 91}, "resource_group"),
        ("traffic-manager", {"resource_group": ""}, "resource_group"),
        ("traffic-manager", {"resource_group": "another/group"}, "resource_group"),
        ("none", {"ttl": 5}, "ttl"),
    ],
)
def test_what_can_not_be_is_refused_by_its_field(kind: str, changed: dict[str, Any], field: str) -> None:
    with pytest.raises(BadPlan) as refused:
        parse(plan(kind, **changed))
    assert field in str(refused.value)


def test_a_resource_group_may_have_letters_of_every_alphabet() -> None:
    name = "Gruppe_Köln-(東京)." + "x" * 70
    dns = parse(plan("traffic-manager", resource_group=name)).dns
    assert dns.kind == "traffic-manager" and dns.resource_group == name


def test_no_form_of_a_field_repeats_a_class_of_all_letters() -> None:
    """One such, of up to 90 letters, takes 40 ms to build and 6 MB in every function that imports a plan."""
    forms = (ROOT / "plans" / "plan.schema.json").read_text()
    assert not re.search(r"\\\\[wdsWDS][^\]\"]*\]?\{", forms)
