"""An alias is a record of addresses: whose they are is told by the load balancers' own names. Resolvers are told of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import dns.resolver
import pytest

from drill import fixture_plan
from drill.client_name import hold_by_records
from drill.dns_providers.scenarios import DnsProvider
from tests.names.conftest import EAST, WEST, Call, answered, until_done

pytestmark = pytest.mark.slow
ADDRESSES = {EAST: ["192.0.2.1", "192.0.2.2"], WEST: ["198.51.100.1"]}


@pytest.fixture
def held(aws: Callable[..., Any], zone: str) -> DnsProvider:
    """The name is an alias of east's load balancer, which has two addresses."""
    addresses = [
        {"Name": name, "Type": "A", "TTL": 1, "ResourceRecords": [{"Value": each} for each in of_name]}
        for name, of_name in ADDRESSES.items()
    ]
    alias = {"HostedZoneId": zone, "DNSName": EAST, "EvaluateTargetHealth": False}
    hold_by_records(aws, zone, [*addresses, {"Name": fixture_plan.HOSTNAME, "Type": "A", "AliasTarget": alias}])
    zones = dict.fromkeys(("east", "west"), zone)
    return DnsProvider(dns={"kind": "route53-record", "hosted_zone_id": zone, "type": "alias", "alias_zones": zones})


@pytest.fixture(autouse=True)
def here_is_dns(name_server: str) -> Iterator[dns.resolver.Resolver]:
    """The system's resolver is this name server."""
    host, _, port = name_server.partition(":")
    before = dns.resolver.default_resolver
    here = dns.resolver.Resolver(configure=False)
    here.nameservers, here.port = [host], int(port)
    dns.resolver.default_resolver = here
    yield here
    dns.resolver.default_resolver = before


def test_an_alias_is_flipped_and_its_addresses_prove_it(
    execution: dict[str, Any], call: Call, name_server: str
) -> None:
    assert answered(name_server, "A") == ADDRESSES[EAST]
    report = until_done(call, {"execution": execution})
    assert answered(name_server, "A") == ADDRESSES[WEST]
    assert report["observed"]["answers"] == {name_server: WEST}


def test_addresses_that_are_no_sites_are_told_as_they_are(
    deployed: Any, client_name: Callable[[], Any], name_server: str, here_is_dns: dns.resolver.Resolver
) -> None:
    name = client_name()
    assert name.look(None).answers == {name_server: EAST}
    here_is_dns.port = 9
    assert name.look(None).answers == {name_server: ", ".join(ADDRESSES[EAST])}


def test_what_resolvers_say_is_told_and_not_waited_for(
    execution: dict[str, Any], call: Call, name_server: str, described_too: Callable[..., None]
) -> None:
    described_too(resolvers=[name_server, "127.0.0.1:9"])
    report = until_done(call, {"execution": execution})
    said = report["observed"]["resolvers"]
    assert said[name_server] == WEST and said["127.0.0.1:9"].startswith("no answer")
