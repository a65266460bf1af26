"""Gateways stand where clients are led: a plan in which they do not is refused by the field, and says what to write."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from failover.detection.evidence import View
from failover.detection.probes import probe_sites
from failover.dns import targets_of
from failover.errors import BadPlan, UnknownSite
from failover.plan.consistency import warnings
from failover.plan.model import Plan, parse
from tests.fleets_near_clients import BY_LATENCY, NEAR, near_clients, of_both_sites

Change = Callable[[dict[str, Any]], Any]


def plan_of(document: dict[str, Any]) -> Plan:
    return parse(json.dumps(document))


def refused(document: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(BadPlan) as error:
        plan_of(document)
    return dict(error.value.problems)


def test_clients_come_through_the_active_sites_gateways_or_through_all_that_serve_at_all_times() -> None:
    both = of_both_sites()
    assert list(plan_of(both | {"dns": {"kind": "none"}}).carrying("west")) == ["west"]
    assert list(plan_of(both).carrying("west")) == ["east", "west"]
    near = plan_of(near_clients())
    for site in near.sites:
        assert [where for where, location in near.carrying(site).items() if location.fleets] == ["frankfurt"]
    by_themselves = plan_of(near_clients() | {"dns": {"kind": "none"}})
    assert list(by_themselves.carrying("east")) == ["east", "frankfurt"]


def test_a_location_is_a_site_or_a_place_near_the_clients() -> None:
    plan = plan_of(near_clients())
    assert plan.location("frankfurt").region == "eu-central-1" and plan.location("east") is plan.site("east")
    assert targets_of(plan) == {"frankfurt": NEAR}
    with pytest.raises(UnknownSite, match="paris"):
        plan.location("paris")


def dns(**parts: Any) -> Change:
    return lambda plan: plan.update(dns=parts)


def at_frankfurt(**parts: Any) -> Change:
    return lambda plan: plan["fleets"]["frankfurt"].update(parts)


def without_routes_to(site: str) -> Change:
    return lambda plan: plan["fleets"]["frankfurt"]["fleets"][0]["task_definitions"].pop(site)


def another_place(plan: dict[str, Any]) -> None:
    plan["fleets"]["paris"] = plan["fleets"]["frankfurt"]


WRONG: dict[str, tuple[Change, str, str]] = {
    "a place named as a site": (
        lambda plan: plan["fleets"].update(east=plan["fleets"].pop("frankfurt")),
        "fleets.east",
        "is a site, too",
    ),
    "a place named as the fence": (
        lambda plan: plan["fleets"].update(fenced=plan["fleets"].pop("frankfurt")),
        "fleets.fenced",
        "another name",
    ),
    "a name that leads to one site": (dns(kind="route53-record", hosted_zone_id="Z1"), "fleets", "routing: latency"),
    "a place without gateways": (at_frankfurt(fleets=[]), "fleets.frankfurt.fleets", "is missing"),
    "a place that nobody is led to": (
        lambda plan: plan["fleets"]["frankfurt"].pop("dns_target"),
        "fleets.frankfurt.dns_target",
        "is missing",
    ),
    "an address": (at_frankfurt(dns_target="192.0.2.7"), "fleets.frankfurt.dns_target", "a CNAME leads to a name"),
    "a target of nobody": (
        lambda plan: plan["sites"]["east"].update(dns_target="gw-east.orders.example.com"),
        "sites.east.fleets",
        "there is nobody at gw-east",
    ),
    "no gateways anywhere": (lambda plan: plan.pop("fleets"), "sites.east.fleets", "near the clients in fleets"),
    "a canary through a site without gateways": (
        lambda plan: plan["clients"].update(canary_probe=True),
        "clients.canary_probe",
        "has none",
    ),
    "a fleet that can't be led to a site": (
        without_routes_to("west"),
        "fleets.frankfurt.fleets[0].task_definitions.west",
        "one for each site",
    ),
    "one target of two places": (another_place, "fleets.paris.dns_target", "is the target of frankfurt too"),
    "one name of two fleets": (another_place, "fleets.paris.fleets[0].name", "is a fleet of frankfurt too"),
    "an alias without the place's zone": (
        dns(**BY_LATENCY, type="alias", alias_zones={"east": "Z2"}),
        "dns.alias_zones",
        "each location of the plan (frankfurt)",
    ),
    "a place that knows no cluster": (
        at_frankfurt(kafka={"cluster_id": "lkc-1"}),
        "fleets.frankfurt.kafka",
        "is no field here",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_can_not_be_meant_is_refused_by_its_field(case: str) -> None:
    change, path, words = WRONG[case]
    document = near_clients()
    change(document)
    wrong = refused(document)
    assert words in wrong[path], wrong


def test_a_pair_of_sites_still_needs_the_gateways_of_both() -> None:
    document = of_both_sites() | {"dns": {"kind": "route53-record", "hosted_zone_id": "Z1"}}
    for field in ("fleets", "dns_target"):
        del document["sites"]["west"][field]
    assert "is missing" in refused(document)["sites.west.fleets"]


def test_gateways_in_a_sites_region_are_a_warning_and_so_are_task_definitions_elsewhere() -> None:
    document = near_clients()
    document["fleets"]["frankfurt"]["region"] = "us-east-2"
    told = dict(warnings(plan_of(document)))
    assert "lost with us-east-2" in told["fleets.frankfurt.region"]
    assert "eu-central-1" in told["fleets.frankfurt.fleets[0].task_definitions.fenced"]
    assert dict(warnings(plan_of(near_clients()))) == {} == dict(warnings(plan_of(of_both_sites())))


@pytest.mark.parametrize("plan", [near_clients, of_both_sites])
def test_a_site_is_not_lost_with_gateways_that_serve_whichever_is_active(plan: Callable[[], dict[str, Any]]) -> None:
    document = plan()
    for site in document["sites"].values():
        site["kafka"] |= {"bootstrap": "127.0.0.1:9", "rest_endpoint": "http://127.0.0.1:9", "credentials": None}
        site["kafka"]["security_protocol"] = "PLAINTEXT"
    document["anchors"] = []
    view: View = probe_sites(plan_of(document), 0.4)
    assert {(probe.site, probe.service) for probe in view.probes} == {
        (site, service) for site in ("east", "west") for service in ("kafka", "rest")
    }
