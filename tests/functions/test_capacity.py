"""The fleet that clients come to next is made as large as those they come from, and never holds them up for long."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from failover.errors import FleetRejected, FleetUnavailable
from failover.execution.fleet_sizes import save_fleet_sizes
from failover.fleets import FleetState, Instance
from failover.fleets.size import Size
from failover.ledger.ledger import Ledger
from tests.plans import put_plan, without_small_stack

Call = Callable[[str, dict[str, Any]], dict[str, Any]]
STARTED = {"start": {"plan": "orders", "to": "west", "epoch": 1}, "execution_name": "orders-1-failover"}
LONG_AGO_S = 1200.0


class Fleet:
    """A fleet of west that is routed there, and of whose instances so many come as `comes` says."""

    def __init__(self, size: int, comes: int | None = None) -> None:
        self.asked_for = size
        self.there = size
        self.comes = comes
        self.raised: list[int] = []
        self.refuses: Exception | None = None
        self.refused_because: str | None = None
        self.rolls = False
        self.looked = 0
        self.target = "west"

    def look(self) -> FleetState:
        self.looked += 1
        instances = tuple(Instance(name=str(number), bootstrap=None, proof="runs it") for number in range(self.there))
        return FleetState(
            target=self.target,
            settled=self.there >= self.asked_for and self.refused_because is None and not self.rolls,
            instances=instances,
            detail=f"{self.there} of {self.asked_for} tasks run",
            missing=0 if self.refused_because or self.rolls else max(0, self.asked_for - self.there),
            refused_because=self.refused_because,
            size=self.asked_for,
        )

    def route(self, target: str) -> None:
        assert self.target != target, "it is there already"
        self.target = target

    def size(self) -> int:
        return self.asked_for

    def raise_to(self, instances: int) -> None:
        if self.refuses is not None:
            raise self.refuses
        self.raised.append(instances)
        self.asked_for = instances

    def run(self) -> None:
        """So many come as come at all."""
        self.there = self.asked_for if self.comes is None else min(self.comes, self.asked_for)


class Lost:
    """A fleet of east, whose control plane says nothing, or how many it is asked for."""

    def __init__(self, size: int | None = None) -> None:
        self.asked_for = size

    def size(self) -> int:
        if self.asked_for is None:
            raise FleetUnavailable("nobody answers")
        return self.asked_for


class Rig:
    def __init__(self, call: Call, execution: dict[str, Any], west: Fleet) -> None:
        self.call, self.execution, self.west = call, execution, west

    def step(self, **more: Any) -> dict[str, Any]:
        return self.call("switch_routes", {"execution": self.execution, "site": "west", "fleet": "gateway-west"} | more)

    def capacity(self, **more: Any) -> tuple[str, dict[str, Any]]:
        report = self.step(**more)
        return report["status"], report["observed"]["capacity"]


@pytest.fixture
def rig(deployed: Any, call: Call, plan_text: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Rig]:
    """A failover to a west of that size. `saved`: what east had when it was last well; `now`: what it says it has."""

    def make(west: Fleet, saved: int | None, now: int | None = None, *, dry_run: bool = False, **policy: Any) -> Rig:
        plan = yaml.safe_load(without_small_stack(plan_text))
        put_plan(deployed, yaml.safe_dump(plan | {"policy": plan["policy"] | policy}))
        fleets = {"us-west-2": west, "us-east-2": Lost(now)}
        monkeypatch.setattr("failover.fleets.fleet_of", lambda _, region, __: fleets[region])
        if saved is not None:
            seen = {("east", "gateway-east"): Size(instances=saved, zones=3)}
            save_fleet_sizes(Ledger(deployed("dynamodb"), "ledger"), "orders", seen, time.time() - LONG_AGO_S)
        started = STARTED | {"start": STARTED["start"] | {"dry_run": dry_run}}  # type: ignore[operator]
        return Rig(call, call("claim", started)["execution"], west)

    return make


def test_a_smaller_fleet_is_raised_to_what_the_lost_one_had_and_waited_for(rig: Any) -> None:
    made = rig(Fleet(2), saved=4)
    status, capacity = made.capacity()
    assert (status, made.west.raised, capacity["raised_to"], capacity["before"]) == ("waiting", [4], 4, 2)
    assert "gateway-east had 4 " in capacity["basis"]
    assert made.capacity()[0] == "waiting"
    made.west.run()
    status, capacity = made.capacity()
    assert (status, made.west.raised) == ("done", [4]) and "short_because" not in capacity


def test_a_fleet_of_none_is_raised_to_the_one_that_the_lost_one_had(rig: Any) -> None:
    made = rig(Fleet(0), saved=1)
    status, capacity = made.capacity()
    assert (status, made.west.raised, capacity["before"], capacity["raised_to"]) == ("waiting", [1], 0, 1)


def test_one_instance_that_it_must_bear_to_lose_is_not_waited_for(rig: Any) -> None:
    made = rig(Fleet(2, comes=3), saved=4)
    made.capacity()
    made.west.run()
    status, capacity = made.capacity()
    assert status == "done" and "short_because" not in capacity


@pytest.mark.parametrize("saved", [2, 1])
def test_a_fleet_that_is_large_enough_is_left_alone(rig: Any, saved: int) -> None:
    made = rig(Fleet(2), saved=saved)
    status, capacity = made.capacity()
    assert (status, made.west.raised, capacity["needed"]) == ("done", [], saved)


def test_the_larger_of_what_it_had_and_has_counts(rig: Any) -> None:
    """A lost fleet may have been scaled in, as its clients left it, or out, since it was last seen well."""
    made = rig(Fleet(2), saved=4, now=6)
    capacity = made.capacity()[1]
    assert capacity["raised_to"] == 6 and capacity["basis"].endswith("and has 6 now")


def test_a_fence_that_scaled_the_lost_fleet_to_zero_says_nothing_of_what_clients_need(rig: Any) -> None:
    assert rig(Fleet(2), saved=4, now=0).capacity()[1]["raised_to"] == 4


@pytest.mark.parametrize("now", [None, 0])
def test_what_nobody_knows_is_no_number_and_holds_nobody_up(rig: Any, now: int | None) -> None:
    made = rig(Fleet(2), saved=None, now=now)
    status, capacity = made.capacity()
    assert (status, capacity["needed"], made.west.raised) == ("done", None, [])
    tells = "has 0 now" if now == 0 else "does not tell now"
    assert capacity["basis"] == f"gateway-east was never seen well, and {tells}"


def test_once_the_time_is_over_clients_are_let_in_to_those_that_are_there(rig: Any) -> None:
    made = rig(Fleet(2, comes=2), saved=4, capacity_timeout_seconds=0)
    assert made.capacity()[0] == "waiting"
    status, capacity = made.capacity()
    assert (status, made.west.raised) == ("done", [4])
    assert "2 of 4 instances were there within 0 s" in capacity["short_because"]


def test_fewer_than_there_were_are_waited_for_as_ever(rig: Any) -> None:
    made = rig(Fleet(4, comes=1), saved=6, capacity_timeout_seconds=0)
    made.capacity()
    made.west.run()
    assert made.capacity()[0] == "waiting"
    assert made.capacity(last_chance=True)[0] == "done"


def test_one_that_was_never_ready_is_not_let_off_for_its_size(rig: Any) -> None:
    made = rig(Fleet(2, comes=2), saved=4, capacity_timeout_seconds=0)
    made.west.rolls = True
    made.capacity()
    assert (made.capacity()[0], made.west.raised) == ("waiting", [4])


def test_who_sets_it_back_is_not_fought(rig: Any) -> None:
    made = rig(Fleet(2), saved=4)
    made.capacity()
    made.west.asked_for = 2
    status, capacity = made.capacity()
    assert (status, made.west.raised) == ("done", [4])
    assert "somebody else has set it to 2" in capacity["short_because"]
    assert made.capacity()[0] == "done" and made.west.raised == [4]


def test_a_refused_raise_holds_nobody_up(rig: Any) -> None:
    made = rig(Fleet(2), saved=4)
    made.west.refuses = FleetRejected("AccessDeniedException")
    status, capacity = made.capacity()
    assert status == "done" and "AccessDeniedException" in capacity["short_because"]


def test_a_silent_control_plane_is_asked_again_until_the_time_is_over(rig: Any) -> None:
    made = rig(Fleet(2), saved=4)
    made.west.refuses = FleetUnavailable("busy")
    assert made.capacity()[0] == "waiting"
    made.west.refuses = None
    assert (made.capacity()[0], made.west.raised) == ("waiting", [4])


def test_a_silent_control_plane_holds_nobody_up_beyond_that(rig: Any) -> None:
    made = rig(Fleet(2), saved=4, capacity_timeout_seconds=0)
    made.west.refuses = FleetUnavailable("busy")
    made.capacity()
    status, capacity = made.capacity()
    assert status == "done" and "in time" in capacity["short_because"]


def test_an_operator_that_refuses_what_was_raised_stops_no_failover(rig: Any) -> None:
    made = rig(Fleet(2, comes=2), saved=4, capacity_timeout_seconds=0)
    made.capacity()
    made.west.refused_because = "ApplyFailed: exceeded quota"
    status, capacity = made.capacity()
    assert status == "done" and capacity["short_because"]


def test_a_crash_after_the_raise_leaves_known_how_large_the_fleet_was(
    rig: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = rig(Fleet(2, comes=2), saved=4, capacity_timeout_seconds=0)
    asked_for = made.west.raise_to

    def dies(instances: int) -> None:
        asked_for(instances)
        raise KeyboardInterrupt

    made.west.raise_to = dies
    with pytest.raises(KeyboardInterrupt):
        made.step()
    status, capacity = made.capacity()
    assert (status, made.west.raised, capacity["before"], capacity["raised_to"]) == ("done", [4], 2, 4)
    assert "2 of 4 instances" in capacity["short_because"]


def test_a_crash_before_the_raise_is_gone_on_from(rig: Any) -> None:
    made = rig(Fleet(2), saved=4)
    asked_for, made.west.raise_to = made.west.raise_to, _dies
    with pytest.raises(KeyboardInterrupt):
        made.step()
    made.west.raise_to = asked_for
    assert (made.capacity()[0], made.west.raised) == ("waiting", [4])


def _dies(_: int) -> None:
    raise KeyboardInterrupt


def test_a_plan_may_leave_its_fleets_as_they_are(rig: Any) -> None:
    made = rig(Fleet(2), saved=4, on_smaller_fleet="go-on")
    report = made.step()
    assert (report["status"], made.west.raised) == ("done", []) and "capacity" not in report["observed"]


def test_a_dry_run_says_what_it_would_ask_for_and_asks_for_nothing(rig: Any) -> None:
    made = rig(Fleet(2), saved=4, dry_run=True)
    status, capacity = made.capacity()
    assert (status, capacity["would_raise_to"], made.west.raised) == ("done", 4, [])


def test_a_redrive_does_not_wait_anew(rig: Any) -> None:
    made = rig(Fleet(2, comes=2), saved=4, capacity_timeout_seconds=0)
    made.capacity()
    made.capacity()
    status, capacity = made.capacity()
    assert (status, made.west.raised) == ("done", [4]) and capacity["short_because"]


def test_a_fleet_that_somebody_leads_elsewhere_meanwhile_is_still_known_to_have_been_raised(rig: Any) -> None:
    made = rig(Fleet(2), saved=4)
    before = made.capacity()[1]
    made.west.run()
    made.west.target = "east"
    assert made.capacity() == ("waiting", before) and made.west.target == "west"
    status, capacity = made.capacity()
    assert (status, made.west.raised, capacity) == ("done", [4], before)


def test_a_fleet_that_is_not_routed_yet_has_its_size_decided_once_it_is(rig: Any) -> None:
    made = rig(Fleet(2), saved=4)
    made.west.target = "east"
    report = made.step()
    assert report["status"] == "waiting" and "capacity" not in report["observed"] and made.west.raised == []
    assert made.capacity()[1]["raised_to"] == 4
