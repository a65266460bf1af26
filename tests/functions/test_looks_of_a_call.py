"""How often a call looks: again while a change may be over in a moment, and no longer than who hangs deserves."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

from failover.detection.evidence import SERVICES, Probe, View
from failover.errors import LeaseLost
from failover.fleets import FleetState
from failover.plan.model import Plan
from tests.conftest import Context
from tests.plans import put_plan

Call = Callable[[str, dict[str, Any]], dict[str, Any]]
Step = Callable[..., dict[str, Any]]
STEPS = [("fence", "fenced"), ("switch_routes", "west")]


def state(target: str) -> FleetState:
    return FleetState(target=target, settled=True, instances=(), detail="as it is")


class Fleet:
    """A fleet that is where it was last routed, once it was looked at so often."""

    def __init__(self, looks_until_there: int) -> None:
        self.left = looks_until_there
        self.routed: list[str] = []

    def look(self) -> FleetState:
        self.left -= 1
        return state(self.routed[-1] if self.routed and self.left < 0 else "east")

    def route(self, target: str) -> None:
        if self.routed[-1:] != [target]:
            self.routed.append(target)


@pytest.fixture
def execution(deployed: Any, call: Call) -> dict[str, Any]:
    started = {"start": {"plan": "orders", "to": "west", "epoch": 1}, "execution_name": "orders-1-failover"}
    return dict(call("claim", started)["execution"])


@pytest.fixture
def step(execution: dict[str, Any], call: Call, monkeypatch: pytest.MonkeyPatch) -> Step:
    """Calls fence, or switch_routes as the reroute does, on a fleet; a call looks again for as long as one deployed."""
    monkeypatch.setattr("failover.execution.step.AGAIN_FOR_S", 1.0)
    monkeypatch.setattr("failover.execution.step.AGAIN_EVERY_S", 0.01)

    def run(name: str, fleet: Any) -> dict[str, Any]:
        monkeypatch.setattr("failover.fleets.fleet_of", lambda *_: fleet)
        reroute = {"site": "east", "fleet": "gateway-east", "best_effort": True}
        return call(name, {"execution": execution} | ({} if name == "fence" else reroute))

    return run


@pytest.mark.parametrize(("name", "target"), STEPS)
def test_a_change_that_is_soon_over_is_done_in_the_call_that_made_it(step: Step, name: str, target: str) -> None:
    fleet = Fleet(looks_until_there=4)
    assert step(name, fleet)["status"] == "done"
    assert fleet.routed == [target]


@pytest.mark.parametrize(("name", "target"), STEPS)
def test_each_look_of_a_call_holds_the_lease(
    step: Step, call: Call, monkeypatch: pytest.MonkeyPatch, name: str, target: str
) -> None:
    fleet = Fleet(looks_until_there=100)

    start = {"plan": "orders", "to": "west", "supersedes": "orders-1-failover"}

    def supersede(_: float) -> None:
        call("claim", {"start": start, "execution_name": "by-hand"})

    monkeypatch.setattr("failover.execution.step.time", _TimeWithSleep(supersede))
    with pytest.raises(LeaseLost):
        step(name, fleet)
    assert fleet.routed == [target]


class _TimeWithSleep:
    """The module `time`, with a sleep in which something happens."""

    def __init__(self, sleep: Callable[[float], None]) -> None:
        self.sleep, self.time, self.monotonic = sleep, time.time, time.monotonic


@pytest.mark.parametrize(("name", "patience"), [("fence", "FENCE_LOOK_S"), ("switch_routes", "REROUTE_LOOK_S")])
def test_a_control_plane_that_hangs_holds_nothing_up(
    step: Step, monkeypatch: pytest.MonkeyPatch, name: str, patience: str
) -> None:
    monkeypatch.setattr(f"failover.fleets.{patience}", 0.05)
    over = threading.Event()
    fleet = Fleet(looks_until_there=0)
    fleet.look = lambda: over.wait(30) and state("east")  # type: ignore[assignment, method-assign, return-value]
    report = step(name, fleet)
    assert not over.is_set() and report["status"] == "done"
    assert "no answer within" in str(report["observed"]) and fleet.routed == []
    over.set()


class Eyes:
    """What is seen of east in one look after another, the last for ever."""

    def __init__(self, *answers: bool) -> None:
        self.answers = list(answers)
        self.looks: list[View] = []

    async def look(self, *_: Any) -> View:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        probes = [
            Probe(site=site, service=service, healthy=answer or site == "west", took_seconds=0.0)
            for site in ("east", "west")
            for service in SERVICES
        ]
        self.looks.append(View(vantage="us-west-2", at=time.time(), probes=tuple(probes)))
        return self.looks[-1]


@pytest.fixture
def watch(deployed: Any, call: Call, monkeypatch: pytest.MonkeyPatch) -> Callable[[Eyes], list[bool]]:
    """Calls watch_site with such eyes; whether east looked lost in each view that was told, in its order."""
    monkeypatch.setenv("VANTAGE", "us-west-2")

    def run(eyes: Eyes) -> list[bool]:
        told: list[bool] = []

        def put(_: str, detail: dict[str, Any], region: str) -> None:
            views = [TypeAdapter(View).validate_python(said["view"]) for said in detail["observations"]]
            told.extend(view.signals()[0].says_lost for view in views)

        monkeypatch.setattr("failover.detection.probes.view", eyes.look)
        monkeypatch.setattr("failover.detection.observation.put_event_at_most_once", put)
        call("watch_site", {"plans": ["orders"]})
        return told

    return run


@pytest.fixture
def looking(
    deployed: Any, function: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, Any]]:
    """Calls watch_site with what it looks with, and limits of other lengths; what it answers of the plan."""

    def run(look: Any, **limits: float) -> dict[str, Any]:
        monkeypatch.setattr("failover.detection.probes.view", look)
        monkeypatch.setattr("failover.detection.observation.put_event_at_most_once", lambda *_: None)
        module = function("watch_site")
        for name, seconds in limits.items():
            monkeypatch.setattr(module, name, seconds)
        (answer,) = module.handler({"plans": ["orders"]}, Context())["plans"]
        return dict(answer)

    return run


def test_a_plan_whose_sites_hang_holds_up_the_word_of_no_other(
    deployed: Any, plan_text: str, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_plan(deployed, yaml.safe_dump(yaml.safe_load(plan_text) | {"name": "payments"}), "payments")
    put_plan(deployed, "name: broken", "broken")
    told, eyes = threading.Event(), Eyes(True)

    async def look(network: Any, plan: Plan, within: float) -> View:
        while plan.name == "orders" and not told.is_set():
            await network.sleep(0.01)
        return await eyes.look()

    def put(_: str, detail: dict[str, Any], region: str) -> None:
        if any(said["plan"] == "payments" for said in detail["observations"]):
            told.set()

    monkeypatch.setattr("failover.detection.probes.view", look)
    monkeypatch.setattr("failover.detection.observation.put_event_at_most_once", put)
    answer = call("watch_site", {"plans": ["orders", "payments", "broken", "gone"]})
    assert {plan["plan"]: len(plan["probes"]) for plan in answer["plans"]} == {"orders": 6, "payments": 6}
    assert answer["not_looked_at"] == ["broken", "gone"]


def test_that_all_is_well_is_told_of_every_plan_in_one_event_as_soon_as_it_is_time_for_one(
    deployed: Any, plan_text: str, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[set[str]] = []

    def put(_: str, detail: dict[str, Any], region: str) -> None:
        events.append({said["plan"] for said in detail["observations"]})

    monkeypatch.setattr("failover.detection.probes.view", Eyes(True).look)
    monkeypatch.setattr("failover.detection.observation.put_event_at_most_once", put)
    now, names = time.time(), ["orders", "payments", "refunds"]
    for name in names[1:]:
        put_plan(deployed, yaml.safe_dump(yaml.safe_load(plan_text) | {"name": name}), name)
    monkeypatch.setattr("time.time", lambda: now)
    call("watch_site", {"plans": names[:2]})
    monkeypatch.setattr("time.time", lambda: now + 20.0)
    call("watch_site", {"plans": names})
    assert set().union(*events) == set(names)
    events.clear()
    monkeypatch.setattr("time.time", lambda: now + 61.0)
    call("watch_site", {"plans": names})
    call("watch_site", {"plans": names})
    assert events == [set(names)]


def test_the_round_of_a_minute_whose_successor_has_begun_looks_at_nothing(
    deployed: Any, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("failover.detection.probes.view", Eyes(True).look)
    monkeypatch.setattr("failover.detection.observation.put_event_at_most_once", lambda *_: None)

    def round_of(minute: str | None) -> dict[str, Any]:
        return call("watch_site", {"plans": ["orders"], "scheduled_at": minute})

    assert len(round_of("2026-11-23T09:31:00Z")["plans"]) == len(round_of("2026-11-23T09:32:00Z")["plans"]) == 1
    late = round_of("2026-11-23T09:31:00Z")
    assert (late["plans"], late["superseded"]) == ([], ["orders"])
    assert len(round_of("2026-11-23T09:32:00Z")["plans"]) == len(round_of(None)["plans"]) == 1
    assert len(round_of("2399-01-01T00:00:00Z")["plans"]) == len(round_of("2026-11-23T09:33:00Z")["plans"]) == 1


def test_what_is_news_is_told_and_that_all_is_still_well_once_a_minute(
    watch: Callable[[Eyes], list[bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert watch(Eyes(True)) == [False]
    assert watch(Eyes(True)) == [], "nothing changed since a moment ago"
    assert watch(Eyes(False, True)) == [True, False]
    now = time.time()
    for seconds, tells in ((50.0, []), (61.0, [False])):
        monkeypatch.setattr("time.time", lambda at=now + seconds: at)
        assert watch(Eyes(True)) == tells


def test_a_site_that_is_well_is_looked_at_once(watch: Callable[[Eyes], list[bool]]) -> None:
    assert watch(Eyes(True)) == [False]


def test_a_blip_is_told_over_within_the_call_that_saw_it(watch: Callable[[Eyes], list[bool]]) -> None:
    assert watch(Eyes(False, True)) == [True, False]


@pytest.mark.parametrize(("seconds", "news"), [(0.5, False), (1.4, False), (1.5, True), (2.0, True)])
def test_of_what_is_being_confirmed_judges_hear_again_in_a_moment(
    function: Callable[[str], Any], seconds: float, news: bool
) -> None:
    watch_site, eyes = function("watch_site"), Eyes(False)
    before = asyncio.run(eyes.look())
    later = replace(before, at=before.at + seconds)
    assert watch_site.is_news(before, later, unconfirmed=True) is news
    assert watch_site.is_news(before, later, unconfirmed=False), "confirmed, every look is told of"


@pytest.mark.slow
def test_an_outage_is_confirmed_within_one_call_and_then_looked_at_once_a_call(
    watch: Callable[[Eyes], list[bool]],
) -> None:
    eyes = Eyes(False)
    told = watch(eyes)
    assert 2 < len(told) < len(eyes.looks) and all(told), "while it is being confirmed, not each look is told of"
    assert eyes.looks[-1].at - eyes.looks[0].at >= 3.0
    assert watch(eyes) == [True]


def test_a_switchover_whose_clients_stand_still_has_its_steps_called_again_at_once(
    deployed: Any, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("failover.execution.step.AGAIN_FOR_S", 0.0)
    monkeypatch.setattr("failover.fleets.fleet_of", lambda *_: Fleet(looks_until_there=1_000))
    for kind, pause in (("switchover", 0), ("failover", 1)):
        more = {} if kind == "switchover" else {"supersedes": "switchover"}
        start = {"start": {"plan": "orders", "to": "west", **more}, "execution_name": kind, "kind": kind}
        request = {"execution": call("claim", start)["execution"]}
        switch = {"site": "west", "fleet": "gateway-west"}
        answers = [call("fence", request | {"everywhere": True}), call("switch_routes", request | switch)]
        assert [(answer["status"], answer["retry_after"]) for answer in answers] == [("waiting", pause)] * 2


def test_a_call_leaves_confirming_to_the_next_one_once_its_time_is_over(
    looking: Callable[..., dict[str, Any]],
) -> None:
    eyes = Eyes(False)
    looking(eyes.look, CONFIRM_FOR_S=0.2)
    assert len(eyes.looks) == 1


def test_of_a_plan_whose_look_does_not_end_it_is_said_when_something_was_last_told(
    looking: Callable[..., dict[str, Any]],
) -> None:
    """Who reads the answers of rounds tells by it for how long a vantage point has been blind."""
    eyes = Eyes(True)

    async def hang(network: Any, *_: Any) -> View:
        await network.sleep(60.0)
        raise AssertionError("nobody waits for so long")

    nothing_yet: dict[str, Any] = {"plan": "orders", "untold": {}, "published_at": None, "probes": []}
    assert looking(hang, CALL_S=0.05) == nothing_yet
    looking(eyes.look)
    assert looking(hang, CALL_S=0.05) == nothing_yet | {"published_at": eyes.looks[0].at}


@pytest.mark.parametrize(
    ("kind", "look_again_s", "pause"),
    [("switchover", 1, 0), ("switchover", 2, 2), ("failover", 1, 1), ("failover", 20, 20)],
)
def test_a_fleet_that_is_on_its_way_is_looked_at_again_when_its_control_plane_wants_it(
    deployed: Any, call: Call, monkeypatch: pytest.MonkeyPatch, kind: str, look_again_s: int, pause: int
) -> None:
    on_its_way = FleetState(
        target="west", settled=False, instances=(), detail="it rolls", look_again_s=look_again_s, missing=2
    )
    monkeypatch.setattr("failover.execution.step.AGAIN_FOR_S", 0.0)
    monkeypatch.setattr("failover.fleets.fleet_of", lambda *_: SimpleNamespace(look=lambda: on_its_way))
    start = {"start": {"plan": "orders", "to": "west"}, "execution_name": kind, "kind": kind}
    request = {"execution": call("claim", start)["execution"], "site": "west", "fleet": "gateway-west"}
    answer = call("switch_routes", request)
    assert (answer["status"], answer["retry_after"], answer["observed"]["missing"]) == ("waiting", pause, 2)
    assert call("switch_routes", request | {"last_chance": True})["status"] == "waiting", "no instance is no fleet"
