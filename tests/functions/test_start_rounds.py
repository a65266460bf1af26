"""Whatever goes on of itself goes on for every plan, and no plan holds another up."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError

from failover.errors import MalformedEvent, RoundsNotStarted
from tests.conftest import Context
from tests.plans import put_plan

Call = Callable[[str, dict[str, Any]], dict[str, Any]]
SUNDAY = 1_795_910_400.0
MACHINE = "arn:aws:states:us-west-2:123456789012:stateMachine:"


class Started:
    """Step Functions and Lambda, as far as they start something: what was started, of which plan."""

    def __init__(self) -> None:
        self.inputs: list[tuple[str, dict[str, Any]]] = []
        self.throttled: str | None = None
        """What is not started."""
        self.handler: Any = None

    def due(self, due: str, **request: Any) -> list[str]:
        """Calls the function; of which plans it answers."""
        return list(self.handler({"due": due, **request}, Context())["plans"])

    def start_execution(self, *, stateMachineArn: str, input: str) -> None:  # noqa: A002, N803
        self._take(stateMachineArn.rpartition(":")[2], json.loads(input))

    def start_run(self, name: str, request: dict[str, Any], machine: str) -> bool:
        self._take(name, request)
        return True

    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: str) -> None:  # noqa: N803
        assert InvocationType == "Event", "nobody waits for it"
        self._take(FunctionName, json.loads(Payload))

    def _take(self, what: str, request: dict[str, Any]) -> None:
        if self.throttled == what:
            raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}, "StartExecution")
        self.inputs.append((what, request))

    def shards(self) -> list[list[str]]:
        """The plans that are looked at together."""
        return [request["plans"] for name, request in self.inputs if name == "watch"]

    def of(self, what: str) -> list[str]:
        """Of which plans it was started."""
        requests = [request for name, request in self.inputs if name == what]
        return sorted(plan for request in requests for plan in _plans_of(request))


def _plans_of(request: dict[str, Any]) -> list[str]:
    """Those that are named in what was started."""
    of = request.get("detail", request)
    return [of["plan"]] if "plan" in of else list(of["plans"])


@pytest.fixture
def started(deployed: Any, function: Any, plan_text: str, monkeypatch: pytest.MonkeyPatch) -> Started:
    """Of three plans, one of them bad."""
    put_plan(deployed, yaml.safe_dump(yaml.safe_load(plan_text) | {"name": "payments"}), "payments")
    put_plan(deployed, "name: broken", "broken")
    monkeypatch.setenv("WATCH_MACHINE_ARN", f"{MACHINE}watch")
    monkeypatch.setenv("JUDGE_FUNCTION", "judge")
    monkeypatch.setenv("READINESS_FUNCTION", "readiness")
    monkeypatch.setenv("STATE_MACHINE_ARN", f"{MACHINE}failover")
    started = Started()
    module = function("start_rounds")
    monkeypatch.setattr(module, "client", lambda service: started)
    started.handler = module.handler
    return started


def test_each_minute_every_plan_is_looked_at_sampled_and_judged_and_a_bad_one_is_judged(started: Started) -> None:
    assert started.due("rounds") == ["broken", "orders", "payments"]
    assert started.shards() == [["orders", "payments"]]
    assert started.of("judge") == ["broken", "orders", "payments"]
    looks = [request for what, request in started.inputs if what == "judge"]
    assert {(look["detail-type"], look["account"]) for look in looks} == {("Regular Look", "123456789012")}


def test_what_can_not_be_started_keeps_nothing_else_from_it_and_is_said(started: Started) -> None:
    started.throttled = "watch"
    with pytest.raises(RoundsNotStarted, match=r"looks at orders and 1 more.*ServiceUnavailable"):
        started.due("rounds")
    assert started.of("judge") == ["broken", "orders", "payments"]
    started.inputs, started.throttled = [], "judge"
    with pytest.raises(RoundsNotStarted, match=r"judgement of orders and 1 more.*ServiceUnavailable"):
        started.due("rounds")
    assert started.shards() == [["orders", "payments"]]


def test_a_bad_plan_is_judged_by_itself(started: Started) -> None:
    started.due("rounds")
    judged = [request["detail"]["plans"] for what, request in started.inputs if what == "judge"]
    assert judged == [["orders", "payments"], ["broken"]]


def test_rounds_know_for_which_minute_they_are_and_those_started_by_hand_are_of_this_one(started: Started) -> None:
    began = datetime.now(UTC).replace(second=0, microsecond=0)
    started.due("rounds", scheduled_at="2026-11-23T09:31:00Z")
    started.due("rounds")
    scheduled, by_hand = (request["scheduled_at"] for what, request in started.inputs if what == "watch")
    assert scheduled == "2026-11-23T09:31:00+00:00"
    assert began <= datetime.fromisoformat(by_hand) <= datetime.now(UTC)


def test_readiness_is_looked_at_for_every_plan_even_a_bad_one(started: Started) -> None:
    started.due("readiness")
    assert started.of("readiness") == ["broken", "orders", "payments"]


def test_each_plans_readiness_has_its_turn(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    for call in range(3):
        monkeypatch.setattr("time.time", lambda call=call: 1_796_000_000.0 + 300 * call)
        assert len(started.due("readiness", every_minutes=5, turn_minutes=30)) == 1
    assert started.of("readiness") == ["broken", "orders", "payments"]


@pytest.mark.parametrize("what", ["every_minutes", "turn_minutes"])
def test_no_turn_comes_every_zero_minutes(started: Started, what: str) -> None:
    with pytest.raises(MalformedEvent, match=what):
        started.due("readiness", **{what: 0})
    assert started.due("readiness", **{what: 0.5}) and started.inputs


def test_a_vantage_point_only_looks(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JUDGE_FUNCTION")
    monkeypatch.delenv("STATE_MACHINE_ARN")
    started.due("rounds")
    assert {what for what, _ in started.inputs} == {"watch"}


def test_a_dry_run_is_one_good_plans_at_a_time_and_every_plan_has_its_turn(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = []
    for call in range(4):
        monkeypatch.setattr("time.time", lambda call=call: 1_796_000_000.0 + 300 * call)
        turns.append(started.due("dry-runs", every_minutes=5, turn_minutes=360))
    assert sorted(turns) == [["orders"], ["orders"], ["payments"], ["payments"]] and turns[0] != turns[1]
    request = started.inputs[0][1]
    assert (request["to"], request["dry_run"]) == ("standby", True)


@pytest.mark.parametrize(("plans", "sizes"), [(0, []), (1, [1]), (50, [50]), (51, [26, 25]), (200, [50] * 4)])
def test_plans_are_looked_at_by_shards_of_about_one_size(function: Any, plans: int, sizes: list[int]) -> None:
    names = [f"plan-{number:03}" for number in range(plans)]
    shards = function("start_rounds").shards(names)
    assert [len(shard) for shard in shards] == sizes
    assert sorted(name for shard in shards for name in shard) == names


@pytest.mark.parametrize("plans", [0, 1, 40, 72, 200])
def test_every_plan_has_its_turn_in_time_whatever_their_number(function: Any, plans: int) -> None:
    module = function("start_rounds")
    names = [f"plan-{number:03}" for number in range(plans)]
    request = SimpleNamespace(every_minutes=5, turn_minutes=360)
    turns = Counter[str]()
    for call in range(72):
        turns.update(module.plans_of_turn(names, request, 300.0 * call))
    assert set(turns) == set(names)


def test_a_practice_is_started_once_in_each_of_its_windows(
    started: Started, deployed: Any, plan_text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows = {"windows": [{"days": ["sun"], "begins": "03:00", "ends": "04:00"}]}
    put_plan(deployed, json.dumps(yaml.safe_load(plan_text) | {"practice": windows}))
    monkeypatch.setenv("PRACTICE_MACHINE_ARN", f"{MACHINE}practice")
    monkeypatch.setattr(sys.modules["function_start_rounds"], "start_run", started.start_run)
    for minute in (2 * 60 + 59, 3 * 60, 3 * 60 + 59, 4 * 60):
        monkeypatch.setattr("time.time", lambda minute=minute: SUNDAY + 60 * minute)
        started.due("rounds")
    practices = [(name, request) for name, request in started.inputs if "-practice-" in name]
    assert [name for name, _ in practices] == ["orders-practice-20261129-0400"] * 2
    assert practices[0][1]["scheduled"] is True
