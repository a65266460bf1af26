"""Azure Traffic Manager: what a write leaves alone, and what a profile may be set up as that a flip can't do with."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import Any

import pytest

from drill.names.azure import endpoint
from drill.names.held import Held
from failover.dns import ClientName
from failover.errors import DnsRejected
from tests.names.conftest import EAST, WEST, Call, answered, until_done

pytestmark = pytest.mark.slow
Name = Callable[[], ClientName]


@pytest.fixture
def held(on_traffic_manager: Held) -> Held:
    return on_traffic_manager


@pytest.mark.parametrize("on_traffic_manager", ["priority", "status"], indirect=True)
def test_both_endpoints_are_written_at_once_and_the_others_stay_as_they_were(
    execution: dict[str, Any], call: Call, held: Held, name_server: str
) -> None:
    third = endpoint("lab", "lab.orders.example.com", 9, endpointStatus="Disabled", geoMapping=["WORLD"])
    held.stand_in.endpoints.append(copy.deepcopy(third))
    until_done(call, {"execution": execution})
    assert answered(name_server) == [WEST]
    assert third in held.stand_in.endpoints and len(held.stand_in.endpoints) == 3
    assert held.faults.counts()["Profiles_Update"]["count"] == 1


def test_a_write_that_is_done_when_it_is_answered_needs_no_polling(
    execution: dict[str, Any], call: Call, held: Held, name_server: str
) -> None:
    held.stand_in.operation_s = 0.0
    until_done(call, {"execution": execution})
    assert "operation" not in held.faults.counts()


def test_a_write_that_fails_later_is_told(execution: dict[str, Any], call: Call, held: Held) -> None:
    held.stand_in.fails = True
    with pytest.raises(DnsRejected, match="The write did not go through"):
        until_done(call, {"execution": execution})


def test_a_token_is_sent_to_nobody_but_the_api(deployed: Any, held: Held, client_name: Name) -> None:
    with pytest.raises(DnsRejected, match="which is not asked"):
        client_name().look("http://127.0.0.1:9/operations/1")


def test_an_endpoint_that_leads_elsewhere_than_the_plan_says_is_refused(
    execution: dict[str, Any], call: Call, held: Held, name_server: str
) -> None:
    held.stand_in.endpoints[1]["properties"]["target"] = "gw-north.orders.example.com"
    with pytest.raises(DnsRejected, match="leads to gw-north"):
        call("flip_dns", {"execution": execution})
    held.stand_in.endpoints.pop()
    with pytest.raises(DnsRejected, match="no endpoint ExternalEndpoints/west"):
        call("flip_dns", {"execution": execution})
    assert answered(name_server) == [EAST]


def test_what_would_lead_clients_by_itself_is_found(deployed: Any, held: Held, client_name: Name) -> None:
    name = client_name()
    assert name.obstacles("east") == []
    held.stand_in.endpoints[0]["properties"].pop("alwaysServe")
    held.stand_in.method = "Performance"
    found = [each.what for each in name.obstacles("east")]
    assert len(found) == 2 and "routes by Performance" in found[0] and "east is probed" in found[1]


def test_a_hostname_that_is_no_name_of_the_profile_is_found(
    deployed: Any, held: Held, client_name: Name, name_server: str
) -> None:
    held.stand_in.hostname = "another.orders.example.com"
    deadline = time.monotonic() + 10
    while answered(name_server):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    (obstacle,) = client_name().obstacles("east")
    assert "orders.trafficmanager.example" in obstacle.remedy
