"""Each kind of name is led to the standby once, proven by what is answered, whatever happens in between."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from drill.client_name import hold_by_records, hold_name, record
from drill.dns_providers.scenarios import DnsProvider
from failover.dns import ClientName
from failover.ledger.ledger import Ledger
from tests.names.conftest import EAST, WEST, Call, answered, until_done

pytestmark = pytest.mark.slow


ROUTE53 = ("simple", "weighted", "failover", "health-check")
OTHERS = {
    "cloud-dns": "on_cloud_dns",
    "traffic-manager": "on_traffic_manager",
    "routing-controls": "on_routing_controls",
}


@pytest.fixture(params=[*ROUTE53, *OTHERS])
def held(request: pytest.FixtureRequest, aws: Callable[..., Any], aws_endpoint: str, zone: str) -> DnsProvider:
    """The name, leading to east."""
    if request.param in OTHERS:
        other: DnsProvider = request.getfixturevalue(OTHERS[request.param])
        return other
    if request.param == "health-check":
        return DnsProvider(dns=hold_name("route53-health-check", aws, zone, aws_endpoint))
    records = {
        "simple": [record("east")],
        "weighted": [record("east", SetIdentifier="e", Weight=10), record("west", SetIdentifier="w", Weight=0)],
        "failover": [
            record("east", SetIdentifier="first", Failover="PRIMARY"),
            record("west", SetIdentifier="second", Failover="SECONDARY"),
        ],
    }
    hold_by_records(aws, zone, records[request.param])
    return DnsProvider(dns={"kind": "route53-record", "hosted_zone_id": zone, "ttl": 1, "routing": request.param})


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
        crash.setattr(Ledger, "record_step", lambda *_, **__: (_ for _ in ()).throw(MemoryError()))
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
    change = name.point_to("east")
    deadline = time.monotonic() + 90
    while not ((state := name.look(change)).leads_to(EAST) and state.in_sync):
        assert time.monotonic() < deadline, state
        time.sleep(0.1)
    assert answered(name_server) == [EAST]
