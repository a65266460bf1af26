"""A fleet in two colours on ECS: services of real gateway processes, behind a load balancer whose listeners move."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import boto3
import pytest
import yaml
from botocore.exceptions import ClientError

from drill import fixture_plan
from drill.fleets.ecs import EcsBlueGreenFleets
from drill.process import spawn
from failover.errors import FleetRejected, FleetUnavailable
from failover.fleets import FleetState
from failover.fleets.ecs import EcsService
from failover.fleets.ecs_blue_green import SWITCHED_AT_TAG, BlueGreenServices
from failover.plan.fleets import EcsBlueGreenFleet
from failover.plan.model import parse

pytestmark = pytest.mark.slow
REGION: Final = fixture_plan.REGIONS["west"]
GROUPS_OF: Final = {"east": "gateway-west-to-east", "west": "gateway-west-to-west"}


@dataclass
class Calls:
    """What is asked of AWS, in order; one of the changes can be made to fail, after it was done or before."""

    made: list[str] = field(default_factory=list)
    fails: str | None = None

    @property
    def changes(self) -> list[str]:
        return [name for name in self.made if not name.startswith(("Describe", "List"))]

    def __call__(self, model: Any, **_: Any) -> None:
        self.made.append(model.name)
        if model.name == self.fails:
            raise ClientError({"Error": {"Code": "ServiceUnavailable", "Message": "now"}}, model.name)


@dataclass
class World:
    """A site's fleet, its load balancer, and what the controller's look and route see of them."""

    fleet: BlueGreenServices
    planned: EcsBlueGreenFleet
    ecs: Any
    balancing: Any
    balancer: str
    calls: Calls

    def until(self, target: str, limit_s: float = 90) -> list[FleetState]:
        """Look and route until the fleet is settled there; every state that was seen."""
        seen = []
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            seen.append(self.fleet.look())
            if seen[-1].routed_to(target) and seen[-1].settled:
                return seen
            if not seen[-1].routed_to(target):
                self.fleet.route(target)
            time.sleep(0.05)
        raise AssertionError(f"not settled: {seen[-1]}")

    def connect(self) -> socket.socket:
        host, port = self.balancer.rsplit(":", 1)
        return socket.create_connection((host, int(port)), timeout=5)

    def tasks(self, site: str) -> set[str]:
        return set(self.ecs.list_tasks(cluster="gateways", serviceName=GROUPS_OF[site])["taskArns"])

    def desired(self, site: str) -> int:
        found = self.ecs.describe_services(cluster="gateways", services=[GROUPS_OF[site]])["services"]
        return int(found[0]["desiredCount"])

    def scale(self, site: str, count: int) -> None:
        self.ecs.update_service(cluster="gateways", service=GROUPS_OF[site], desiredCount=count)
        wait(lambda: len(self.tasks(site)) == count)


def wait(condition: Callable[[], bool], limit_s: float = 90) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def ended(connection: socket.socket, within_s: float = 5) -> bool:
    """Whether the other side ends a connection on which nothing is asked."""
    connection.settimeout(within_s)
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True
    except TimeoutError:
        return False


@pytest.fixture
def world(aws: Callable[..., Any], aws_endpoint: str, tmp_path: Path) -> Iterator[World]:
    """The standby's fleet, both colours warm, led to east's; one instance a colour."""
    from drill.aws.ecs import EcsBridge
    from drill.aws.regions import Regions

    bridge = EcsBridge(fixture_plan.ACCOUNT, Regions(), tmp_path)
    bridge.install()
    config = {"site": "west", "listen_ports": 1 + fixture_plan.BROKERS}
    balancer = spawn("drill.network.balancer", config, log=tmp_path / "balancer.log")
    address = f"127.0.0.1:{balancer.ready['port']}"
    silent = socket.create_server(("127.0.0.1", 0))  # in place of both clusters: it takes connections, and says nothing
    kafka = f"127.0.0.1:{silent.getsockname()[1]}"
    addresses = {
        site: fixture_plan.SiteAddresses(
            cluster_id=f"lkc-{site}", bootstrap=kafka, rest="http://127.0.0.1:9", balancer=address
        )
        for site in ("east", "west")
    }
    fleets = EcsBlueGreenFleets(aws, 1, lambda _: None)
    document = fixture_plan.plan_document(
        addresses,
        client_bootstrap="127.0.0.1:9092",
        nameserver="127.0.0.1:9",
        zone_id="Z0",
        policy={},
        fleet=fleets.in_plan,
    )
    fleets.deploy(document, {"west": balancer.ready["admin"]})
    (planned,) = parse(yaml.safe_dump(document)).site("west").fleets
    assert isinstance(planned, EcsBlueGreenFleet)
    calls = Calls()

    def client(service: str) -> Any:
        made = boto3.client(service, region_name=REGION, endpoint_url=aws_endpoint)  # type: ignore[call-overload]
        made.meta.events.register("before-call", calls)
        return made

    fleet = BlueGreenServices(planned, REGION, client("ecs"), client("elbv2"))
    world = World(fleet, planned, aws("ecs", REGION), aws("elbv2", REGION), address, calls)
    bridge.start()
    wait(lambda: fleet.look().settled and len(world.tasks("west")) == 1 and running(world, "west"))
    calls.made.clear()
    yield world
    bridge.close()
    balancer.stop()
    silent.close()


def running(world: World, site: str) -> bool:
    return bool(
        world.ecs.describe_services(cluster="gateways", services=[GROUPS_OF[site]])["services"][0]["runningCount"]
    )


def test_clients_are_led_to_the_other_colour_and_those_of_before_are_cut(world: World) -> None:
    warm = world.tasks("west")
    held = world.connect()
    wait(lambda: world.fleet.look().target == "east")
    seen = world.until("west")
    assert ended(held)
    assert world.tasks("west") == warm, "a warm task was replaced"
    assert world.tasks("east") == set() and world.desired("east") == 0
    assert world.calls.changes == ["TagResource", *["ModifyListener"] * (1 + fixture_plan.BROKERS), "UpdateService"]
    assert [instance.proof for instance in seen[-1].instances] == ["runs gateway-west-to-west:1"]
    assert any("still carry connections" in (state.stalled_because or "") for state in seen)
    assert not ended(world.connect(), within_s=0.3), "nobody takes new clients"


def test_moving_the_listeners_alone_cuts_nobody_so_the_fleet_is_not_settled_then(world: World) -> None:
    held = world.connect()
    world.calls.fails = "UpdateService"
    with pytest.raises(FleetUnavailable):
        world.until("west")
    assert not ended(held, within_s=0.5)
    state = world.fleet.look()
    assert not state.settled and not state.routed_to("west")
    world.calls.fails = None
    world.until("west")
    assert ended(held)


def test_a_move_that_failed_between_two_listeners_is_finished(world: World) -> None:
    first, *others = world.planned.listeners
    world.until("west")
    before = {arn: _weights(world, arn) for arn in world.planned.listeners}
    world.scale("east", 1)
    world.balancing.modify_listener(ListenerArn=first, DefaultActions=[_action(world, first, "east")])
    state = world.fleet.look()
    assert (state.target, state.settled) == (None, False) and "east and west" in state.detail
    world.until("west")
    assert {arn: _weights(world, arn) for arn in world.planned.listeners} == before
    assert world.tasks("east") == set(), "clients that came by the first listener are still there"
    assert others


def test_the_bootstrap_is_moved_last(world: World) -> None:
    moved = []
    world.fleet._balancing.meta.events.register(
        "before-parameter-build.elastic-load-balancing-v2.ModifyListener",
        lambda params, **_: moved.append(params["ListenerArn"]),
    )
    world.until("west")
    assert moved == list(reversed(world.planned.listeners))


def test_what_is_asked_for_again_changes_nothing(world: World) -> None:
    world.until("west")
    world.calls.made.clear()
    world.until("west")
    assert world.calls.changes == []


def test_a_colour_that_was_warmed_again_has_no_clients_of_before(world: World) -> None:
    world.until("west")
    world.scale("east", 1)
    assert world.fleet.look().settled


def test_a_cold_colour_is_warmed_before_any_client_is_led_to_it(world: World) -> None:
    world.scale("west", 0)
    world.calls.made.clear()
    assert any("not warm" in obstacle.what for obstacle in world.fleet.obstacles())
    world.until("west")
    assert world.calls.changes[:2] == ["UpdateService", "TagResource"]
    assert len(world.tasks("west")) == world.planned.instances


def test_a_fence_is_put_before_the_colour_that_has_the_clients(world: World) -> None:
    seen = world.until("fenced")
    assert seen[-1].fence_kind == "route"
    assert {task["taskDefinitionArn"] for task in _described(world, "east")} == {
        fixture_plan.task_definition("west", "fenced")
    }
    assert [task["taskDefinitionArn"] for task in _described(world, "west")] == [
        fixture_plan.task_definition("west", "west")
    ]
    world.until("west")
    assert world.tasks("east") == set()


def test_a_fence_is_put_before_both_colours_while_both_have_clients(world: World) -> None:
    first = world.planned.listeners[0]
    world.balancing.modify_listener(ListenerArn=first, DefaultActions=[_action(world, first, "west")])
    world.until("fenced")
    for site in ("east", "west"):
        assert {task["taskDefinitionArn"] for task in _described(world, site)} == {
            fixture_plan.task_definition("west", "fenced")
        }


def test_a_failed_deployment_of_the_colour_that_has_the_clients_is_followed_by_another_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    healthy = EcsService(world.planned.service("east"), REGION, world.ecs, world.balancing).look()
    failed = replace(healthy, settled=False, stalled_because="its last deployment failed: no reason")
    monkeypatch.setattr(EcsService, "look", lambda _: failed)
    state = world.fleet.look()
    assert (state.target, state.routed_to("east")) == ("east", False)
    world.fleet.route("east")
    assert world.calls.changes == ["UpdateService"]


def test_a_tag_that_tells_no_time_leaves_every_task_in_doubt(world: World) -> None:
    world.until("west")
    world.scale("east", 1)
    (service,) = world.ecs.describe_services(cluster="gateways", services=[GROUPS_OF["east"]])["services"]
    world.ecs.tag_resource(resourceArn=service["serviceArn"], tags=[{"key": SWITCHED_AT_TAG, "value": "yesterday"}])
    assert not world.fleet.look().settled


def test_a_listener_that_could_not_be_moved_is_told_long_before(world: World) -> None:
    assert world.fleet.obstacles() == []
    vpc = world.balancing.describe_target_groups()["TargetGroups"][0]["VpcId"]
    group = world.balancing.create_target_group(Name="others", Protocol="TCP", Port=1, TargetType="ip", VpcId=vpc)
    arn = group["TargetGroups"][0]["TargetGroupArn"]
    listener = world.planned.listeners[0]
    world.balancing.modify_listener(ListenerArn=listener, DefaultActions=[{"Type": "forward", "TargetGroupArn": arn}])
    (obstacle,) = world.fleet.obstacles()
    assert listener in obstacle.what
    assert world.fleet.look().target is None
    with pytest.raises(FleetRejected, match="no target group"):
        world.fleet.route("west")
    with pytest.raises(FleetRejected, match=r"can't be fenced: its listeners lead to .*what the plan does not name"):
        world.fleet.route("fenced")


def _described(world: World, site: str) -> list[dict[str, Any]]:
    return list(world.ecs.describe_tasks(cluster="gateways", tasks=sorted(world.tasks(site)))["tasks"])


def _groups(world: World, arn: str) -> list[dict[str, Any]]:
    (listener,) = world.balancing.describe_listeners(ListenerArns=[arn])["Listeners"]
    return list(listener["DefaultActions"][0]["ForwardConfig"]["TargetGroups"])


def _weights(world: World, arn: str) -> dict[str, int]:
    return {group["TargetGroupArn"]: group["Weight"] for group in _groups(world, arn)}


def _action(world: World, arn: str, site: str) -> dict[str, Any]:
    groups = [group | {"Weight": int(f"to-{site}" in group["TargetGroupArn"])} for group in _groups(world, arn)]
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
