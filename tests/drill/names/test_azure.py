"""Our Azure Traffic Manager answers as the documentation says: https://learn.microsoft.com/rest/api/trafficmanager."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest

from drill.dns_providers.azure import AUDIENCE
from drill.dns_providers.scenarios import DnsProvider, traffic_manager
from drill.fixture_plan import HOSTNAME, dns_target

PROFILE = (
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/gateways"
    "/providers/Microsoft.Network/trafficManagerProfiles/orders"
)


@pytest.fixture
def held() -> Iterator[DnsProvider]:
    with traffic_manager() as held:
        yield held


@pytest.fixture
def api(held: DnsProvider) -> Iterator[httpx.Client]:
    """Whoever asks has a token of the application."""
    asked = {"client_id": "the-controller", "client_assertion": f"signed-by-aws.for.{AUDIENCE}"}
    with httpx.Client(base_url=held.dns["api"], params={"api-version": "2022-04-01"}) as client:
        token = client.post("/tenant/oauth2/v2.0/token", data=asked).json()
        assert token["token_type"] == "Bearer"
        client.headers["Authorization"] = f"Bearer {token['access_token']}"
        yield client


def patch(api: httpx.Client, endpoint: str, **properties: object) -> httpx.Response:
    return api.patch(f"{PROFILE}/ExternalEndpoints/{endpoint}", json={"properties": properties})


def error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def answered(api: httpx.Client) -> str:
    """What a resolver is led to."""
    records = {each["Name"]: each["ResourceRecords"][0]["Value"] for each in api.get("/records").json()}
    return str(records[records[HOSTNAME]])


def test_a_patch_of_an_endpoint_changes_the_properties_it_has(api: httpx.Client, held: DnsProvider) -> None:
    held.stand_in.operation_s = 0.0
    before = api.get(PROFILE).json()["properties"]["endpoints"]
    changed = patch(api, "east", priority=3)
    assert (changed.status_code, changed.json()["properties"]) == (200, before[0]["properties"] | {"priority": 3})
    assert api.get(PROFILE).json()["properties"]["endpoints"] == [changed.json(), before[1]]
    assert answered(api) == dns_target("west")


def test_a_long_write_is_an_operation_that_is_asked_for(api: httpx.Client) -> None:
    """https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations"""
    answer = patch(api, "east", priority=3)
    assert (answer.status_code, answered(api)) == (202, dns_target("east"))
    deadline = time.monotonic() + 90
    while (said := api.get(answer.headers["Azure-AsyncOperation"]).json())["status"] == "InProgress":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert (said["status"], answered(api)) == ("Succeeded", dns_target("west"))


def test_endpoints_are_no_part_of_a_patch_of_the_profile(api: httpx.Client, held: DnsProvider) -> None:
    endpoints = api.get(PROFILE).json()["properties"]["endpoints"]
    answer = api.patch(PROFILE, json={"properties": {"endpoints": endpoints}})
    assert error(answer) == (400, "BadRequest") and "Please use PUT" in answer.json()["error"]["message"]
    assert api.patch(PROFILE, json={"properties": {"trafficRoutingMethod": "Weighted"}}).status_code == 200
    assert api.get(PROFILE).json()["properties"]["trafficRoutingMethod"] == "Weighted"


@pytest.mark.parametrize("priority", [2, 0, 1001])
def test_no_two_endpoints_have_the_same_priority(api: httpx.Client, held: DnsProvider, priority: int) -> None:
    assert error(patch(api, "east", priority=priority)) == (400, "BadRequest")
    assert answered(api) == dns_target("east")


def test_what_is_not_there_and_who_is_not_known_is_told(api: httpx.Client) -> None:
    assert error(patch(api, "north", priority=9)) == (404, "NotFound")
    assert error(api.get(PROFILE.replace("orders", "another"))) == (404, "ResourceNotFound")
    refused = api.post("/tenant/oauth2/v2.0/token", data={"client_id": "another", "client_assertion": "x"})
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    api.headers["Authorization"] = "Bearer another"
    assert error(api.get(PROFILE)) == (401, "InvalidAuthenticationToken")


def test_an_endpoint_that_is_not_enabled_is_not_answered(api: httpx.Client, held: DnsProvider) -> None:
    held.stand_in.operation_s = 0.0
    patch(api, "east", endpointStatus="Disabled")
    assert answered(api) == dns_target("west")
