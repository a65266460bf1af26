"""What a fleet on ECS is made out to be from what ECS answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from drill import fixture_plan
from failover.fleets.ecs import LEAVES_WITHIN_S, EcsService
from failover.plan.fleets import EcsFleet

FLEET = EcsFleet(**fixture_plan.ecs_fleet("west", "nlb.example.com:9092"))
WEST = fixture_plan.task_definition("west", "west")


def service(**more: Any) -> dict[str, Any]:
    deployment = {"status": "PRIMARY", "taskDefinition": WEST, "runningCount": 1, "rolloutState": "COMPLETED"}
    return {"status": "ACTIVE", "desiredCount": 1, "taskDefinition": WEST, "deployments": [deployment]} | more


def fleet(
    described: dict[str, Any], task: dict[str, Any] | None = None, leaving: dict[str, Any] | None = None
) -> EcsService:
    """A fleet with a task that shall run, and one that shall not."""
    ecs = boto3.client("ecs", region_name="us-west-2", aws_access_key_id="test", aws_secret_access_key="test")
    stubbed = Stubber(ecs)
    stubbed.add_response("describe_services", {"services": [described]}, {"cluster": ANY, "services": ANY})
    tasks = {"RUNNING": task, "STOPPED": leaving}
    for desired, there in tasks.items():
        asked = {"cluster": ANY, "serviceName": ANY, "desiredStatus": desired}
        stubbed.add_response("list_tasks", {"taskArns": ["arn"] if there is not None else []}, asked)
    if any(tasks.values()):
        found = [there for there in tasks.values() if there is not None]
        stubbed.add_response("describe_tasks", {"tasks": found}, {"cluster": ANY, "tasks": ["arn"] * len(found)})
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


@pytest.mark.parametrize("anywhere", ["0.0.0.0", "::", "", None])
def test_a_port_that_is_bound_on_every_address_leads_nowhere_from_another_host(anywhere: str | None) -> None:
    binding = {"containerPort": 9092, "hostPort": 32768} | ({} if anywhere is None else {"bindIP": anywhere})
    (instance,) = fleet(service(), attached(networkBindings=[binding])).look().instances
    assert instance.bootstrap == "10.0.1.7:9092", "the task's own address is left"
    (instance,) = fleet(service(), attached(networkBindings=[binding], networkInterfaces=[])).look().instances
    assert instance.bootstrap is None


def test_a_task_with_an_ipv6_address_alone_is_asked_at_a_host_and_a_port() -> None:
    (instance,) = fleet(service(), attached(networkInterfaces=[{"ipv6Address": "2001:db8::7"}])).look().instances
    assert (instance.bootstrap, instance.metrics) == ("[2001:db8::7]:9092", "[2001:db8::7]:9190")
    binding = {"containerPort": 9092, "hostPort": 32768, "bindIP": "2001:db8::9"}
    (instance,) = fleet(service(), attached(networkBindings=[binding])).look().instances
    assert instance.bootstrap == "[2001:db8::9]:32768"


def test_the_admin_port_is_no_route_wherever_it_stands_among_the_bindings() -> None:
    admin = {"bindIP": "10.0.0.9", "containerPort": 9190, "hostPort": 32700}
    route = {"bindIP": "10.0.0.9", "containerPort": 9092, "hostPort": 32768}
    (instance,) = fleet(service(), attached(networkBindings=[admin, route])).look().instances
    assert (instance.bootstrap, instance.metrics) == ("10.0.0.9:32768", "10.0.0.9:32700")
    (instance,) = fleet(service(), attached()).look().instances
    assert instance.metrics == "10.0.1.7:9190"


def failed(**more: Any) -> dict[str, Any]:
    """A service whose last deployment a circuit breaker ended, without rollback."""
    deployment = {
        "status": "PRIMARY",
        "taskDefinition": WEST,
        "runningCount": 1,
        "rolloutState": "FAILED",
        "rolloutStateReason": "ECS deployment circuit breaker: tasks failed to start.",
    }
    return service(deployments=[deployment | more])


def test_a_deployment_that_failed_before_is_a_state_to_go_on_from_and_says_so() -> None:
    east = fixture_plan.task_definition("west", "east")
    state = fleet(failed(taskDefinition=east), attached() | {"taskDefinitionArn": east}).look()
    assert (state.target, state.settled, state.routed_to("west")) == ("east", False, False)
    assert "circuit breaker" in state.detail
    state = fleet(failed(), attached()).look()
    assert state.target == "west" and not state.routed_to("west"), "nothing but another deployment ends it"


@pytest.mark.parametrize("runs", [WEST, fixture_plan.task_definition("west", "east")])
def test_a_deployment_that_failed_is_followed_by_another_one(runs: str) -> None:
    assert updated(failed(taskDefinition=runs) | {"taskDefinition": runs}, forceNewDeployment=True)


def test_a_task_of_another_definition_is_no_proof_and_leaves_the_fleet_unsettled() -> None:
    before = attached() | {"taskDefinitionArn": fixture_plan.task_definition("west", "east")}
    state = fleet(service(), before).look()
    assert (state.target, state.settled, state.unproven) == ("west", False, ["1"])


@pytest.mark.parametrize(
    ("status", "settled"), [("DEACTIVATING", False), ("STOPPING", False), ("DEPROVISIONING", True), ("STOPPED", True)]
)
def test_a_task_of_before_counts_until_its_containers_have_ended(status: str, settled: bool) -> None:
    leaving = attached() | {
        "taskDefinitionArn": fixture_plan.task_definition("west", "east"),
        "lastStatus": status,
        "desiredStatus": "STOPPED",
    }
    assert fleet(service(), attached(), leaving).look().settled is settled


@pytest.mark.parametrize(
    ("launch", "age_s", "listed"),
    [
        ("FARGATE", 2 * LEAVES_WITHIN_S, ["RUNNING"]),
        ("FARGATE", 60, ["RUNNING", "STOPPED"]),
        ("EC2", 2 * LEAVES_WITHIN_S, ["RUNNING", "STOPPED"]),
    ],
)
def test_tasks_on_their_way_out_are_asked_for_while_there_may_be_any_of_before(
    launch: str, age_s: float, listed: list[str]
) -> None:
    """What may be asked of ECS for tasks, all plans of a region share."""
    described = service(launchType=launch)
    described["deployments"][0]["createdAt"] = datetime.now(UTC) - timedelta(seconds=age_s)
    asked: list[str] = []

    class Ecs:
        def describe_services(self, **_: Any) -> dict[str, Any]:
            return {"services": [described]}

        def list_tasks(self, **request: Any) -> dict[str, Any]:
            asked.append(request["desiredStatus"])
            return {"taskArns": ["arn"] if request["desiredStatus"] == "RUNNING" else []}

        def describe_tasks(self, **_: Any) -> dict[str, Any]:
            return {"tasks": [attached()]}

    ecs: Any = Ecs()
    assert EcsService(FLEET, "us-west-2", ecs).look().settled
    assert asked == listed


FENCED = fixture_plan.task_definition("west", "fenced")
BEFORE = {"status": "ACTIVE", "taskDefinition": WEST, "desiredCount": 0, "pendingCount": 0, "runningCount": 0}


def being_fenced(*previous: dict[str, Any], running: int = 0) -> dict[str, Any]:
    """A service whose deployment of the fenced definition has begun, and the deployments of before that it tells of."""
    primary = {"status": "PRIMARY", "taskDefinition": FENCED, "runningCount": running, "rolloutState": "IN_PROGRESS"}
    return service(taskDefinition=FENCED, desiredCount=2, deployments=[primary, *previous])


@pytest.mark.parametrize(("running", "previous"), [(0, ()), (1, ()), (0, (BEFORE,)), (1, (BEFORE,))])
def test_a_fence_holds_once_no_task_of_before_is_left_though_none_of_its_own_is_there(
    running: int, previous: tuple[dict[str, Any], ...]
) -> None:
    task = attached() | {"taskDefinitionArn": FENCED, "lastStatus": "RUNNING" if running else "PENDING"}
    state = fleet(being_fenced(*previous, running=running), task).look()
    assert (state.target, state.settled, state.fence_holds) == ("fenced", False, True)


@pytest.mark.parametrize("count", ["desiredCount", "pendingCount", "runningCount"])
@pytest.mark.parametrize("of_before", [1, None])
def test_a_deployment_of_before_that_has_tasks_or_does_not_say_lets_no_fence_hold(
    count: str, of_before: int | None
) -> None:
    previous = {name: value for name, value in (BEFORE | {count: of_before}).items() if value is not None}
    ecs = boto3.client("ecs", region_name="us-west-2", aws_access_key_id="test", aws_secret_access_key="test")
    stubbed = Stubber(ecs)
    stubbed.add_response("describe_services", {"services": [being_fenced(previous)]})
    stubbed.activate()
    assert not EcsService(FLEET, "us-west-2", ecs).look().fence_holds


@pytest.mark.parametrize(
    ("desired", "status", "holds"),
    [
        ("RUNNING", "PENDING", False),
        ("RUNNING", "RUNNING", False),
        ("STOPPED", "RUNNING", False),
        ("STOPPED", "DEACTIVATING", False),
        ("STOPPED", "STOPPING", False),
        ("STOPPED", "DEPROVISIONING", True),
    ],
)
@pytest.mark.parametrize("running", [0, 1])
def test_a_fence_does_not_hold_while_a_task_of_before_may_carry_clients(
    desired: str, status: str, holds: bool, running: int
) -> None:
    before = attached() | {"lastStatus": status, "desiredStatus": desired}
    tasks = (before, None) if desired == "RUNNING" else (None, before)
    assert fleet(being_fenced(running=running), *tasks).look().fence_holds is holds


def test_a_fleet_that_is_routed_to_a_site_fences_nothing_whatever_is_left_of_it() -> None:
    ecs = boto3.client("ecs", region_name="us-west-2", aws_access_key_id="test", aws_secret_access_key="test")
    stubbed = Stubber(ecs)
    primary = {"status": "PRIMARY", "taskDefinition": WEST, "runningCount": 0, "rolloutState": "IN_PROGRESS"}
    stubbed.add_response("describe_services", {"services": [service(deployments=[primary])]})
    stubbed.activate()
    assert not EcsService(FLEET, "us-west-2", ecs).look().fence_holds
    assert not fleet(service(), attached()).look().fence_holds


def test_a_service_that_lacks_a_task_is_not_settled_and_says_how_many() -> None:
    state = fleet(service(desiredCount=2), attached()).look()
    assert (state.settled, state.missing, state.accepts_clients) == (False, 1, True)
    before = attached() | {"taskDefinitionArn": fixture_plan.task_definition("west", "east")}
    state = fleet(service(desiredCount=2), attached(), before | {"lastStatus": "STOPPING"}).look()
    assert (state.settled, state.missing, state.accepts_clients) == (False, 0, False)
    state = fleet(service(desiredCount=1)).look()
    assert (state.missing, state.accepts_clients) == (1, False), "nobody is there"


def test_a_task_that_is_scaled_in_is_no_instance_and_holds_nothing_up() -> None:
    leaving = attached() | {"taskArn": "arn/task/2", "lastStatus": "RUNNING", "desiredStatus": "STOPPED"}
    state = fleet(service(), attached(), leaving).look()
    assert (state.settled, [instance.name for instance in state.instances]) == (True, ["1"])


def test_a_service_without_a_task_fences_and_one_that_still_ends_its_tasks_is_not_settled() -> None:
    state = fleet(service(desiredCount=0)).look()
    assert (state.target, state.settled, state.fence_kind) == ("fenced", True, "scaled to zero")
    assert not fleet(service(desiredCount=0), attached()).look().settled


@pytest.mark.parametrize(
    ("runs", "healthy"),
    [("gateway-west-to-east:1", 0), ("gateway-west-fenced:1", 0), ("gateway-west-to-west:7", 100)],
)
def test_tasks_are_replaced_at_once_unless_they_lead_there_already(runs: str, healthy: int) -> None:
    now = WEST.replace("gateway-west-to-west:1", runs)
    assert updated(service(taskDefinition=now, deployments=[]))["minimumHealthyPercent"] == healthy


def test_tasks_that_are_still_being_replaced_count_for_that_too() -> None:
    going = {"status": "ACTIVE", "taskDefinition": fixture_plan.task_definition("west", "east")}
    assert updated(service(deployments=[going]))["minimumHealthyPercent"] == 0


def test_a_service_that_was_scaled_to_zero_comes_back_with_the_instances_of_the_plan() -> None:
    assert updated(service(desiredCount=0), desiredCount=FLEET.instances)["maximumPercent"] == 200


def updated(described: dict[str, Any], **more: Any) -> dict[str, Any]:
    """How a service is deployed when it is routed to west. `more`: what else is changed."""
    ecs = boto3.client("ecs", region_name="us-west-2", aws_access_key_id="test", aws_secret_access_key="test")
    sent: list[dict[str, Any]] = []
    ecs.meta.events.register("before-parameter-build.ecs.UpdateService", lambda params, **_: sent.append(dict(params)))
    stubbed = Stubber(ecs)
    stubbed.add_response("describe_services", {"services": [described]}, {"cluster": ANY, "services": ANY})
    changes = {"cluster": ANY, "service": ANY, "taskDefinition": WEST, "deploymentConfiguration": ANY, **more}
    stubbed.add_response("update_service", {}, changes)
    stubbed.activate()
    EcsService(FLEET, "us-west-2", ecs).route("west")
    stubbed.assert_no_pending_responses()
    return dict(sent[0]["deploymentConfiguration"])


def test_no_circuit_breaker_rolls_a_deployment_back() -> None:
    deployed = updated(service(taskDefinition=fixture_plan.task_definition("west", "east"), deployments=[]))
    assert deployed["deploymentCircuitBreaker"] == {"enable": False, "rollback": False}


@pytest.mark.parametrize(("enable", "rollback", "found"), [(True, True, 1), (True, False, 0), (False, True, 0)])
def test_an_alarm_that_would_roll_a_deployment_back_is_an_obstacle(enable: bool, rollback: bool, found: int) -> None:
    alarms = {"alarmNames": ["gateway-errors"], "enable": enable, "rollback": rollback}
    assert len(obstacles(service(deploymentConfiguration={"alarms": alarms}))) == found


def obstacles(
    described: dict[str, Any], statuses: tuple[str, ...] = ("ACTIVE",) * 3, attributes: dict[str, str] | None = None
) -> list[str]:
    session = boto3.Session("test", "test", region_name="us-west-2")
    ecs, balancing = session.client("ecs"), session.client("elbv2")
    stubbed, groups = Stubber(ecs), Stubber(balancing)
    stubbed.add_response("describe_services", {"services": [described]}, {"cluster": ANY, "services": ANY})
    for definition, status in zip(FLEET.task_definitions.values(), statuses, strict=True):
        if status == "missing":
            stubbed.add_client_error("describe_task_definition", "ClientException", "Unable to describe it", 400)
        else:
            answer = {"taskDefinition": {"status": status}}
            stubbed.add_response("describe_task_definition", answer, {"taskDefinition": definition})
    if attributes is not None:
        told = {"Attributes": [{"Key": key, "Value": value} for key, value in attributes.items()]}
        groups.add_response("describe_target_group_attributes", told, {"TargetGroupArn": "arn:group"})
    stubbed.activate()
    groups.activate()
    found = EcsService(FLEET, "us-west-2", ecs, balancing).obstacles()
    assert all(obstacle.remedy for obstacle in found)
    return [obstacle.what for obstacle in found]


def test_a_service_that_ecs_does_not_deploy_by_itself_is_an_obstacle() -> None:
    assert obstacles(service()) == []
    (what,) = obstacles(service(deploymentController={"type": "CODE_DEPLOY"}))
    assert "CODE_DEPLOY" in what


def test_a_service_that_ecs_deploys_in_its_own_colours_is_an_obstacle_for_it_takes_minutes() -> None:
    (what,) = obstacles(service(deploymentConfiguration={"strategy": "BLUE_GREEN"}))
    assert "BLUE_GREEN" in what


@pytest.mark.parametrize(("status", "said"), [("missing", "is not there"), ("INACTIVE", "was deregistered")])
def test_a_task_definition_that_can_not_be_deployed_is_an_obstacle(status: str, said: str) -> None:
    (what,) = obstacles(service(), ("ACTIVE", status, "ACTIVE"))
    assert said in what and "for west" in what


@pytest.mark.parametrize(
    ("terminates", "delay", "found"), [("true", "30", 0), ("true", "31", 1), ("false", "30", 1), ("false", "300", 1)]
)
def test_a_load_balancer_that_keeps_the_connections_of_tasks_that_are_gone_is_an_obstacle(
    terminates: str, delay: str, found: int
) -> None:
    group = {"targetGroupArn": "arn:group", "containerName": "gateway", "containerPort": 9092}
    attributes = {
        "deregistration_delay.connection_termination.enabled": terminates,
        "deregistration_delay.timeout_seconds": delay,
    }
    assert len(obstacles(service(loadBalancers=[group]), attributes=attributes)) == found
