"""The gateway fleets of a world's sites: ECS services of its AWS account, or Kubernetes clusters of their own.

Each is routed to the active site at first: whichever fleet a client is led to, it works.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import httpx
import yaml

from drill import orders
from drill.orders import HOME, REGIONS
from drill.process import Child
from gateway.cfk import controller_rules, gateway_resource
from gateway.config import gateway_config
from gateway.settings import Settings as GatewaySettings

from failover.plan import parse  # isort: skip
from failover.plan_fleets import CfkFleet  # isort: skip

Document = dict[str, Any]
FleetKind = Literal["ecs", "cfk"]
Spawn = Callable[[str, dict[str, Any], str], Child]
NODES: Final = GatewaySettings(node_ids=(1, orders.BROKERS))
ACCEPTED_AFTER_S: Final = 1.2
CANARY_S: Final = 1.5


def zones(site: str) -> list[str]:
    """The availability zones of a site's region."""
    return [f"{REGIONS[site]}{letter}" for letter in "abc"]


class Fleets(Protocol):
    """One fleet for each site."""

    def in_plan(self, site: str, balancer: str) -> Document:
        """A site's fleet as it stands in the plan."""

    def deploy(self, plan: Document, balancers: Mapping[str, str]) -> None:
        """Start them, behind the load balancers with these admin URLs. What is known only then is put into the plan."""

    def processes(self, site: str) -> list[Child]:
        """What of a site's fleet is a process of the world's own."""

    def instances(self, site: str) -> list[str]:
        """The names of the instances that run."""

    def lose_zone(self, site: str) -> None:
        """End what runs in the first availability zone of a site's region, for good."""


class EcsFleets:
    """One ECS service for each site, in the world's AWS account; its tasks end with their region."""

    def __init__(self, ecs: Callable[[str], Any], instances: int, post: Callable[[str], Any]) -> None:
        self._ecs = ecs
        self._instances = instances
        self._post = post

    def in_plan(self, site: str, balancer: str) -> Document:
        return orders.ecs_fleet(site, balancer)

    def deploy(self, plan: Document, balancers: Mapping[str, str]) -> None:
        for site, admin in balancers.items():
            ecs = self._ecs(REGIONS[site])
            ecs.create_cluster(clusterName="gateways")
            for target in (*balancers, "fenced"):
                config = gateway_config(parse(yaml.safe_dump(plan)), site, target, NODES)
                container = {
                    "name": "gateway",
                    "image": "confluentinc/confluent-gateway-for-cloud",
                    "memory": 4096,
                    "environment": [{"name": "GATEWAY_CONFIG", "value": yaml.safe_dump(config, sort_keys=False)}],
                }
                ecs.register_task_definition(family=orders.task_family(site, target), containerDefinitions=[container])
            ecs.create_service(
                cluster="gateways",
                serviceName=f"gateway-{site}",
                taskDefinition=orders.task_definition(site, HOME),
                desiredCount=self._instances,
                deploymentConfiguration={"minimumHealthyPercent": 0, "maximumPercent": 200},
                tags=[{"key": "drill:balancer", "value": admin}],
            )

    def processes(self, site: str) -> list[Child]:
        return []

    def instances(self, site: str) -> list[str]:
        ecs = self._ecs(REGIONS[site])
        arns = ecs.list_tasks(cluster="gateways", serviceName=f"gateway-{site}")["taskArns"]
        tasks = ecs.describe_tasks(cluster="gateways", tasks=arns)["tasks"] if arns else []
        return [task["taskArn"] for task in tasks if task["lastStatus"] == "RUNNING"]

    def lose_zone(self, site: str) -> None:
        self._post(f"/drill/zones/{zones(site)[0]}/lose")


class CfkFleets:
    """One Kubernetes cluster for each site, with Confluent's operator; its pods end with it."""

    def __init__(self, spawn: Spawn, instances: int, logs: Path, in_plan: Document, configuration: Document) -> None:
        self._spawn = spawn
        self._instances = instances
        self._logs = logs
        self._in_plan = in_plan
        self._configuration = configuration
        self._clusters: dict[str, Child] = {}

    def in_plan(self, site: str, balancer: str) -> Document:
        return orders.cfk_fleet(site, balancer) | self._in_plan

    def deploy(self, plan: Document, balancers: Mapping[str, str]) -> None:
        with ThreadPoolExecutor(max_workers=len(balancers)) as pool:
            started = {site: pool.submit(self._start, plan, site, admin) for site, admin in balancers.items()}
        self._clusters = {site: each.result() for site, each in started.items()}
        for site, cluster in self._clusters.items():
            plan["sites"][site]["fleets"][0]["eks"] |= {
                name: cluster.ready[name] for name in ("endpoint", "certificate_authority")
            }

    def processes(self, site: str) -> list[Child]:
        return [self._clusters[site]]

    def instances(self, site: str) -> list[str]:
        ready = {"type": "Ready", "status": "True"}
        pods = httpx.get(f"{self._clusters[site].ready['control']}/objects").json()["pods"]
        return [pod["metadata"]["name"] for pod in pods if ready in pod["status"]["conditions"]]

    def lose_zone(self, site: str) -> None:
        self.trouble(site, "lost-zones", zones(site)[:1])

    def trouble(self, site: str, door: str, body: Any) -> None:
        """Use one of the doors of a site's cluster."""
        httpx.put(f"{self._clusters[site].ready['control']}/{door}", json=body, timeout=10).raise_for_status()

    def _start(self, document: Document, site: str, admin: str) -> Child:
        plan = parse(yaml.safe_dump(document))
        (fleet,) = plan.site(site).fleets
        if not isinstance(fleet, CfkFleet):
            raise TypeError(f"the fleet of {site} is of kind {fleet.kind}")
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": fleet.gateway, "annotations": {"drill/balancer": admin}},
            "spec": {"selector": {"app": fleet.gateway}},
        }
        config = {
            "name": fleet.eks.name,
            "log_dir": str(self._logs / f"pods-{site}"),
            "manifests": [gateway_resource(plan, HOME, fleet, NODES, self._instances), service],
            "access": {"drill": "drill"},
            "rules": controller_rules(fleet),
            "lag_s": ACCEPTED_AFTER_S,
            "canary_s": CANARY_S,
            "zones": zones(site),
            **self._configuration,
        }
        return self._spawn("drill.kubernetes.cluster", config, f"kubernetes-{site}")
