"""A plan is read whole, or refused with one error that names every wrong field by its path in the YAML."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from failover.errors import BadPlan, UnknownSite
from failover.plan.model import load_plan, parse
from tests.claims import reaches

ORDERS = Path(__file__).resolve().parents[2] / "plans" / "orders.yaml"


def document() -> dict[str, Any]:
    return dict(yaml.safe_load(ORDERS.read_text()))


def paths(text: str) -> set[str]:
    with pytest.raises(BadPlan) as refused:
        parse(text)
    for path, _ in refused.value.problems:
        assert path in str(refused.value)
    return {path for path, _ in refused.value.problems}


def test_the_example_plan_is_good() -> None:
    plan = load_plan(ORDERS)
    assert (plan.name, plan.home, list(plan.sites)) == ("orders", "east", ["east", "west"])
    assert plan.other("east") == "west"
    assert plan.site_of_alarm("kafka-orders-east-health-check", "us-east-1") == "east"
    assert plan.site_of_alarm("unheard-of", "us-east-1") is None


def test_every_wrong_field_is_named_in_one_error() -> None:
    bad = document()
    bad["hostname"] = "not a host"
    del bad["home"]
    bad["sites"]["east"]["region"] = "mars-1"
    del bad["sites"]["east"]["fleets"][0]["service"]
    bad["sites"]["west"]["kafka"]["rest_endpoint"] = "pkc.example.com"
    bad["polcy"] = {}
    assert paths(json.dumps(bad)) == {
        "hostname",
        "home",
        "sites.east.region",
        "sites.east.fleets[0].service",
        "sites.west.kafka.rest_endpoint",
        "polcy",
    }


def test_contradictions_are_named_by_their_paths_too() -> None:
    bad = document()
    bad["home"] = "north"
    bad["sites"]["west"]["kafka"]["cluster_id"] = bad["sites"]["east"]["kafka"]["cluster_id"]
    bad["sites"]["west"]["dns_target"] = bad["sites"]["east"]["dns_target"] + "."
    bad["sites"]["west"]["alarms"] = ["failover-orders-east-kafka"]
    del bad["sites"]["east"]["fleets"][0]["task_definitions"]["fenced"]
    assert paths(json.dumps(bad)) == {
        "home",
        "sites.west.kafka.cluster_id",
        "sites.west.dns_target",
        "sites.west.alarms[0]",
        "sites.east.fleets[0].task_definitions.fenced",
    }


def test_a_fleet_whose_routes_could_not_be_told_apart_is_refused() -> None:
    bad = document()
    routes = bad["sites"]["east"]["fleets"][0]["task_definitions"]
    routes["west"] = routes["east"]
    assert paths(json.dumps(bad)) == {"sites.east.fleets[0].task_definitions"}


@pytest.mark.parametrize("text", ["", "[]", "just words", "a: [", "name: orders"])
def test_what_is_no_plan_is_refused(text: str) -> None:
    with pytest.raises(BadPlan):
        parse(text)


@pytest.mark.slow
@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)
    )
)
def test_rubbish_is_refused_and_never_crashes(rubbish: object) -> None:
    reaches(isinstance(rubbish, list | dict), floor=0.2)
    for text in (json.dumps(rubbish), yaml.safe_dump(rubbish)):
        with pytest.raises(BadPlan):
            parse(text)


def test_a_site_the_plan_does_not_have_is_refused_with_those_it_has() -> None:
    with pytest.raises(UnknownSite, match="east and west"):
        load_plan(ORDERS).site("north")


EKS = {"name": "eks-east", "endpoint": "https://1.gr7.us-east-2.eks.amazonaws.com", "certificate_authority": "LS0t"}
DOMAINS = {site: {"name": site, "bootstrap_server_id": "sasl"} for site in ("east", "west")}
ON_KUBERNETES: dict[str, dict[str, Any]] = {
    "cfk": {"gateway": "gateway-east", "route": "orders", "domains": DOMAINS},
    "cfk-blue-green": {
        "service": "kafka",
        "gateways": {"east": "blue", "west": "green"},
        "route": "orders",
        "domains": DOMAINS,
    },
    "kroxylicious": {"proxy": "gateway", "virtual_cluster": "orders", "services": {"east": "e", "west": "w"}},
}


def with_fleet(kind: str, **changed: Any) -> str:
    common = {"name": "gateway-east", "kind": kind, "eks": EKS, "namespace": "confluent", "bootstrap": "gw:9092"}
    plan = document()
    plan["sites"]["east"]["fleets"] = [common | ON_KUBERNETES.get(kind, {}) | changed]
    return json.dumps(plan)


@pytest.mark.parametrize("kind", ON_KUBERNETES)
def test_a_site_may_have_fleets_of_any_kind(kind: str) -> None:
    (fleet,) = parse(with_fleet(kind)).site("east").fleets
    assert fleet.kind == kind and hash(fleet) == hash(parse(with_fleet(kind)).site("east").fleets[0])


@pytest.mark.parametrize(
    ("kind", "changed", "path"),
    [
        ("cfk", {"eks": {"name": "eks-east", "endpoint": EKS["endpoint"]}}, "eks"),
        ("cfk", {"eks": EKS | {"endpoint": "http://plain"}}, "eks.endpoint"),
        ("cfk", {"domains": {"east": DOMAINS["east"]}}, "domains.west"),
        ("cfk", {"domains": {"east": DOMAINS["east"], "west": DOMAINS["east"]}}, "domains"),
        ("cfk", {"domains": DOMAINS | {"fenced": {"name": "x", "bootstrap_server_id": "y"}}}, "domains.fenced"),
        ("cfk", {"gateway": "Not A Name"}, "gateway"),
        ("cfk-blue-green", {"gateways": {"east": "blue", "west": "blue"}}, "gateways"),
        ("kroxylicious", {"services": {"east": "e", "west": "w", "mars": "m"}}, "services.mars"),
        ("kroxylicious", {"task_definitions": {}}, "task_definitions"),
        ("nomad", {}, ""),
    ],
)
def test_a_wrong_field_of_a_fleet_is_named_by_its_path_without_its_kind(
    kind: str, changed: dict[str, Any], path: str
) -> None:
    assert paths(with_fleet(kind, **changed)) == {f"sites.east.fleets[0]{'.' if path else ''}{path}"}


def test_a_kroxylicious_fleet_may_have_a_service_that_leads_nowhere() -> None:
    parse(with_fleet("kroxylicious", services={"east": "e", "west": "w", "fenced": "nowhere"}))


def places(part: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in a document."""
    below = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for name, value in below:
        yield (*path, name)
        yield from places(value, (*path, name))


def wide() -> dict[str, Any]:
    """A plan with most of what a plan may have."""
    kinds: list[dict[str, Any]] = [ON_KUBERNETES[kind] | {"kind": kind} for kind in ON_KUBERNETES]
    common = {"eks": EKS, "namespace": "confluent", "bootstrap": "gw:9092"}
    plan = document()
    plan["sites"]["west"]["fleets"] = [common | kind | {"name": kind["kind"]} for kind in kinds]
    plan["dns"] = {"kind": "cloud-dns", "project": "p", "managed_zone": "z", "audience": "//iam.googleapis.com/x"}
    weekly = {"begins": "22:00", "ends": "23:00", "days": ["mon"]}
    plan["policy"]["maintenance"] = [weekly, {"begins": "2026-11-23T22:00:00Z", "ends": "2026-11-24T22:00:00Z"}]
    return dict(json.loads(json.dumps(plan)))


WORDS = (
    "",
    " ",
    "x",
    "a:b",
    "::1",
    "[::1]:9",
    "https://[::1",
    "https://h:99999",
    "arn:::::",
    "22:30",
    "probe/",
    "[",
    "*",
)
ANYTHING = st.sampled_from([*WORDS, None, True, -1, 1.5, 10**30, "2026-11-23", [], {}, [1], ["x"], {"kind": "ecs"}])
JARGON = ("Input should", "Value error", "function-", "Field required", "Extra inputs", "tagged", "pydantic")


def test_the_plan_with_most_in_it_is_good() -> None:
    assert parse(json.dumps(wide())).dns.kind == "cloud-dns"


@pytest.mark.slow
@settings(deadline=None, max_examples=300)
@given(st.sampled_from(list(places(wide()))), ANYTHING, st.sampled_from(["instead", "beside", "without"]))
def test_whatever_stands_anywhere_a_plan_is_taken_or_refused_in_its_own_words(
    place: tuple[str | int, ...], value: Any, how: str
) -> None:
    plan: Any = wide()
    part = plan
    for name in place[:-1]:
        part = part[name]
    if how == "without":
        del part[place[-1]]
    else:
        part[place[-1] if how == "instead" or isinstance(part, list) else f"{place[-1]}x"] = value
    try:
        parse(json.dumps(plan))
        reaches(False)
    except BadPlan as refused:
        reaches(True)
        assert refused.problems and not [word for word in JARGON if word in str(refused)]
