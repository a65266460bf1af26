"""Gateway fleets that are ECS services of the world's AWS account; their tasks end with their region."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import yaml

from drill import fixture_plan
from drill.fixture_plan import GATEWAY_REGIONS, HOME, REGIONS, STANDBY
from drill.fleets import NODES, Document, zones
from drill.process import Child
from gateway.config import gateway_config

from failover.plan.model import parse  # isort: skip

FIRST_PORT: Final = 9092


class EcsFleets:
    """One ECS service for each location, in the world's AWS account; its tasks end with their region."""

    def __init__(self, ecs: Callable[[str], Any], instances: int, post: Callable[[str], Any]) -> None:
        self._ecs = ecs
        self.size = instances
        self._post = post

    def in_plan(self, site: str, balancer: str) -> Document:
        return fixture_plan.ecs_fleet(site, balancer)

    def deploy(self, plan: Document, balancers: Mapping[str, str]) -> None:
        for site, admin in balancers.items():
            ecs = self._ecs(GATEWAY_REGIONS[site])
            register_task_definitions(ecs, plan, site)
            ecs.create_service(
                cluster="gateways",
                serviceName=f"gateway-{site}",
                taskDefinition=fixture_plan.task_definition(site, HOME),
                desiredCount=self.size,
                deploymentConfiguration={"minimumHealthyPercent": 0, "maximumPercent": 200},
                tags=[{"key": "drill:balancer", "value": admin}],
            )

    def processes(self, site: str) -> list[Child]:
        return []

    def instances(self, site: str) -> list[str]:
        ecs = self._ecs(GATEWAY_REGIONS[site])
        arns = ecs.list_tasks(cluster="gateways", serviceName=f"gateway-{site}")["taskArns"]
        tasks = ecs.describe_tasks(cluster="gateways", tasks=arns)["tasks"] if arns else []
        return [task["taskArn"] for task in tasks if task["lastStatus"] == "RUNNING"]

    def lose_zone(self, site: str) -> None:
        self._post(f"/drill/zones/{zones(site)[0]}/lose")


class EcsBlueGreenFleets:
    """Two ECS services for each site, one a colour, behind the listeners of one load balancer."""

    def __init__(self, client: Callable[[str, str], Any], instances: int, post: Callable[[str], Any]) -> None:
        self._client = client
        self._instances = instances
        self.size = 2 * instances
        self._post = post

    def in_plan(self, site: str, balancer: str) -> Document:
        return fixture_plan.ecs_blue_green_fleet(site, balancer) | {"instances": self._instances}

    def deploy(self, plan: Document, balancers: Mapping[str, str]) -> None:
        for site, admin in balancers.items():
            ecs, balancing = (self._client(service, REGIONS[site]) for service in ("ecs", "elbv2"))
            register_task_definitions(ecs, plan, site)
            ports = range(FIRST_PORT, FIRST_PORT + 1 + fixture_plan.BROKERS)
            subnets = self._client("ec2", REGIONS[site]).describe_subnets()["Subnets"]
            groups = {
                (colour, port): _target_group(balancing, f"{site}-to-{colour}-{port}", port, subnets[0]["VpcId"])
                for colour in (HOME, STANDBY)
                for port in ports
            }
            balancer = _load_balancer(balancing, f"gateway-{site}", [subnet["SubnetId"] for subnet in subnets])
            (fleet,) = plan["sites"][site]["fleets"]
            fleet["listeners"] = [
                _listener(
                    balancing, balancer, port, {groups[colour, port]: int(colour == HOME) for colour in (HOME, STANDBY)}
                )
                for port in ports
            ]
            for colour in (HOME, STANDBY):
                ecs.create_service(
                    cluster="gateways",
                    serviceName=fleet["services"][colour],
                    taskDefinition=fixture_plan.task_definition(site, colour),
                    desiredCount=self._instances,
                    loadBalancers=[
                        {"containerName": "gateway", "containerPort": port, "targetGroupArn": groups[colour, port]}
                        for port in ports
                    ],
                    tags=[{"key": "drill:balancer", "value": admin}],
                )

    def processes(self, site: str) -> list[Child]:
        return []

    def instances(self, site: str) -> list[str]:
        ecs = self._client("ecs", REGIONS[site])
        services = fixture_plan.ecs_blue_green_fleet(site, "")["services"].values()
        arns = [arn for name in services for arn in ecs.list_tasks(cluster="gateways", serviceName=name)["taskArns"]]
        tasks = ecs.describe_tasks(cluster="gateways", tasks=arns)["tasks"] if arns else []
        return [task["taskArn"] for task in tasks if task["lastStatus"] == "RUNNING"]

    def lose_zone(self, site: str) -> None:
        self._post(f"/drill/zones/{zones(site)[0]}/lose")


def register_task_definitions(ecs: Any, plan: Document, site: str) -> None:
    """A site's ECS cluster, and a task definition for each way its fleet can be routed."""
    ecs.create_cluster(clusterName="gateways")
    for target in (HOME, STANDBY, "fenced"):
        config = gateway_config(parse(yaml.safe_dump(plan)), site, target, NODES)
        container = {
            "name": "gateway",
            "image": "confluentinc/confluent-gateway-for-cloud",
            "memory": 4096,
            "environment": [{"name": "GATEWAY_CONFIG", "value": yaml.safe_dump(config, sort_keys=False)}],
        }
        ecs.register_task_definition(family=fixture_plan.task_family(site, target), containerDefinitions=[container])


def _load_balancer(balancing: Any, name: str, subnets: list[str]) -> str:
    made = balancing.create_load_balancer(Name=name, Type="network", Scheme="internal", Subnets=subnets)
    return str(made["LoadBalancers"][0]["LoadBalancerArn"])


def _target_group(balancing: Any, name: str, port: int, vpc: str) -> str:
    made = balancing.create_target_group(Name=name, Protocol="TCP", Port=port, TargetType="ip", VpcId=vpc)
    arn = str(made["TargetGroups"][0]["TargetGroupArn"])
    balancing.modify_target_group_attributes(
        TargetGroupArn=arn,
        Attributes=[
            {"Key": "deregistration_delay.connection_termination.enabled", "Value": "true"},
            {"Key": "deregistration_delay.timeout_seconds", "Value": "0"},
        ],
    )
    return arn


def _listener(balancing: Any, balancer: str, port: int, weights: Mapping[str, int]) -> str:
    groups = [{"TargetGroupArn": group, "Weight": weight} for group, weight in weights.items()]
    made = balancing.create_listener(
        LoadBalancerArn=balancer,
        Protocol="TCP",
        Port=port,
        DefaultActions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}],
    )
    return str(made["Listeners"][0]["ListenerArn"])
