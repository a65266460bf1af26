"""Who is asked too much is left alone for as long as it says, or for a moment at random; nobody else is waited for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from drill import fixture_plan
from failover.aws.errors import aws_errors
from failover.errors import (
    DnsRejected,
    DnsUnavailable,
    FleetRejected,
    FleetUnavailable,
    LedgerRejected,
    LedgerUnavailable,
    LinkUnavailable,
    TransientError,
)
from failover.execution.step import BUSY_S, LONGEST_PAUSE_S, SPREAD_S, done, pause_after, pause_of, waiting
from failover.fleets.ecs import LOOK_AGAIN_S, EcsService
from failover.plan.fleets import EcsFleet

WEST = fixture_plan.task_definition("west", "west")
EAST = fixture_plan.task_definition("west", "east")


def refused(code: str, transient: type[TransientError], final: type[Exception]) -> TransientError:
    """What a port raises of AWS's answer."""
    with pytest.raises(transient) as raised, aws_errors("AWS", transient=transient, final=final):  # type: ignore[arg-type]
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "Operation")
    return raised.value


@pytest.mark.parametrize(
    ("code", "transient", "final"),
    [
        ("Throttling", DnsUnavailable, DnsRejected),
        ("PriorRequestNotComplete", DnsUnavailable, DnsRejected),
        ("ThrottlingException", FleetUnavailable, FleetRejected),
    ],
)
def test_a_service_that_throttles_is_left_alone_for_a_moment_at_random(code: str, transient: Any, final: Any) -> None:
    pauses = {pause_after(refused(code, transient, final)) for _ in range(200)}
    assert pauses == set(range(BUSY_S[0], BUSY_S[1] + 1))


def test_what_failed_otherwise_and_the_ledger_are_asked_again_at_once() -> None:
    assert pause_after(refused("InternalFailure", DnsUnavailable, DnsRejected)) == 1
    assert pause_after(refused("ThrottlingException", LedgerUnavailable, LedgerRejected)) == 1
    assert pause_after(LinkUnavailable("no answer")) == 1


@pytest.mark.parametrize("requested", [2.5, 9.0, 40.0])
def test_a_server_that_says_how_long_is_left_alone_for_so_long(requested: float) -> None:
    pauses = [pause_after(LinkUnavailable("too many requests", retry_after=requested)) for _ in range(100)]
    assert requested <= min(pauses) and max(pauses) <= requested + SPREAD_S + 1
    assert len(set(pauses)) > 1, "whoever was refused beside does not come back at the same moment"


def test_no_server_is_left_alone_for_longer_than_a_step_can_bear() -> None:
    assert pause_of(3600.0) == LONGEST_PAUSE_S
    assert [pause_of(requested) for requested in (0.0, -1.0)] == [1, 1]


def test_who_says_nothing_of_a_pause_is_called_again_after_a_second() -> None:
    assert (waiting().retry_after, done().retry_after) == (1, 1)


class Ecs:
    """A service whose new deployment began so many seconds ago, and runs nothing; its tasks are not to be asked for."""

    def __init__(self, seconds: float, *more: dict[str, Any], running: int = 0) -> None:
        began = datetime.now(UTC) - timedelta(seconds=seconds)
        primary = {"status": "PRIMARY", "taskDefinition": WEST, "runningCount": running, "createdAt": began}
        self.deployments = [primary, *more]

    def describe_services(self, **_: Any) -> dict[str, Any]:
        service = {"status": "ACTIVE", "desiredCount": 2, "taskDefinition": WEST, "deployments": self.deployments}
        return {"services": [service]}


def look(ecs: Ecs) -> Any:
    fleet = EcsFleet(**fixture_plan.ecs_fleet("west", "nlb.example.com:9092"))
    return EcsService(fleet, "us-west-2", ecs).look()  # type: ignore[arg-type]


@pytest.mark.parametrize("running", [0, 1])
def test_a_deployment_that_replaces_tasks_is_waited_for_without_asking_for_them(running: int) -> None:
    state = look(Ecs(20.0, {"status": "ACTIVE", "taskDefinition": EAST, "runningCount": 1}, running=running))
    assert (state.target, state.settled, state.accepts_clients) == ("west", False, False)
    assert state.detail == f"{running} of 2 tasks run gateway-west-to-west:1, 1 of a previous revision are left"


def test_a_deployment_that_takes_long_is_looked_at_less_often() -> None:
    assert look(Ecs(0.5)).look_again_s == 1
    assert {look(Ecs(20.0)).look_again_s for _ in range(100)} == set(range(LOOK_AGAIN_S[0], LOOK_AGAIN_S[1] + 1))
