"""Records by latency as Route 53 answers them: one whose health check passes, and any of them where none does."""

from __future__ import annotations

from typing import Any

from drill.network.dns_server import DnsConfig, Zone

NAME = "kafka.orders.example.com"


def record(target: str) -> dict[str, Any]:
    return {
        "Name": f"{NAME}.",
        "Type": "CNAME",
        "SetIdentifier": target,
        "Region": "eu-west-1",
        "HealthCheckId": target,
    }


def test_who_is_dead_is_not_answered_unless_all_are() -> None:
    zone = Zone(DnsConfig(aws_endpoint="http://127.0.0.1:9", zone_id="Z1"))
    zone._answered = [record("near"), record("far")]
    for healthy, answer in (
        ({}, "near"),
        ({"near": False}, "far"),
        ({"far": False}, "near"),
        ({"near": False, "far": False}, "near"),
    ):
        zone._healthy = healthy
        assert [each["SetIdentifier"] for each in zone.records(NAME)] == [answer]
