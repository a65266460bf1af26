"""What keeps beacons from leading clients is found long before: in the records, their health check, the beacons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from failover.dns import route53_health_check
from failover.dns.route53_health_check import BeaconName
from failover.plan.client_name import Beacon, Route53HealthCheck
from failover.plan.model import parse

PLAN = Path(__file__).resolve().parents[2] / "plans" / "orders.yaml"
EAST, WEST = "gw-east.orders.example.com", "gw-west.orders.example.com"
HOST = "beacons-west.s3.us-west-2.amazonaws.com"
FAST = {"RequestInterval": 10, "FailureThreshold": 1}
CHECK = {"Type": "HTTPS", "FullyQualifiedDomainName": HOST, "ResourcePath": "/orders", "Inverted": True, **FAST}
HERE = Beacon(bucket="beacons-west", key="orders", region="us-west-2")


def record(role: str, target: str, check: str | None = None) -> dict[str, Any]:
    led = {"Failover": role, "ResourceRecords": [{"Value": target}]}
    return led | ({"HealthCheckId": check} if check else {})


class Zone:
    """Route 53, as far as readiness asks it: the records of the name, and health checks by their ids."""

    def __init__(self) -> None:
        self.held = [record("PRIMARY", EAST, "h1"), record("SECONDARY", WEST)]
        self.checks: dict[str, dict[str, Any]] = {"h1": dict(CHECK)}

    def records(self, *_: str) -> list[dict[str, Any]]:
        return self.held

    def health_check(self, identity: str) -> dict[str, Any]:
        return self.checks[identity]


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Zone:
    """All is as a flip needs it, and leads to east."""
    here = Zone()
    monkeypatch.setattr(route53_health_check, "Zone", lambda *_, **__: here)
    answering(monkeypatch, 404)
    return here


def answering(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """What everybody is answered who asks for a beacon."""
    monkeypatch.setattr(httpx, "get", lambda url, **_: httpx.Response(status, request=httpx.Request("GET", url)))


def obstacles(active: str = "east", *beacons: Beacon) -> list[str]:
    described = Route53HealthCheck(kind="route53-health-check", hosted_zone_id="Z1", beacons=beacons or (HERE,))
    return [each.what for each in BeaconName(parse(PLAN.read_text()), described).obstacles(active)]


def test_a_check_of_the_one_beacon_is_enough_and_one_that_is_calculated_stands_for_its_children(zone: Zone) -> None:
    assert obstacles() == []
    other = Beacon(bucket="beacons-east", key="orders", region="us-east-1")
    (found,) = obstacles("east", HERE, other)
    assert found.endswith(f"asks for {other.address}")
    zone.checks |= {
        "of-west": zone.checks["h1"],
        "of-east": CHECK | {"FullyQualifiedDomainName": "beacons-east.s3.us-east-1.amazonaws.com"},
        "h1": {"Type": "CALCULATED", "ChildHealthChecks": ["of-west", "of-east"]},
    }
    assert obstacles("east", HERE, other) == []


@pytest.mark.parametrize(
    ("records", "found"),
    [
        ([], ["no PRIMARY record", "no SECONDARY record", "no health check"]),
        ([record("PRIMARY", EAST, "h1")], [f"no SECONDARY record that leads to {WEST}"]),
        ([record("PRIMARY", WEST, "h1"), record("SECONDARY", WEST)], [f"no PRIMARY record that leads to {EAST}"]),
        ([record("PRIMARY", EAST, "h1"), record("SECONDARY", EAST)], [f"no SECONDARY record that leads to {WEST}"]),
        ([record("PRIMARY", EAST), record("SECONDARY", WEST)], ["the PRIMARY record of", "has no health check"]),
        ([record("PRIMARY", EAST, "h1"), record("SECONDARY", WEST, "h1")], ["clients are led back"]),
    ],
)
def test_records_that_are_no_pair_of_both_sites_are_found(
    zone: Zone, records: list[dict[str, Any]], found: list[str]
) -> None:
    zone.held = records
    text = "\n".join(obstacles())
    assert all(words in text for words in found)
    assert len(text.splitlines()) == (len(found) if "the PRIMARY record of" not in found else 1)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"Disabled": True}, "disabled or not inverted"),
        ({"Inverted": False}, "disabled or not inverted"),
        ({"RequestInterval": 30}, "is slow"),
        ({"FailureThreshold": 2}, "is slow"),
        ({"RequestInterval": None}, "is slow"),
        ({"FailureThreshold": None}, "is slow"),
    ],
)
def test_a_check_that_does_not_see_a_beacon_at_once_is_found(zone: Zone, change: dict[str, Any], found: str) -> None:
    changed = CHECK | change
    zone.checks["h1"] = {key: value for key, value in changed.items() if value is not None}
    (what,) = obstacles()
    assert found in what and f"https://{HOST}/orders" in what


@pytest.mark.parametrize(
    ("url", "check"),
    [
        (None, {"Port": 443}),
        (None, {"Type": "HTTPS_STR_MATCH"}),
        (f"http://{HOST}/orders", {"Type": "HTTP"}),
        (f"http://{HOST}/orders", {"Type": "HTTP_STR_MATCH", "Port": 80}),
        (f"https://{HOST}:8443/orders", {"Port": 8443}),
        (f"http://{HOST}:443/orders", {"Type": "HTTP", "Port": 443}),
        (f"https://{HOST}:1/orders", {"Port": 1}),
        ("https://192.0.2.7/orders", {"FullyQualifiedDomainName": None, "IPAddress": "192.0.2.7"}),
        (f"https://{HOST}/", {"ResourcePath": None}),
    ],
)
def test_a_check_asks_for_a_beacon_where_its_scheme_host_port_and_path_are_the_beacons(
    zone: Zone, url: str | None, check: dict[str, Any]
) -> None:
    changed = CHECK | check
    zone.checks["h1"] = {key: value for key, value in changed.items() if value is not None}
    beacon = Beacon(bucket="beacons-west", key="orders", region="us-west-2", url=url)
    assert obstacles("east", beacon) == []
    (found,) = obstacles("east", Beacon(bucket="another", key="orders", region="us-west-2"))
    assert "no health check of kafka.orders.example.com asks for https://another.s3." in found


@pytest.mark.parametrize(
    ("active", "status", "found"),
    [
        ("east", 404, []),
        ("west", 200, []),
        ("east", 200, ["answers 200, and 404 is wanted while east is active"]),
        ("west", 404, ["answers 404, and 200 is wanted while west is active"]),
        ("east", 403, ["answers 403, and 404 is wanted"]),
    ],
)
def test_anybody_sees_a_beacon_while_the_other_site_is_active_and_sees_that_there_is_none_at_home(
    zone: Zone, monkeypatch: pytest.MonkeyPatch, active: str, status: int, found: list[str]
) -> None:
    answering(monkeypatch, status)
    told = obstacles(active)
    assert len(told) == len(found) and all(words in what for words, what in zip(found, told, strict=True))
