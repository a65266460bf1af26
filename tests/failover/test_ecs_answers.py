"""What each answer of ECS comes to: what is said of a fleet, whom it asks next, and how two services change places."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from drill import fixture_plan
from failover.errors import FleetRejected
from failover.fleets.ecs import LEAVES_WITHIN_S, LOOK_AGAIN_S, EcsService
from failover.fleets.ecs_blue_green import SWITCHED_AT_TAG, BlueGreenServices
from failover.plan.fleets import EcsBlueGreenFleet
from tests.failover.test_ecs_fleets import BEFORE, FENCED, FLEET, WEST, attached, service

EAST = fixture_plan.task_definition("west", "east")
LISTENER = "arn:aws:elasticloadbalancing:us-west-2:123456789012:listener/net/gateway-west/50dc6c495c0c9188/"
LISTENERS = {"listeners": [f"{LISTENER}{number:016x}" for number in range(3)]}
BLUE_GREEN = EcsBlueGreenFleet.model_validate_json(
    json.dumps(fixture_plan.ecs_blue_green_fleet("west", "nlb.example.com:9092") | LISTENERS)
)


class Ecs:
    """ECS with these services, and tasks by whether they shall run; pages of tasks have `page` of them."""

    def __init__(self, *services: dict[str, Any], running: Sequence[Any] = (), leaving: Sequence[Any] = ()) -> None:
        self.services = services
        self.tasks = {"RUNNING": list(running), "STOPPED": list(leaving)}
        self.page = 100
        self.asked: list[str] = []
        self.described: list[int] = []
        """How many tasks each question was about."""
        self.changes: list[tuple[str, dict[str, Any]]] = []

    def describe_services(self, *, services: list[str], **_: Any) -> dict[str, Any]:
        return {"services": [each for each in self.services if each.get("serviceName", services[0]) in services]}

    def list_tasks(self, *, desiredStatus: str, nextToken: str = "0", **_: Any) -> dict[str, Any]:  # noqa: N803
        self.asked.append(desiredStatus)
        first, there = int(nextToken), self.tasks[desiredStatus]
        arns = [task["taskArn"] for task in there[first : first + self.page]]
        following = {"nextToken": str(first + self.page)} if first + self.page < len(there) else {}
        return {"taskArns": arns, **following}

    def describe_tasks(self, *, tasks: list[str], **_: Any) -> dict[str, Any]:
        assert 0 < len(tasks) <= 100
        self.described.append(len(tasks))
        return {"tasks": [task for there in self.tasks.values() for task in there if task["taskArn"] in tasks]}

    def update_service(self, **change: Any) -> dict[str, Any]:
        self.changes.append(("update", change))
        return {}

    def tag_resource(self, **change: Any) -> dict[str, Any]:
        self.changes.append(("tag", change))
        return {}


def fleet(ecs: Any) -> EcsService:
    return EcsService(FLEET, "us-west-2", ecs)


def task(number: int = 1, **more: Any) -> dict[str, Any]:
    return attached() | {"taskArn": f"arn/task/{number}"} | more


def primary(**more: Any) -> dict[str, Any]:
    return {"status": "PRIMARY", "taskDefinition": WEST, "runningCount": 1, "rolloutState": "COMPLETED"} | more


def test_a_fleet_says_how_many_of_its_tasks_run_what_and_how_many_of_before_are_left() -> None:
    running = [task(1, availabilityZone="us-west-2a"), task(2, taskDefinitionArn=EAST), task(3, lastStatus="PENDING")]
    state = fleet(Ecs(service(desiredCount=3), running=running)).look()
    assert state.detail == "2 of 3 tasks run gateway-west-to-west:1, 1 of a previous revision are left"
    assert [(instance.name, instance.zone) for instance in state.instances] == [("1", "us-west-2a"), ("2", None)]
    assert (state.size, state.missing, state.vacated, state.fence_kind, state.look_again_s) == (3, 0, False, None, 1)
    state = fleet(Ecs(service(), running=[task(1), task(2)])).look()
    assert (state.settled, state.missing, state.vacated) == (True, 0, False), "one more is none too few"
    fenced = service(taskDefinition=FENCED, deployments=[primary(taskDefinition=FENCED)])
    state = fleet(Ecs(fenced, running=[task(taskDefinitionArn=FENCED)])).look()
    assert (state.target, state.fence_kind, state.vacated, state.fence_holds) == ("fenced", "route", True, True)


def test_a_deployment_that_is_under_way_is_told_by_the_service_alone() -> None:
    """No task is asked for: all fleets of a region are asked for within one limit."""
    deployments = [primary(), BEFORE | {"runningCount": 3}, {"status": "ACTIVE"}]
    ecs = Ecs(service(desiredCount=2, deployments=deployments))
    state = fleet(ecs).look()
    assert state.detail == "1 of 2 tasks run gateway-west-to-west:1, 3 of a previous revision are left"
    assert (state.target, state.settled, state.vacated, state.fence_kind, state.size) == ("west", False, False, None, 2)
    fencing = [primary(taskDefinition=FENCED, runningCount=0), BEFORE | {"runningCount": 1}]
    state = fleet(Ecs(service(deployments=fencing))).look()
    assert (state.target, state.fence_kind, state.vacated) == ("fenced", "route", False)
    assert ecs.asked == []


@pytest.mark.parametrize(
    ("described", "target"),
    [
        (service(desiredCount=0, deployments=[primary(runningCount=0)]), "fenced"),
        (service(deployments=[primary(runningCount=0, rolloutState="FAILED")]), "west"),
        (service(deployments=[primary(runningCount=0, taskDefinition="arn/another:1")]), None),
        (
            service(deployments=[primary(), BEFORE | {"taskDefinition": EAST}])
            | {"deployments": [{"status": "PRIMARY"}] * 2},
            "west",
        ),
    ],
)
def test_where_the_service_does_not_say_that_tasks_are_asked_for(described: dict[str, Any], target: str | None) -> None:
    ecs = Ecs(described)
    assert fleet(ecs).look().target == target
    assert ecs.asked == ["RUNNING", "STOPPED"]


def test_a_service_that_wants_no_task_has_none_and_one_without_a_count_neither() -> None:
    for described in (service(desiredCount=0), {k: v for k, v in service().items() if k != "desiredCount"}):
        ecs = Ecs(described)
        state = fleet(ecs).look()
        assert (state.target, state.size, state.detail) == ("fenced", 0, "scaled to zero, 0 tasks are left")
        assert fleet(ecs).size() == 0
    aged = {"launchType": "FARGATE", "desiredCount": 0}
    old = datetime.now(UTC) - timedelta(seconds=2 * LEAVES_WITHIN_S)
    ecs = Ecs(service(**aged, deployments=[primary(createdAt=old)]))
    fleet(ecs).look()
    assert ecs.asked == ["RUNNING", "STOPPED"], "those it had may be on their way out yet"


def test_a_deployment_that_tells_no_state_is_judged_by_its_tasks() -> None:
    described = service(deployments=[{"status": "PRIMARY", "taskDefinition": WEST}])
    assert fleet(Ecs(described, running=[task()])).look().settled
    in_progress = service(deployments=[primary(rolloutState="IN_PROGRESS")])
    assert not fleet(Ecs(in_progress, running=[task()])).look().settled


@pytest.mark.parametrize(("age_s", "often"), [(0, True), (60, False), (None, True)])
def test_a_deployment_is_looked_at_each_second_while_it_is_young(age_s: float | None, often: bool) -> None:
    created = {} if age_s is None else {"createdAt": datetime.now(UTC) - timedelta(seconds=age_s)}
    for running in (0, 1):
        described = service(deployments=[primary(runningCount=running, **created)])
        again = fleet(Ecs(described, running=[task()])).look().look_again_s
        assert again == 1 if often else LOOK_AGAIN_S[0] <= again <= LOOK_AGAIN_S[1]


@pytest.mark.parametrize("services", [(), (service(status="INACTIVE"),)])
def test_a_service_that_is_not_there_is_told(services: tuple[dict[str, Any], ...]) -> None:
    with pytest.raises(FleetRejected, match="there is no service gateway-west of ECS cluster"):
        fleet(Ecs(*services)).look()
    with pytest.raises(FleetRejected, match="no task definition for 'north'"):
        fleet(Ecs(service())).route("north")


def test_every_page_of_tasks_is_read_and_a_hundred_are_described_at_once() -> None:
    ecs = Ecs(service(desiredCount=230), running=[task(number) for number in range(230)])
    ecs.page = 40
    state = fleet(ecs).look()
    assert len(state.instances) == 230 and ecs.asked.count("RUNNING") == 6
    assert ecs.described == [100, 100, 30]


def test_a_service_is_scaled_to_zero_by_its_count_alone() -> None:
    ecs = Ecs(service())
    fleet(ecs).scale_to_zero()
    ((_, change),) = ecs.changes
    assert change == {"cluster": FLEET.cluster, "service": FLEET.service, "desiredCount": 0}


def test_tasks_that_were_there_at_a_moment_are_those_made_no_later_and_those_that_do_not_say() -> None:
    moment = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
    later, earlier = moment + timedelta(seconds=1), moment - timedelta(seconds=1)
    ecs = Ecs(
        service(),
        running=[task(1, createdAt=moment), task(2, createdAt=later), task(3)],
        leaving=[task(4, createdAt=earlier, desiredStatus="STOPPED"), task(5, createdAt=earlier, lastStatus="STOPPED")],
    )
    assert fleet(ecs).tasks_created_before(moment) == ["1", "3", "4"]


class Balancing:
    """Listeners and what each of them does."""

    def __init__(self, ecs: Ecs, *actions: Any) -> None:
        self.ecs, self.actions = ecs, dict(zip(BLUE_GREEN.listeners, actions, strict=False))

    def describe_listeners(self, *, ListenerArns: Sequence[str]) -> dict[str, Any]:  # noqa: N803
        return {"Listeners": [{"ListenerArn": arn} | self.actions[arn] for arn in ListenerArns]}

    def modify_listener(self, *, ListenerArn: str, DefaultActions: Any) -> dict[str, Any]:  # noqa: N803
        self.ecs.changes.append(("modify", {"arn": ListenerArn, "actions": DefaultActions}))
        return {}

    def describe_target_group_attributes(self, **_: Any) -> dict[str, Any]:
        return {
            "Attributes": [
                {"Key": "deregistration_delay.connection_termination.enabled", "Value": "true"},
                {"Key": "deregistration_delay.timeout_seconds", "Value": "5"},
            ]
        }


PORTS = tuple(range(9092, 9092 + len(BLUE_GREEN.listeners)))


def of_site(site: str, **more: Any) -> dict[str, Any]:
    """The service of a colour, with a target group for each port."""
    name = BLUE_GREEN.services[site]
    groups = [{"containerPort": port, "targetGroupArn": f"{site}-{port}"} for port in PORTS]
    return service(serviceName=name, serviceArn=f"arn:{name}", loadBalancers=groups) | more


def forwards(port: int, **weights: int) -> dict[str, Any]:
    """A listener's actions; beside the weights the API tells the one group by itself, as it does."""
    groups = [{"TargetGroupArn": f"{site}-{port}", "Weight": weight} for site, weight in weights.items()]
    return {
        "DefaultActions": [
            {"Type": "forward", "TargetGroupArn": "of-others", "ForwardConfig": {"TargetGroups": groups}}
        ]
    }


def colours(site: str = "east", *actions: Any, **services: dict[str, Any]) -> tuple[BlueGreenServices, Ecs]:
    """A fleet whose listeners lead to a site's service, unless they do otherwise."""
    other = "west" if site == "east" else "east"
    ecs = Ecs(*(services.get(of, of_site(of)) for of in ("east", "west")))
    led = [forwards(port, **{site: 100, other: 0}) for port in PORTS]
    balancing: Any = Balancing(ecs, *(actions or led))
    described: Any = ecs
    described.describe_task_definition = lambda **_: {"taskDefinition": {"status": "ACTIVE"}}
    return BlueGreenServices(BLUE_GREEN, "us-west-2", described, balancing), ecs


def test_listeners_are_moved_one_after_the_other_the_bootstraps_last_and_it_is_noted_before_when_clients_left() -> None:
    fleet, ecs = colours()
    began = datetime.now(UTC)
    fleet._switch().turn_to("west")
    (first, tag), *moves = ecs.changes
    assert first == "tag" and tag["resourceArn"] == f"arn:{BLUE_GREEN.services['east']}"
    ((key, left),) = [(each["key"], datetime.fromisoformat(each["value"])) for each in tag["tags"]]
    assert key == SWITCHED_AT_TAG and began <= left <= datetime.now(UTC)
    assert [move["arn"] for _, move in moves] == list(reversed(BLUE_GREEN.listeners))
    for (_, move), port in zip(moves, reversed(PORTS), strict=True):
        (action,) = move["actions"]
        weights = {group["TargetGroupArn"]: group["Weight"] for group in action["ForwardConfig"]["TargetGroups"]}
        assert weights == {f"east-{port}": 0, f"west-{port}": 100} and action["Type"] == "forward"


def test_a_listener_that_leads_there_is_left_alone() -> None:
    led = [forwards(port, east=100, west=0) for port in PORTS]
    led[0] = forwards(PORTS[0], east=0, west=100)
    fleet, ecs = colours("east", *led)
    fleet._switch().turn_to("west")
    assert [change["arn"] for kind, change in ecs.changes if kind == "modify"] == list(
        reversed(BLUE_GREEN.listeners[1:])
    )


@pytest.mark.parametrize(
    ("action", "selected"),
    [
        (forwards(PORTS[0], east=1, west=0), {"east"}),
        (forwards(PORTS[0], east=1, west=1), {"east", "west"}),
        (forwards(PORTS[0], another=1), {None, "east"}),
        ({"DefaultActions": [{"Type": "forward", "TargetGroupArn": f"west-{PORTS[0]}"}]}, {"east", "west"}),
        ({"DefaultActions": None}, {"east"}),
        ({}, {"east"}),
    ],
)
def test_listeners_lead_to_the_services_of_the_groups_that_have_any_weight(
    action: dict[str, Any], selected: set[str | None]
) -> None:
    led = [forwards(port, east=100, west=0) for port in PORTS]
    assert colours("east", action, *led[1:])[0]._switch().selected == selected


def test_a_listener_that_can_not_be_moved_and_a_service_that_is_not_there_are_told() -> None:
    led = [forwards(port, east=100, west=0) for port in PORTS]
    fleet, ecs = colours("east", forwards(1, east=1), *led[1:])
    told = [obstacle.what for obstacle in fleet.obstacles()]
    assert len(told) == 1 and f"listener {BLUE_GREEN.listeners[0]} forwards to no target group" in told[0]
    with pytest.raises(FleetRejected, match="forwards to no target group"):
        fleet._switch().turn_to("west")
    assert [kind for kind, _ in ecs.changes] == ["tag", *["modify"] * (len(PORTS) - 1)]
    fleet, ecs = colours(west=of_site("west") | {"serviceName": "renamed"})
    with pytest.raises(FleetRejected, match=f"has no service {BLUE_GREEN.services['west']}"):
        fleet._switch()


@pytest.mark.parametrize(
    ("site", "cold", "found"), [("east", "west", 1), ("east", "east", 0), ("west", "west", 0), ("west", "east", 1)]
)
def test_a_colour_that_is_not_warm_is_found_unless_clients_are_led_to_it(site: str, cold: str, found: int) -> None:
    fleet, _ = colours(site, **{cold: of_site(cold, desiredCount=0)})
    told = [obstacle.what for obstacle in fleet.obstacles()]
    assert len(told) == found and all(f", for {cold}, is not warm: scaled to zero" in what for what in told)
    assert colours(site)[0].obstacles() == []


def test_tasks_that_had_clients_are_those_of_before_the_switch_and_of_a_tag_that_tells_no_time_all() -> None:
    moment = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
    for value, connected in ((moment.isoformat(), ["1"]), ("yesterday", ["1", "2"]), (None, [])):
        tags = [{"key": "team", "value": "orders"}, *([{"key": SWITCHED_AT_TAG, "value": value}] if value else [])]
        fleet, ecs = colours("west", east=of_site("east", tags=tags))
        ecs.tasks["RUNNING"] = [task(1, createdAt=moment), task(2, createdAt=moment + timedelta(seconds=1))]
        assert fleet._switch().still_connected_to("east") == connected
        assert fleet._switch().still_connected_to("west") == []
