"""What the gateway fleets of a plan run on, as the texts of files; `failover render` writes them.

For each fleet on ECS: its configuration for each target, named as the task definition that carries it, and the
parameters of `ecs.yaml`. For each fleet on Kubernetes: its resources.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from failover.plan.fleets import CfkBlueGreenFleet, CfkFleet, EcsBlueGreenFleet, EcsFleet, KroxyliciousFleet
from failover.plan.model import FENCED, Plan
from gateway.cfk import blue_green_resources, cfk_resources
from gateway.config import (
    CLUSTER_LOGIN_TEMPLATE,
    Config,
    allowed_urls,
    cluster_login,
    gateway_config,
    listening_ports,
    secret_prefix,
    targets,
)
from gateway.kroxylicious import around, kroxylicious_resources
from gateway.kubernetes import Manifest
from gateway.settings import BadSettings, Settings

# An ECS service takes five target groups: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/nlb.html
ECS_PORTS: Final = 5
ECS_TEMPLATE: Final = Path(__file__).with_name("ecs.yaml")
NO_AUTOSCALER: Final = """\
# No HorizontalPodAutoscaler: the operator owns the Deployment, and takes back what one makes of its replicas. Scale
# by spec.replicas of the resource below, to what a peak needs with one zone lost, and not during a failover.
"""


def family(fleet: str, target: str) -> str:
    """The name of a fleet's task definition for a target: `gateway-east-to-west`, `gateway-east-fenced`."""
    return f"{fleet}-{FENCED}" if target == FENCED else f"{fleet}-to-{target}"


def render(plan: Plan, settings: Settings) -> dict[str, str]:
    """The texts of all files of the plan's fleets, by file name.

    Raises:
        BadSettings, UnknownSite: if plan and settings do not fit together.
    """
    files: dict[str, str] = {}
    for site, described in plan.locations.items():
        for fleet in described.fleets:
            if not isinstance(fleet, EcsFleet | EcsBlueGreenFleet):
                files[f"{fleet.name}.kubernetes.yaml"] = as_manifests(kubernetes_resources(plan, site, fleet, settings))
                continue
            configs = {target: gateway_config(plan, site, target, settings) for target in targets(plan)}
            files |= {f"{family(fleet.name, target)}.yaml": as_yaml(config) for target, config in configs.items()}
            if on_ports_of_ecs(configs[plan.home]):
                parameters = ecs_parameters(plan, site, fleet=fleet, configs=configs, settings=settings)
                files[f"{fleet.name}.parameters.json"] = json.dumps({"Parameters": parameters}, indent=2) + "\n"
    if settings.auth == "swap" and settings.oauth is None:
        files["cluster.jaas.conf"] = CLUSTER_LOGIN_TEMPLATE
    elif settings.auth == "swap":
        files |= {f"cluster-{site}.jaas.conf": cluster_login(plan, site, settings) for site in plan.sites}
    return files


def kubernetes_resources(
    plan: Plan, site: str, fleet: CfkFleet | CfkBlueGreenFleet | KroxyliciousFleet, settings: Settings
) -> list[Manifest]:
    """All that a fleet on Kubernetes is made of, but for its Secrets.

    Raises:
        BadSettings, UnknownSite: if plan and settings do not fit together.
    """
    if isinstance(fleet, CfkFleet):
        return cfk_resources(plan, site, fleet, settings)
    if isinstance(fleet, CfkBlueGreenFleet):
        return blue_green_resources(plan, site, fleet, settings)
    return [*kroxylicious_resources(plan, site, fleet, settings), *around(site, fleet, settings)]


def as_manifests(manifests: list[Manifest]) -> str:
    """The text for `kubectl apply`."""
    return NO_AUTOSCALER + yaml.safe_dump_all(manifests, sort_keys=False, width=120, explicit_start=True)


def ecs_parameters(
    plan: Plan, site: str, fleet: EcsFleet | EcsBlueGreenFleet, configs: dict[str, Config], settings: Settings
) -> dict[str, str]:
    """The parameters of `ecs.yaml` for one fleet: those that follow from the plan, and those of the settings."""
    own = plan.first_route(site)
    ports = listening_ports(configs[own])
    services = (
        {"ServiceName": fleet.service}
        if isinstance(fleet, EcsFleet)
        else {"ServiceName": fleet.services[own], "OtherServiceName": fleet.services[plan.other(own)]}
    )
    parameters: dict[str, Any] = {
        "Fleet": fleet.name,
        **services,
        "ClusterName": fleet.cluster,
        "Site": own,
        "OtherSite": plan.other(own),
        "ConfigToOwnSite": as_yaml(configs[own]),
        "ConfigToOtherSite": as_yaml(configs[plan.other(own)]),
        "ConfigFenced": as_yaml(configs[FENCED]),
        **{f"Port{index}": port for index, port in enumerate(ports)},
        "LastPort": ports[-1],
    }
    if settings.auth == "swap":
        parameters["SwapSecretPrefix"] = secret_prefix(plan, settings)
    if settings.oauth is not None:
        parameters |= {
            "ClusterLoginToOwnSite": cluster_login(plan, own, settings).strip(),
            "ClusterLoginToOtherSite": cluster_login(plan, plan.other(own), settings).strip(),
            "ClusterLoginFenced": cluster_login(plan, own, settings).strip(),
            "GatewayOpts": allowed_urls(settings.oauth),
        }
    parameters |= settings.ecs.get(site, {})
    return {name: str(value) for name, value in parameters.items()}


def as_yaml(config: Config) -> str:
    """The text for `GATEWAY_CONFIG`, or for the file that `GATEWAY_CONFIG_FILE` names."""
    return yaml.safe_dump(config, sort_keys=False, width=120)


def on_ports_of_ecs(config: Config) -> bool:
    """Whether an ECS service takes all ports of a fleet with that configuration."""
    return len(listening_ports(config)) <= ECS_PORTS


def for_clients_at(endpoint: str | None, plan: Plan) -> Plan:
    """The plan with another endpoint for clients, such as a workstation's.

    Raises:
        BadSettings: it is no host:port.
    """
    if endpoint is None:
        return plan
    try:
        return Plan.model_validate({**plan.model_dump(), "bootstrap": endpoint})
    except ValidationError:
        raise BadSettings(f"--endpoint must be host:port, not {endpoint!r}") from None
