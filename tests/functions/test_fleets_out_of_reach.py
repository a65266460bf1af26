"""What a fleet's control plane does to fence and switch_routes: busy, it is waited for until the deadline; silent, it
holds nothing up where it is best effort; what it refused before we came, it is asked anew."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from drill import fixture_plan
from failover.aws.clients import client
from failover.aws.errors import aws_errors
from failover.errors import FleetRejected, FleetUnavailable
from failover.fleets import FleetState
from failover.fleets.ecs import EcsService
from failover.ledger.ledger import Ledger
from failover.plan.fleets import EcsFleet

Call = Callable[[str, dict[str, Any]], dict[str, Any]]
Answers = Iterable[FleetState | Exception]


def throttled() -> FleetUnavailable:
    refusal = ClientError({"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}, "DescribeServices")
    return _as_fleets_raise_it(refusal)


def refused_connection() -> FleetUnavailable:
    return _as_fleets_raise_it(EndpointConnectionError(endpoint_url="https://ecs.us-east-2.amazonaws.com"))


def _as_fleets_raise_it(error: Exception) -> FleetUnavailable:
    try:
        with aws_errors("ECS", transient=FleetUnavailable, final=FleetRejected):
            raise error
    except FleetUnavailable as raised:
        return raised


def state(target: str, **more: Any) -> FleetState:
    return FleetState(target=target, settled=True, instances=(), detail="as it is", **more)


class Fleet:
    """A fleet that answers its looks in turn, the last answer for ever, and notes where it is routed."""

    def __init__(self, *answers: FleetState | Exception | Callable[[], FleetState]) -> None:
        self.answers = list(answers)
        self.looks = 0
        self.routed: list[str] = []
        self.refuses: Exception | None = None

    def look(self) -> FleetState:
        self.looks += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, FleetState) else answer()

    def route(self, target: str) -> None:
        self.routed.append(target)
        if self.refuses is not None:
            raise self.refuses


@pytest.fixture
def step(deployed: Any, call: Call, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Calls fence, or switch_routes as the reroute does, on a fleet."""
    started = {"start": {"plan": "orders", "to": "west", "epoch": 1}, "execution_name": "orders-1-failover"}
    execution = call("claim", started)["execution"]

    def run(name: str, answering: Fleet, **more: Any) -> dict[str, Any]:
        monkeypatch.setattr("failover.fleets.fleet_of", lambda *_: answering)
        request = {"execution": execution | more.pop("changes", {})} | (
            {} if name == "fence" else {"site": "east", "fleet": "gateway-east", "best_effort": True}
        )
        return call(name, request | more)

    return run


STEPS = [("fence", "fenced"), ("switch_routes", "west")]


@pytest.mark.parametrize(("name", "target"), STEPS)
def test_a_throttled_control_plane_is_asked_again_until_the_deadline(step: Any, name: str, target: str) -> None:
    fleet = Fleet(throttled(), FleetUnavailable("503", answered=True), state("east"), state(target))
    assert [step(name, fleet)["status"] for _ in range(4)] == ["waiting", "waiting", "waiting", "done"]
    assert fleet.routed == [target]


@pytest.mark.parametrize(("name", "target"), STEPS)
def test_a_change_that_was_throttled_or_not_answered_is_looked_after(step: Any, name: str, target: str) -> None:
    for error in (throttled(), refused_connection()):
        fleet = Fleet(state("east"))
        fleet.refuses = error
        assert step(name, fleet)["status"] == "waiting"
        fleet.answers = [state(target)]
        assert (step(name, fleet)["status"], fleet.routed) == ("done", [target])


@pytest.mark.parametrize(("name", "target"), STEPS)
def test_one_refused_connection_gives_no_fleet_up(step: Any, name: str, target: str) -> None:
    fleet = Fleet(refused_connection(), state("east"))
    assert step(name, fleet)["status"] == "waiting"
    assert fleet.routed == [target]


@pytest.mark.parametrize("how", [{"changes": {"leads_back": True}}, {"everywhere": True}], ids=["back", "everywhere"])
def test_a_fleet_that_leads_to_where_clients_go_is_fenced_by_neither_kind_of_fence(
    step: Any, how: dict[str, Any]
) -> None:
    fleet = Fleet(state("west"))
    report = step("fence", fleet, **how)
    assert (report["status"], set(report["observed"]["fleets"].values())) == ("done", {"leads to west"})
    assert fleet.routed == []


def test_a_fence_beside_other_steps_asks_once_and_waits_for_nothing(step: Any) -> None:
    fleet = Fleet(state("east"))
    report = step("fence", fleet, beside=True)
    assert (report["status"], report["observed"]) == ("done", {"fleets": {"gateway-east": "fencing"}})
    assert (fleet.routed, fleet.looks) == (["fenced"], 1)
    busy = step("fence", Fleet(throttled()), beside=True)
    assert busy["status"] == "done" and "Rate exceeded" in busy["observed"]["fleets"]["gateway-east"]


@pytest.mark.parametrize("name", ["fence", "switch_routes"])
def test_a_region_that_is_gone_holds_nothing_up_and_a_silent_one_is_waited_for_once(step: Any, name: str) -> None:
    gone = Fleet(refused_connection())
    assert step(name, gone)["status"] == "done"
    assert gone.looks == 2

    def silence() -> FleetState:
        time.sleep(1.1)
        raise refused_connection()

    silent = Fleet(silence)
    assert step(name, silent)["status"] == "done"
    assert (silent.looks, silent.routed) == (1, [])


def test_a_fleet_that_was_fenced_is_not_left_so_for_one_look_that_nobody_answers(step: Any) -> None:
    step("fence", Fleet(state("east"), state("fenced")))

    def silence() -> FleetState:
        time.sleep(1.1)
        raise refused_connection()

    fleet = Fleet(silence, silence, state("fenced"))
    assert step("switch_routes", fleet)["status"] == "waiting"
    assert (step("switch_routes", fleet)["status"], fleet.routed) == ("done", [])
    fleet = Fleet(state("fenced"))
    assert (step("switch_routes", fleet)["status"], fleet.routed) == ("waiting", ["west"])


@pytest.mark.parametrize(("name", "target"), STEPS)
def test_a_refusal_of_another_target_keeps_nobody_from_this_one(step: Any, name: str, target: str) -> None:
    fleet = Fleet(state("east", refused_because="ApplyFailed: no such secret"))
    assert step(name, fleet)["status"] == "waiting"
    assert fleet.routed == [target]


def test_a_standby_that_is_refused_its_target_is_an_error_and_a_busy_one_is_retried(step: Any) -> None:
    standby = {"site": "west", "fleet": "gateway-west", "best_effort": False}
    with pytest.raises(FleetRejected, match="no such secret"):
        step("switch_routes", Fleet(state("west", refused_because="ApplyFailed: no such secret")), **standby)
    busy = step("switch_routes", Fleet(throttled()), **standby)
    assert (busy["status"], "Rate exceeded" in busy["observed"]["why"]) == ("unanswered", True)
    assert busy["retry_after"] > 1, "who asks at once again, as all others do, is never answered"


@pytest.mark.parametrize("fleet", [Fleet(FleetRejected("no such service")), Fleet(state("west", refused_because="no"))])
def test_a_fleet_that_nobody_comes_to_and_that_is_refused_holds_nothing_up(step: Any, fleet: Fleet) -> None:
    report = step("switch_routes", fleet)
    assert (report["status"], report["observed"]["out_of_reach"] in ("no such service", "no")) == ("done", True)


def test_a_fleet_that_clients_do_not_come_to_next_is_led_over_as_large_as_it_is(step: Any) -> None:
    """As a restore does with those of the returned site."""
    report = step("switch_routes", Fleet(state("west", size=1)), best_effort=False)
    assert report["status"] == "done" and "basis" not in report["observed"]


def test_a_look_at_a_fleet_and_its_way_back_are_kept_apart_from_its_switch(step: Any, call: Call) -> None:
    def steps() -> set[str]:
        records = Ledger(client("dynamodb"), "ledger").steps_of("orders", "orders-1-failover")
        return {record.step for record in records} - {"claim"}

    step("switch_routes", Fleet(state("fenced")), look_only=True)
    assert steps() == {"look_at_fleet:gateway-east"}
    step("switch_routes", Fleet(state("east")), best_effort=False, back=True)
    assert steps() == {"look_at_fleet:gateway-east", "put_back:gateway-east"}
    step("switch_routes", Fleet(state("west")))
    assert steps() == {"look_at_fleet:gateway-east", "put_back:gateway-east", "switch_routes:gateway-east"}


class EcsAfterAFailure:
    """ECS with a service whose last deployment the circuit breaker ended, without a rollback: FAILED for good."""

    def __init__(self, runs: str) -> None:
        self.updates: list[dict[str, Any]] = []
        self.deployment = {"status": "PRIMARY", "taskDefinition": runs, "rolloutState": "FAILED"}

    def describe_services(self, **_: Any) -> Any:
        service = {"status": "ACTIVE", "desiredCount": 1, "taskDefinition": self.deployment["taskDefinition"]}
        return {"services": [service | {"deployments": [self.deployment], "loadBalancers": []}]}

    def list_tasks(self, **_: Any) -> Any:
        return {"taskArns": []}

    def update_service(self, **change: Any) -> Any:
        self.updates.append(change)
        self.deployment = {"status": "PRIMARY", "taskDefinition": change["taskDefinition"]}
        return {}


@pytest.mark.parametrize(("name", "target"), STEPS)
@pytest.mark.parametrize("runs", ["east", "west", "fenced"])
def test_a_deployment_that_failed_before_keeps_no_step_from_its_target(
    step: Any, name: str, target: str, runs: str
) -> None:
    described = EcsFleet(**fixture_plan.ecs_fleet("east", "nlb.example.com:9092"))
    ecs = EcsAfterAFailure(described.task_definitions[runs])
    fleet = EcsService(described, "us-east-2", ecs)  # type: ignore[arg-type]
    # A fence waits for those that lead elsewhere to go, and there is no task; who routes waits for tasks of its own.
    then = "done" if target == "fenced" else "waiting"
    assert [step(name, fleet)["status"] for _ in range(2)] == ["waiting", then]
    (update,) = ecs.updates
    assert update["taskDefinition"] == described.task_definitions[target] and update["forceNewDeployment"]
