"""Say where the fleets of a plan's two sites differ: `python -m gateway.parity plans/orders.yaml`.

A standby that differs from the active site is found out in a failover, when it is too late. What must differ (where a
route leads, under which id, what things are called) is not compared. The exit status is 1 if anything differs, 2 if a
fleet could not be looked at, or did not tell all that is compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from failover.aws.clients import client
from failover.errors import FailoverError
from failover.fleets import FleetState, fleet_of
from failover.fleets.kubernetes import EksApi
from failover.plan.fleets import CfkFleet, EcsBlueGreenFleet, EcsFleet, FleetConfig, KroxyliciousFleet
from failover.plan.model import Plan, Site, load_plan
from gateway.facts import Fact, cfk_facts, ecs_facts, kroxylicious_facts, of_gateway

Facts = dict[str, str | None]


def facts_of(kind: str, state: FleetState, spec: Mapping[str, Any] | None = None) -> dict[str, str | None]:
    """What a fleet is, by name of the fact. `spec`: of its Gateway resource, where it has one."""
    zones = Counter(instance.zone for instance in state.instances)
    facts: dict[str, str | None] = {
        "kind": kind,
        "how a route is changed": state.tier,
        "instances": str(len(state.instances)),
        "instances by zone": ", ".join(map(str, sorted(zones.values()))) if None not in zones else "not told",
        "settled": "yes" if state.settled else f"no: {state.detail}",
    }
    return facts | (dict(of_gateway(spec)) if spec is not None else {})


def differences(one: Facts, other: Facts) -> list[str]:
    """Each fact in which they differ, and how."""
    untold = {*unknown(one), *unknown(other)}
    return [
        f"{name}: {one.get(name, 'none')} | {other.get(name, 'none')}"
        for name in dict.fromkeys((*one, *other))
        if name not in untold and one.get(name) != other.get(name)
    ]


def unknown(facts: Facts) -> list[str]:
    """The names of the facts that were looked for and not told."""
    return [name for name, value in facts.items() if value is None]


def _look(plan: Plan, site: str, fleet: FleetConfig) -> Facts:
    at = plan.site(site)
    return facts_of(fleet.kind, fleet_of(fleet, at.region, at.role).look()) | dict(_own_facts(fleet, site, at))


def _own_facts(fleet: FleetConfig, site: str, at: Site) -> Iterator[Fact]:
    region, role = at.region, at.role
    if isinstance(fleet, EcsFleet | EcsBlueGreenFleet):
        where = f"fleet {fleet.name} of ECS cluster {fleet.cluster} in {region}"
        yield from ecs_facts(fleet, where, client("ecs", region, role=role), client("elbv2", region, role=role))
        return
    api = EksApi(fleet.eks, region, fleet.namespace, role)
    if isinstance(fleet, KroxyliciousFleet):
        yield from kroxylicious_facts(fleet, api)
    elif isinstance(fleet, CfkFleet):
        yield from cfk_facts(fleet, api)
    else:
        for colour in fleet.gateways:
            for name, value in cfk_facts(fleet.gateway(colour), api):
                yield f"gateway to {colour}, {name}", value


def main(plan_file: Annotated[Path, typer.Argument(metavar="PLAN", help="The plan, a YAML file.")]) -> None:
    """Say where the fleets of a plan's two sites differ."""
    try:
        plan = load_plan(plan_file)
        one, other = plan.sites
        fleets = {site: plan.site(site).fleets for site in plan.sites}
        findings = [_look(plan, site, fleet) for site in plan.sites for fleet in fleets[site]]
    except (FailoverError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    differ = False
    if len(fleets[one]) != len(fleets[other]):
        differ = True
        typer.echo(f"{one} has {len(fleets[one])} fleets, {other} has {len(fleets[other])}")
    count = len(fleets[one])
    for (first, second), facts, others in zip(
        zip(fleets[one], fleets[other], strict=False), findings[:count], findings[count:], strict=False
    ):
        for difference in differences(facts, others):
            differ = True
            typer.echo(f"{one}/{first.name} | {other}/{second.name}: {difference}")
    described = [(site, fleet) for site in plan.sites for fleet in fleets[site]]
    untold = {f"{site}/{fleet.name}": unknown(facts) for (site, fleet), facts in zip(described, findings, strict=True)}
    for fleet, names in untold.items():
        for name in names:
            typer.echo(f"{fleet}: {name} is not told", err=True)
    if any(untold.values()):
        raise typer.Exit(2)
    if not differ:
        typer.echo(f"the fleets of {one} and {other} are alike")
    raise typer.Exit(int(differ))


if __name__ == "__main__":
    typer.run(main)
