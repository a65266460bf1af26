"""Say where the fleets of a plan's two sites differ: `python -m gateway.parity plans/orders.yaml`.

A standby that differs from the active site is found out in a failover, when it is too late. What must differ (where a
route leads, under which id, what things are called) is not compared. The exit status is 1 if anything differs, 2 if a
fleet could not be looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from failover.errors import FailoverError
from failover.fleets import FleetState, fleet_of
from failover.fleets.cfk import GATEWAYS
from failover.fleets.kubernetes import EksApi
from failover.plan.fleets import CfkBlueGreenFleet, CfkFleet, FleetConfig
from failover.plan.gateway_route import hot_reload
from failover.plan.model import Plan, load_plan

Facts = Mapping[str, str]


def facts_of(kind: str, state: FleetState, spec: Mapping[str, Any] | None = None) -> dict[str, str]:
    """What a fleet is, by name of the fact. `spec`: of its Gateway resource, where it has one."""
    zones = Counter(instance.zone for instance in state.instances)
    facts = {
        "kind": kind,
        "how a route is changed": state.tier,
        "instances": str(len(state.instances)),
        "instances by zone": ", ".join(map(str, sorted(zones.values()))) if None not in zones else "not told",
        "settled": "yes" if state.settled else f"no: {state.detail}",
    }
    return facts | (dict(_of_gateway(spec)) if spec is not None else {})


def differences(one: Facts, other: Facts) -> list[str]:
    """Each fact in which they differ, and how."""
    return [
        f"{name}: {one.get(name, 'none')} | {other.get(name, 'none')}"
        for name in dict.fromkeys((*one, *other))
        if one.get(name) != other.get(name)
    ]


def _of_gateway(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    pod = spec.get("podTemplate") or {}
    yield "replicas", str(spec.get("replicas", 1))
    yield "image", str((spec.get("image") or {}).get("application"))
    yield "hot reload", "on" if hot_reload(spec) else "off"
    yield "environment", ", ".join(sorted(each["name"] for each in pod.get("envVars") or []))
    for part in ("resources", "probe", "topologySpreadConstraints"):
        # The labels that pods are selected by are of the fleet itself.
        yield part, _shown(_without(pod.get(part), "labelSelector"))
    for domain in spec.get("streamingDomains") or []:
        yield f"streaming domain {domain.get('name')}", _shown(domain.get("kafkaCluster"))
    for route in spec.get("routes") or []:
        security = _without(route.get("security"), "secretRef", "secretStore")
        yield (
            f"route {route.get('name')}",
            _shown([route.get("endpoint"), route.get("brokerIdentificationStrategy"), security]),
        )


def _without(value: Any, *keys: str) -> Any:
    if isinstance(value, dict):
        return {key: _without(inner, *keys) for key, inner in value.items() if key not in keys}
    return [_without(inner, *keys) for inner in value] if isinstance(value, list) else value


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_shown(value[key])}" for key in sorted(value)) + "}"
    return "[" + ", ".join(map(_shown, value)) + "]" if isinstance(value, list) else str(value)


def _look(plan: Plan, site: str, fleet: FleetConfig) -> dict[str, str]:
    region = plan.site(site).region
    state = fleet_of(fleet, region).look()
    gateway = fleet.gateway(site) if isinstance(fleet, CfkBlueGreenFleet) else fleet
    if not isinstance(gateway, CfkFleet):
        return facts_of(fleet.kind, state)
    resource = EksApi(gateway.eks, region, gateway.namespace).get(GATEWAYS, gateway.gateway)
    return facts_of(fleet.kind, state, resource.get("spec"))


def main(plan_file: Annotated[Path, typer.Argument(metavar="PLAN", help="The plan, a YAML file.")]) -> None:
    """Say where the fleets of a plan's two sites differ."""
    try:
        plan = load_plan(plan_file)
        one, other = plan.sites
        fleets = {site: plan.site(site).fleets for site in plan.sites}
        found = [_look(plan, site, fleet) for site in plan.sites for fleet in fleets[site]]
    except (FailoverError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    differ = False
    if len(fleets[one]) != len(fleets[other]):
        differ = True
        typer.echo(f"{one} has {len(fleets[one])} fleets, {other} has {len(fleets[other])}")
    count = len(fleets[one])
    for (first, second), facts, others in zip(
        zip(fleets[one], fleets[other], strict=False), found[:count], found[count:], strict=False
    ):
        for difference in differences(facts, others):
            differ = True
            typer.echo(f"{one}/{first.name} | {other}/{second.name}: {difference}")
    if not differ:
        typer.echo(f"the fleets of {one} and {other} are alike")
    raise typer.Exit(int(differ))


if __name__ == "__main__":
    typer.run(main)
