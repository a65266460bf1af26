"""The example's plan with fleets of another kind, and the clusters that they are in."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Mapping
from typing import Any, Final

import certifi
import yaml

from simulation.aws import load_balancers
from simulation.functions import ROOT
from simulation.sites import PLACES, SITES, Fleet, definition_of
from simulation.wire.kubernetes import add_cluster
from simulation.world import PLAN, World

STARTS_S: Final = 3.0
"""Until the pods are Ready."""
INSTANCES: Final = 2
_DOMAINS: Final = {site: {"name": site, "bootstrap_server_id": f"{site}-kafka"} for site in SITES}
_KINDS: Final[Mapping[str, dict[str, Any]]] = {
    "cfk": {"gateway": "gateway", "route": PLAN, "domains": _DOMAINS},
    "cfk-blue-green": {
        "service": "kafka",
        "gateways": {"east": "blue", "west": "green"},
        "route": PLAN,
        "domains": _DOMAINS,
        "instances": INSTANCES,
    },
    "kroxylicious": {
        "proxy": "gateway",
        "virtual_cluster": PLAN,
        "services": {site: site for site in SITES},
        "port": 9292,
        "instances": INSTANCES,
    },
}
KUBERNETES: Final = tuple(_KINDS)
NEAR_CLIENTS: Final = "ecs-near-clients"
"""Services of ECS in places of no site, to which the name leads at all times."""


def sites_with(kind: str) -> dict[str, Any]:
    """What the plan says of its sites, where their fleets are of a kind; nothing of the example's own."""
    if kind == "ecs":
        return {}
    if kind == NEAR_CLIENTS:
        return near_clients()
    return in_two_colours() if kind == "ecs-blue-green" else on_kubernetes(kind)


def add_fleets(life: World, kind: str) -> None:
    """Have them."""
    if kind == "ecs-blue-green":
        load_balancers.add_colours(life)
    elif kind == NEAR_CLIENTS:
        life.sites.places = {place: Fleet(place, definition_of(place, "east")) for place in PLACES}
        for fleet in life.sites.places.values():
            life.sites.deploy(fleet, 0.0)
    elif kind in KUBERNETES:
        deploy(life)


def in_two_colours() -> dict[str, Any]:
    """What the plan says of its sites, where each fleet is two services of ECS."""
    plan = _example()
    for site, described in plan["sites"].items():
        (fleet,) = described["fleets"]
        del fleet["service"]
        services = {colour: load_balancers.service(site, colour) for colour in SITES}
        fleet |= {"kind": "ecs-blue-green", "services": services, "listeners": [load_balancers.listener(site)]}
    return {"sites": plan["sites"]}


def near_clients() -> dict[str, Any]:
    """What the plan says of its sites, which have no fleets, and of the places that have them."""
    plan = _example()
    for described in plan["sites"].values():
        del described["fleets"], described["dns_target"]
    return {"sites": plan["sites"], "fleets": {place: _place(place) for place in PLACES}}


def _place(place: str) -> dict[str, Any]:
    target = f"gw-{place}.orders.example.com"
    fleet = {
        "name": f"gateway-{place}",
        "kind": "ecs",
        "cluster": "gateways",
        "service": f"gateway-{place}",
        "bootstrap": f"{target}:9092",
        "task_definitions": {route: definition_of(place, route) for route in (*SITES, "fenced")},
    }
    return {"region": PLACES[place], "dns_target": target, "fleets": [fleet]}


def on_kubernetes(kind: str) -> dict[str, Any]:
    """What the plan says of its sites, where their fleets are of a kind."""
    plan = _example()
    authority = certifi.contents().partition("-----BEGIN")[1:]
    for site, described in plan["sites"].items():
        fleet = {
            "name": f"gateway-{site}",
            "kind": kind,
            "eks": _eks(site, "".join(authority)),
            "namespace": "confluent",
        }
        fleet |= {"bootstrap": f"gw-{site}.orders.example.com:9092"} | copy.deepcopy(_KINDS[kind])
        described["fleets"] = [fleet]
    return {"sites": plan["sites"]}


def deploy(life: World) -> None:
    """Have each site's cluster, with the fleet that the plan describes."""
    from failover.plan.model import parse
    from gateway import cfk, kroxylicious
    from gateway.settings import OnKubernetes, Settings

    plan = parse(life.account.plan_text(PLAN))
    kubernetes = {site: OnKubernetes(replicas=INSTANCES) for site in SITES}
    settings = Settings(node_ids=(1, 3), kubernetes=kubernetes, hot_reload=True)
    rendered: dict[str, Callable[..., Any]] = {
        "cfk": cfk.cfk_resources,
        "cfk-blue-green": cfk.blue_green_resources,
        "kroxylicious": kroxylicious.kroxylicious_resources,
    }
    for site in SITES:
        (fleet,) = plan.site(site).fleets
        add_cluster(life, site, f"eks-{site}", rendered[fleet.kind](plan, site, fleet, settings))


def _example() -> Any:
    return copy.deepcopy(_read_example())


@functools.cache
def _read_example() -> Any:
    return yaml.safe_load((ROOT / "plans" / "orders.yaml").read_text(encoding="utf-8"))


def _eks(site: str, authority: str) -> dict[str, str]:
    import base64

    end = "-----END CERTIFICATE-----\n"
    first = authority.partition(end)[0] + end
    return {
        "name": f"eks-{site}",
        "endpoint": f"https://eks-{site}.simulation",
        "certificate_authority": base64.b64encode(first.encode()).decode(),
    }
