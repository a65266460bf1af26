"""Elastic Load Balancing: a listener for each site, in front of a gateway fleet in two colours on ECS."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from simulation.sites import SITES, Fleet, definition_of
from simulation.world import PLAN, World

PORT: Final = 9092
_ARN: Final = "arn:aws:elasticloadbalancing:{region}:123456789012:{what}"


def listener(site: str) -> str:
    """The ARN of a site's listener."""
    return _ARN.format(region=SITES[site], what=f"listener/net/gateway-{site}/0/0")


def service(site: str, colour: str) -> str:
    """The name of a site's service that leads to the site `colour`."""
    return f"gateway-{site}-{colour}"


def _group(site: str, colour: str) -> str:
    return _ARN.format(region=SITES[site], what=f"targetgroup/{service(site, colour)}/0")


def add_colours(life: World) -> None:
    """Each site's fleet is two services from now on, both warm; its listener leads to the one that the plan says."""
    from failover.plan.model import parse

    plan = parse(life.account.plan_text(PLAN))
    first = {site: plan.first_route(site) for site in SITES}
    ecs, fleets = life.account.ecs, dict[str, dict[str, Fleet]]()
    weights = {
        listener(site): {_group(site, colour): 100 * (colour == first[site]) for colour in SITES} for site in SITES
    }
    for site in SITES:
        fleets[site] = {colour: Fleet(site, definition_of(site, colour), colour=colour) for colour in SITES}
        for colour, fleet in fleets[site].items():
            life.sites.deploy(fleet, 0.0)
            ecs.colours[service(site, colour)] = fleet
            ecs.balancers[service(site, colour)] = [{"targetGroupArn": _group(site, colour), "containerPort": PORT}]
        life.sites.sites[site].fleet = fleets[site][first[site]]

    def described(arn: str) -> dict[str, Any]:
        groups = [{"TargetGroupArn": group, "Weight": weight} for group, weight in weights[arn].items()]
        action = {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
        return {"ListenerArn": arn, "Port": PORT, "DefaultActions": [action]}

    def describe(request: Mapping[str, Any]) -> dict[str, Any]:
        return {"Listeners": [described(arn) for arn in request["ListenerArns"]]}

    def modify(request: Mapping[str, Any]) -> dict[str, Any]:
        arn = request["ListenerArn"]
        groups = request["DefaultActions"][0]["ForwardConfig"]["TargetGroups"]
        lead(arn, {group["TargetGroupArn"]: group["Weight"] for group in groups})
        return {"Listeners": [described(arn)]}

    def lead(arn: str, to: dict[str, int]) -> None:
        weights[arn] = to
        site = next(name for name in SITES if listener(name) == arn)
        colour = next(name for name in SITES if to.get(_group(site, name)))
        life.sites.sites[site].fleet = fleets[site][colour]
        life.tell(f"the load balancer of {site} leads to the service of {colour}")
        for notice in life.moved:
            notice()

    for site in SITES:
        life.put_back[site] = partial(lead, listener(site), dict(weights[listener(site)]))

    life.account.operations |= {
        "elbv2 DescribeListeners": describe,
        "elbv2 ModifyListener": modify,
    }
