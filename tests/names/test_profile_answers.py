"""Azure Traffic Manager: what is made of each of its answers, without a server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from failover.dns import rest_api, traffic_manager
from failover.dns.rest_api import Token
from failover.dns.traffic_manager import TrafficManagerName, sign_in
from failover.errors import DnsRejected, DnsUnavailable
from failover.plan.client_name import TrafficManager
from failover.plan.model import Plan, parse

PLAN = Path(__file__).resolve().parents[2] / "plans" / "orders.yaml"
EAST, WEST = "gw-east.orders.example.com", "gw-west.orders.example.com"
HOSTNAME, FQDN = "kafka.orders.example.com", "orders.trafficmanager.net"
NOW = 1_800_000_000.0
API = "https://management.azure.com"
OPERATION = f"{API}/subscriptions/1/operationresults/7"
ALL_RIGHTS = {"actions": ["*/read", "Microsoft.Network/trafficManagerProfiles/*"], "notActions": []}


def endpoint(name: str, target: str, priority: int | None, status: str = "Enabled", **more: Any) -> dict[str, Any]:
    properties = {"target": target, "priority": priority, "endpointStatus": status, "alwaysServe": "Enabled"} | more
    return {
        "name": name,
        "type": "Microsoft.Network/trafficManagerProfiles/ExternalEndpoints",
        "properties": properties,
    }


class Azure:
    """Its API: the profile, what a write and an operation are answered, and what was asked of whom."""

    def __init__(self) -> None:
        self.profile: dict[str, Any] = {
            "profileStatus": "Enabled",
            "trafficRoutingMethod": "Priority",
            "dnsConfig": {"fqdn": f"{FQDN.upper()}.", "ttl": 3},
            "endpoints": [endpoint("East", f"{EAST}.", 1), endpoint("West", WEST, 2)],
        }
        self.rights: list[dict[str, Any]] = [ALL_RIGHTS]
        self.write: tuple[int, dict[str, str], Any] = (200, {}, {})
        self.operation: tuple[int, Any] = (200, {"status": "Succeeded"})
        self.writes: list[tuple[str, dict[str, Any]]] = []
        self.name_servers: list[tuple[str, str]] = []
        self.answered = {HOSTNAME: FQDN, FQDN: EAST}

    def request(self, provider: str, method: str, url: str, **more: Any) -> httpx.Response:
        request, path = httpx.Request(method, url), httpx.URL(url).path
        if "/oauth2/" in path:
            return httpx.Response(200, json={"access_token": "t", "expires_in": 3600}, request=request)
        if method == "PATCH":
            self.writes.append((path.rpartition("/trafficManagerProfiles/")[2], more["json"]["properties"]))
            status, headers, body = self.write
            return httpx.Response(status, headers=headers, json=body, request=request)
        if "operationresults" in path:
            status, body = self.operation
            return httpx.Response(status, json=body, request=request)
        if path.endswith("/permissions"):
            return httpx.Response(200, json={"value": self.rights}, request=request)
        return httpx.Response(200, json={"properties": self.profile}, request=request)

    def ask(self, servers: tuple[str, ...], hostname: str, *_: Any) -> dict[str, str]:
        self.name_servers += [(server, hostname) for server in servers]
        return dict.fromkeys(servers, self.answered[hostname])

    def change(self, name: str, **properties: Any) -> None:
        for each in self.profile["endpoints"]:
            each["properties"] |= properties if each["name"] == name else {}


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> Azure:
    """Leads to east, by priority."""
    stand_in = Azure()
    monkeypatch.setattr(rest_api, "request", stand_in.request)
    monkeypatch.setattr(traffic_manager, "ask", stand_in.ask)
    monkeypatch.setattr(traffic_manager, "servers_of", lambda name: (f"ns-of-{name}",))
    monkeypatch.setattr(traffic_manager, "web_identity", lambda audience: f"signed for {audience}")
    monkeypatch.setattr("time.time", lambda: NOW)
    return stand_in


def plan_with(**more: Any) -> Plan:
    dns = {
        "kind": "traffic-manager",
        "subscription": "0" * 36,
        "resource_group": "gateways",
        "profile": "orders",
        "endpoints": {"east": "ExternalEndpoints/east", "west": "externalEndpoints/WEST"},
        "tenant": "example.com",
        "client_id": "controller",
    }
    return parse(yaml.safe_dump(yaml.safe_load(PLAN.read_text()) | {"dns": dns | more}))


def name_of(**more: Any) -> TrafficManagerName:
    plan = plan_with(**more)
    assert isinstance(plan.dns, TrafficManager)
    return TrafficManagerName(plan, plan.dns)


def test_the_proof_is_what_name_servers_answer_for_the_profile_itself(azure: Azure) -> None:
    name = name_of()
    state = name.look(None)
    assert (state.record, state.ttl, state.in_sync, state.failed) == (EAST, 3, True, ())
    assert state.answers == {f"ns-of-{FQDN}": EAST}
    assert name_of(nameservers=["192.0.2.53"]).look(None).answers == {"192.0.2.53": EAST}


@pytest.mark.parametrize(
    ("by", "east", "west", "other", "record"),
    [
        ("priority", (1, "Enabled"), (2, "Enabled"), None, EAST),
        ("priority", (3, "Enabled"), (2, "Enabled"), None, WEST),
        ("priority", (1, "Disabled"), (2, "Enabled"), None, WEST),
        ("priority", (1, "Disabled"), (2, "Disabled"), None, None),
        ("priority", (3, "Enabled"), (4, "Enabled"), (2, "Enabled"), None),
        ("priority", (3, "Enabled"), (4, "Enabled"), (2, "Disabled"), EAST),
        ("priority", (None, "Enabled"), (4, "Enabled"), None, WEST),
        ("status", (1, "Enabled"), (2, "Disabled"), None, EAST),
        ("status", (1, "Disabled"), (2, "Enabled"), None, WEST),
        ("status", (1, "Enabled"), (2, "Enabled"), None, None),
        ("status", (1, "Disabled"), (2, "Disabled"), None, None),
    ],
)
def test_the_profile_leads_to_the_first_of_its_enabled_endpoints_and_by_status_to_the_only_one(
    azure: Azure, by: str, east: Any, west: Any, other: Any, record: str | None
) -> None:
    azure.profile["endpoints"] = [endpoint("east", EAST, *east), endpoint("west", WEST, *west)]
    if other:
        azure.profile["endpoints"].append(endpoint("lab", "lab.example.com", *other))
    assert name_of(by=by).look(None).record == record


@pytest.mark.parametrize(
    ("change", "operation", "in_sync", "failed"),
    [
        (None, (500, {}), True, ()),
        ("at-once", (500, {}), True, ()),
        (OPERATION, (202, {}), False, ()),
        (OPERATION, (200, {"status": "InProgress"}), False, ()),
        (OPERATION, (200, {"status": "Succeeded"}), True, ()),
        (OPERATION, (200, {"properties": {}}), True, ()),
        (OPERATION, (404, {"status": "InProgress"}), True, ()),
        (OPERATION, (200, {"status": "Failed", "error": "why"}), True, ("why",)),
        (f"{OPERATION} {OPERATION}", (200, {"status": "Canceled", "error": "why"}), True, ("why", "why")),
    ],
)
def test_a_change_is_in_sync_once_all_its_operations_are_over_and_tells_which_failed(
    azure: Azure, change: str | None, operation: tuple[int, Any], in_sync: bool, failed: tuple[str, ...]
) -> None:
    azure.operation = operation
    state = name_of().look(change)
    assert (state.in_sync, state.failed, state.record) == (in_sync, failed, EAST)


@pytest.mark.parametrize("url", ["https://elsewhere.example/x", f"{API}:8443/x", API.replace("https", "http") + "/x"])
def test_an_operation_is_asked_for_at_the_api_alone(azure: Azure, url: str) -> None:
    with pytest.raises(DnsRejected, match="which is not asked"):
        name_of().look(url)
    azure.operation = (503, {})
    with pytest.raises(DnsUnavailable):
        name_of().look(OPERATION)


@pytest.mark.parametrize(
    ("status", "headers", "change"),
    [
        (202, {"Azure-AsyncOperation": OPERATION}, OPERATION),
        (202, {"Location": OPERATION}, OPERATION),
        (202, {"Azure-AsyncOperation": OPERATION, "Location": f"{API}/another"}, OPERATION),
        (202, {}, "at-once"),
        (200, {"Azure-AsyncOperation": OPERATION}, "at-once"),
    ],
)
def test_a_write_that_goes_on_is_followed_where_it_says(
    azure: Azure, status: int, headers: dict[str, str], change: str
) -> None:
    azure.write = (status, headers, {})
    assert name_of().point_to("west") == change
    assert azure.writes == [("orders/ExternalEndpoints/east", {"priority": 3})]


def test_by_status_the_sites_own_endpoint_is_enabled_before_the_other_is_disabled_and_nothing_else_is_written(
    azure: Azure,
) -> None:
    azure.write = (202, {"Location": OPERATION}, {})
    azure.change("West", endpointStatus="Disabled")
    assert name_of(by="status").point_to("west") == f"{OPERATION} {OPERATION}"
    assert azure.writes == [
        ("orders/externalEndpoints/WEST", {"endpointStatus": "Enabled"}),
        ("orders/ExternalEndpoints/east", {"endpointStatus": "Disabled"}),
    ]
    azure.writes.clear()
    assert name_of(by="status").point_to("east") == "at-once" and azure.writes == []


@pytest.mark.parametrize(
    ("endpoints", "why"),
    [
        ([endpoint("east", EAST, 1)], "has no endpoint externalEndpoints/WEST"),
        ([], "has no endpoint ExternalEndpoints/east"),
        ([endpoint("east", EAST, 1), endpoint("west", EAST, 2)], f"leads to {EAST}, the plan says {WEST}"),
    ],
)
def test_endpoints_that_are_not_as_the_plan_says_are_refused(
    azure: Azure, endpoints: list[dict[str, Any]], why: str
) -> None:
    azure.profile["endpoints"] = endpoints
    for act in (lambda: name_of().look(None), lambda: name_of().point_to("west")):
        with pytest.raises(DnsRejected, match=why):
            act()
    assert azure.writes == []


SAME_KIND = {"endpoints": {"east": "ExternalEndpoints/east", "west": "ExternalEndpoints/west"}}
WITHOUT_WRITE = {"actions": ["*/read"], "notActions": []}
TAKEN_AWAY = ALL_RIGHTS | {"notActions": ["*/externalendpoints/WRITE"]}


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda azure: None, []),
        (lambda azure: azure.answered.update({HOSTNAME: EAST}), [f"ns-of-{HOSTNAME} answers {EAST}"]),
        (lambda azure: azure.profile.update(profileStatus="Disabled"), ["is not enabled"]),
        (lambda azure: azure.profile.update(trafficRoutingMethod="Weighted"), ["routes by Weighted"]),
        (lambda azure: azure.profile["endpoints"].append(endpoint("lab", "x", 9)), ["another enabled endpoint, lab"]),
        (lambda azure: azure.profile["endpoints"].append(endpoint("lab", "x", 9, "Disabled")), []),
        (lambda azure: azure.change("West", alwaysServe="Disabled"), ["the endpoint of west is probed"]),
        (
            lambda azure: azure.rights.clear(),
            ["lacks microsoft.network/trafficmanagerprofiles/externalendpoints/write"],
        ),
        (lambda azure: azure.rights.__setitem__(0, WITHOUT_WRITE), ["lacks"]),
        (lambda azure: azure.rights.__setitem__(0, TAKEN_AWAY), ["lacks"]),
        (lambda azure: azure.rights.append(WITHOUT_WRITE), []),
    ],
)
def test_what_would_lead_clients_elsewhere_or_keep_the_controller_from_it_is_found(
    azure: Azure, change: Any, found: list[str]
) -> None:
    change(azure)
    told = [obstacle.what for obstacle in name_of(**SAME_KIND).obstacles("east")]
    assert len(told) == len(found) and all(words in what for words, what in zip(found, told, strict=True))


def test_an_endpoint_that_is_led_by_its_status_may_be_probed_and_the_plans_name_servers_are_asked(azure: Azure) -> None:
    azure.change("East", alwaysServe="Disabled")
    assert name_of(by="status", nameservers=["192.0.2.53"], **SAME_KIND).obstacles("east") == []
    assert azure.name_servers == [("192.0.2.53", HOSTNAME)]


def test_it_signs_in_as_the_application_with_what_aws_says_of_its_role(azure: Azure) -> None:
    plan = plan_with()
    assert isinstance(plan.dns, TrafficManager)
    assert sign_in(plan.dns) == Token("t", NOW + 3600)
