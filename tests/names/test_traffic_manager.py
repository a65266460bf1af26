"""Azure Traffic Manager: what a write leaves alone, and what a profile may be set up as that a flip can't do with."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import Any

import pytest

from drill.confluent.faults import Fault
from drill.dns_providers.azure import endpoint
from drill.dns_providers.scenarios import DnsProvider
from failover.dns import ClientName
from failover.errors import DnsRejected, DnsUnavailable
from tests.names.conftest import EAST, WEST, Call, answered, until_done

pytestmark = pytest.mark.slow
Name = Callable[[], ClientName]

PRIORITIES = [
    (5, 9, None, (5, 4)),
    (2, 9, None, (2, 1)),
    (1, 2, None, (3, 2)),
    (3, 1, None, (3, 1)),
    (1, 2, ("Enabled", 9), (10, 2)),
    (1, 9, ("Disabled", 5), (10, 9)),
    (4, 9, ("Enabled", 3), (4, 2)),
    (1, 999, None, (1000, 999)),
]
"""Of east, of west, and of an endpoint of others, if there is one; then of east and west, once west is the first."""


@pytest.fixture
def held(on_traffic_manager: DnsProvider) -> DnsProvider:
    return on_traffic_manager


@pytest.mark.parametrize(
    ("on_traffic_manager", "writes"), [("priority", 1), ("status", 2)], indirect=["on_traffic_manager"]
)
def test_only_what_has_to_change_is_written(
    execution: dict[str, Any], call: Call, held: DnsProvider, name_server: str, writes: int
) -> None:
    third = endpoint("lab", "lab.orders.example.com", 9, endpointStatus="Disabled", geoMapping=["WORLD"])
    held.stand_in.endpoints.append(copy.deepcopy(third))
    until_done(call, {"execution": execution})
    assert answered(name_server) == [WEST]
    assert third in held.stand_in.endpoints and len(held.stand_in.endpoints) == 3
    assert held.faults.counts()["Endpoints_Update"]["count"] == writes


def test_priorities_change_places_again_and_again(deployed: Any, held: DnsProvider, client_name: Name) -> None:
    name, seen = client_name(), set()
    held.stand_in.operation_s = 0.0
    for to, target in [("west", WEST), ("east", EAST)] * 4:
        name.point_to(to)
        assert name.look(None).record == target
        seen |= {each["properties"]["priority"] for each in held.stand_in.endpoints}
    assert held.faults.counts()["Endpoints_Update"]["count"] == 8
    assert seen == {1, 2, 3}


@pytest.mark.parametrize("on_traffic_manager", ["status"], indirect=True)
def test_a_status_that_was_written_half_is_written_whole(
    execution: dict[str, Any], call: Call, held: DnsProvider, name_server: str
) -> None:
    held.faults.arm(Fault(match="ExternalEndpoints/east", kind="status", status=503))
    with pytest.raises(DnsUnavailable):
        call("flip_dns", {"execution": execution})
    assert {each["properties"]["endpointStatus"] for each in held.stand_in.endpoints} == {"Enabled"}
    until_done(call, {"execution": execution})
    assert answered(name_server) == [WEST]


def test_an_endpoint_of_others_in_the_way_is_told(
    execution: dict[str, Any], call: Call, held: DnsProvider, client_name: Name
) -> None:
    held.stand_in.endpoints[0]["properties"]["priority"] = 5
    held.stand_in.endpoints[1]["properties"]["priority"] = 6
    held.stand_in.endpoints.append(endpoint("lab", "lab.orders.example.com", 1))
    assert client_name().look(None).record is None
    assert any("another enabled endpoint, lab" in each.what for each in client_name().obstacles("east"))
    with pytest.raises(DnsRejected, match="not the plan's"):
        call("flip_dns", {"execution": execution})


def test_a_write_that_is_done_when_it_is_answered_needs_no_polling(
    execution: dict[str, Any], call: Call, held: DnsProvider, name_server: str
) -> None:
    held.stand_in.operation_s = 0.0
    until_done(call, {"execution": execution})
    assert "operation" not in held.faults.counts()


def test_a_write_that_fails_later_is_told_and_made_again(
    execution: dict[str, Any], call: Call, held: DnsProvider, client_name: Name
) -> None:
    held.stand_in.fails = True
    first = call("flip_dns", {"execution": execution})
    deadline = time.monotonic() + 90
    while not (state := client_name().look(first["observed"]["change"])).in_sync:
        assert time.monotonic() < deadline
    assert "The write did not go through" in state.failed[0] and state.record == EAST
    until_done(call, {"execution": execution})
    assert held.faults.counts()["Endpoints_Update"]["count"] == 2


def test_an_operation_that_nobody_remembers_is_over(deployed: Any, held: DnsProvider, client_name: Name) -> None:
    assert client_name().look(f"{held.dns['api']}/operations/of-long-ago").in_sync


def test_an_answer_that_can_not_be_read_may_pass(
    execution: dict[str, Any], call: Call, held: DnsProvider, name_server: str
) -> None:
    held.faults.arm(Fault(match="Profiles_Get", kind="malformed"))
    with pytest.raises(DnsUnavailable, match="can't be read"):
        call("flip_dns", {"execution": execution})
    until_done(call, {"execution": execution})


def test_a_token_is_sent_to_nobody_but_the_api(deployed: Any, held: DnsProvider, client_name: Name) -> None:
    with pytest.raises(DnsRejected, match="which is not asked"):
        client_name().look("http://127.0.0.1:9/operations/1")


def test_an_endpoint_that_leads_elsewhere_than_the_plan_says_is_refused(
    execution: dict[str, Any], call: Call, held: DnsProvider, name_server: str
) -> None:
    held.stand_in.endpoints[1]["properties"]["target"] = "gw-north.orders.example.com"
    with pytest.raises(DnsRejected, match="leads to gw-north"):
        call("flip_dns", {"execution": execution})
    held.stand_in.endpoints.pop()
    with pytest.raises(DnsRejected, match="no endpoint ExternalEndpoints/west"):
        call("flip_dns", {"execution": execution})
    assert answered(name_server) == [EAST]


def test_what_would_lead_clients_by_itself_is_found(deployed: Any, held: DnsProvider, client_name: Name) -> None:
    name = client_name()
    assert name.obstacles("east") == []
    held.stand_in.endpoints[0]["properties"].pop("alwaysServe")
    held.stand_in.method = "Performance"
    found = [each.what for each in name.obstacles("east")]
    assert len(found) == 2 and "routes by Performance" in found[0] and "east is probed" in found[1]


def test_a_right_that_a_flip_will_need_is_found(deployed: Any, held: DnsProvider, client_name: Name) -> None:
    held.stand_in.actions = ("*/read", "Microsoft.Network/trafficManagerProfiles/azureEndpoints/*")
    (obstacle,) = client_name().obstacles("east")
    assert "lacks microsoft.network/trafficmanagerprofiles/externalendpoints/write" in obstacle.what


def test_a_hostname_that_is_no_name_of_the_profile_is_found(
    deployed: Any, held: DnsProvider, client_name: Name, name_server: str
) -> None:
    held.stand_in.hostname = "another.orders.example.com"
    deadline = time.monotonic() + 90
    while answered(name_server):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    (obstacle,) = client_name().obstacles("east")
    assert "orders.trafficmanager.example" in obstacle.remedy


def test_a_site_is_made_the_first_by_one_write(deployed: Any, held: DnsProvider, client_name: Name) -> None:
    name, held.stand_in.operation_s, writes = client_name(), 0.0, 0
    for east, west, lab, then in PRIORITIES:
        of_others = prioritized(held, east, west, lab)
        name.point_to("west")
        assert tuple(each["properties"]["priority"] for each in held.stand_in.endpoints[:2]) == then
        assert name.look(None).record == WEST and held.stand_in.endpoints[2:] == of_others
        writes += then != (east, west)
        assert held.faults.counts().get("Endpoints_Update", {}).get("count", 0) == writes


def test_a_priority_that_is_none_and_an_endpoint_between_are_told_and_nothing_is_written(
    deployed: Any, held: DnsProvider, client_name: Name
) -> None:
    name = client_name()
    for east, west, lab in ((1, 9, ("Enabled", 5)), (1, 1000, None)):
        prioritized(held, east, west, lab)
        with pytest.raises(DnsRejected, match="give it a later priority"):
            name.point_to("west")
    assert "Endpoints_Update" not in held.faults.counts()


def prioritized(held: DnsProvider, east: int, west: int, lab: tuple[str, int] | None) -> list[dict[str, Any]]:
    """Gives both sites' endpoints a priority, and puts one of others beside them, which is answered as it then is."""
    ours = held.stand_in.endpoints
    for of_site, priority in zip(ours, (east, west), strict=False):
        of_site["properties"]["priority"] = priority
    ours[2:] = [endpoint("lab", "lab.orders.example.com", lab[1], endpointStatus=lab[0])] if lab else []
    return copy.deepcopy(ours[2:])
