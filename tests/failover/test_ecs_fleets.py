"""What a fleet on ECS is made out to be from what ECS answers."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from drill import orders
from failover.gateway.ecs import EcsService
from failover.plan_fleets import EcsFleet

FLEET = EcsFleet(**orders.ecs_fleet("west", "nlb.example.com:9092"))
WEST = orders.task_definition("west", "west")


def service(**more: Any) -> dict[str, Any]:
    deployment = {"status": "PRIMARY", "taskDefinition": WEST, "runningCount": 1, "rolloutState": "COMPLETED"}
    return {"status": "ACTIVE", "desiredCount": 1, "taskDefinition": WEST, "deployments": [deployment]} | more


def fleet(described: dict[str, Any], task: dict[str, Any] | None = None) -> EcsService:
    ecs = boto3.client("ecs", region_name="us-west-2", aws_access_key_id="test", aws_secret_access_key="test")
    stubbed = Stubber(ecs)
    stubbed.add_response("describe_services", {"services": [described]}, {"cluster": ANY, "services": ANY})
    if task is not None:
        stubbed.add_response("list_tasks", {"taskArns": ["arn/task/1"]}, {"cluster": ANY, "serviceName": ANY})
        stubbed.add_response("describe_tasks", {"tasks": [task]}, {"cluster": ANY, "tasks": ANY})
    stubbed.activate()
    return EcsService(FLEET, "us-west-2", ecs)


def attached(**more: Any) -> dict[str, Any]:
    """A task with an address of its own (awsvpc)."""
    container = {"networkInterfaces": [{"privateIpv4Address": "10.0.1.7"}]} | more
    return {"taskArn": "arn/task/1", "taskDefinitionArn": WEST, "lastStatus": "RUNNING", "containers": [container]}


@pytest.mark.parametrize(
    ("balancers", "bootstrap"),
    [
        ([], "10.0.1.7:9092"),
        ([19093, 19092, 19094], "10.0.1.7:19092"),
    ],
)
def test_a_task_with_an_address_of_its_own_is_asked_at_its_containers_port(
    balancers: list[int], bootstrap: str
) -> None:
    described = service(loadBalancers=[{"containerName": "gateway", "containerPort": port} for port in balancers])
    (instance,) = fleet(described, attached()).look().instances
    assert (instance.bootstrap, instance.proof) == (bootstrap, "runs gateway-west-to-west:1")


def test_a_published_port_goes_before_an_address() -> None:
    published = attached(networkBindings=[{"bindIP": "10.0.0.9", "containerPort": 9092, "hostPort": 32768}])
    (instance,) = fleet(service(), published).look().instances
    assert instance.bootstrap == "10.0.0.9:32768"


def test_a_task_of_another_definition_is_no_proof_and_leaves_the_fleet_unsettled() -> None:
    before = attached() | {"taskDefinitionArn": orders.task_definition("west", "east")}
    state = fleet(service(), before).look()
    assert (state.target, state.settled, state.unproven) == ("west", False, ["1"])


def test_a_service_that_ecs_does_not_deploy_by_itself_is_an_obstacle() -> None:
    assert fleet(service()).obstacles() == []
    (obstacle,) = fleet(service(deploymentController={"type": "CODE_DEPLOY"})).obstacles()
    assert "CODE_DEPLOY" in obstacle.what and "deployment controller" in obstacle.remedy
