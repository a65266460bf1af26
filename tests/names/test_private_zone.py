"""A private zone's name servers answer nobody: its name is proven by the resolver of the network that the functions are
in, whatever kind of name it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import dns.resolver
import pytest
import yaml

from drill import fixture_plan
from drill.client_name import hold_by_records, hold_name, record
from drill.dns_providers.scenarios import DnsProvider
from tests.names.conftest import EAST, WEST, Call, answered, until_done

pytestmark = pytest.mark.slow
RESERVED = ["ns-0.awsdns-00.com.", "ns-512.awsdns-00.net.", "ns-1024.awsdns-00.org.", "ns-1536.awsdns-00.co.uk."]


@pytest.fixture
def zone(aws: Callable[..., Any]) -> str:
    """An empty private zone."""
    vpc = {"VPCRegion": "us-west-2", "VPCId": aws("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]}
    made = aws("route53").create_hosted_zone(
        Name=fixture_plan.ZONE, CallerReference="tests", VPC=vpc, HostedZoneConfig={"PrivateZone": True}
    )
    assert "DelegationSet" not in made
    return str(made["HostedZone"]["Id"].rsplit("/", 1)[-1])


@pytest.fixture(params=["route53-record", "route53-health-check"])
def held(request: pytest.FixtureRequest, aws: Callable[..., Any], aws_endpoint: str, zone: str) -> DnsProvider:
    """The name, leading to east."""
    if request.param == "route53-health-check":
        return DnsProvider(dns=hold_name(request.param, aws, zone, aws_endpoint))
    hold_by_records(aws, zone, [record("east")])
    return DnsProvider(dns={"kind": request.param, "hosted_zone_id": zone, "ttl": 1})


@pytest.fixture
def plan_text(plan_text: str) -> str:
    """A plan that names no name server."""
    plan = yaml.safe_load(plan_text)
    del plan["dns"]["nameservers"]
    return str(yaml.safe_dump(plan))


@pytest.fixture(autouse=True)
def resolver(name_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The system's resolver is the VPC's, which knows the zone, and its name servers by their reserved names."""
    host, _, port = name_server.partition(":")
    here = dns.resolver.Resolver(configure=False)
    here.nameservers, here.port = [host], int(port)
    monkeypatch.setattr(dns.resolver, "default_resolver", here)
    monkeypatch.setattr(dns.resolver, "zone_for_name", lambda *_, **__: fixture_plan.ZONE)
    monkeypatch.setattr(dns.resolver, "resolve", lambda *_, **__: RESERVED)
    yield


def test_a_name_in_a_private_zone_is_flipped_and_proven_by_the_networks_resolver(
    execution: dict[str, Any], call: Call, name_server: str
) -> None:
    assert answered(name_server) == [EAST]
    report = until_done(call, {"execution": execution})
    assert report["observed"]["answers"] == {name_server: WEST}
