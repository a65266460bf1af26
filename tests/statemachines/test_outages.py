"""AWS throttles and is silent for minutes, in the very event that a failover is for: what every step does then."""

from __future__ import annotations

import math
from typing import Any

import pytest

from drill.aws.jsonata_evaluation import evaluate
from statemachines.blocks import TRANSIENT, step
from tests.statemachines.scripted import (
    DEADLINES,
    DEADLINES_OF_RESTORE,
    STEPS,
    Machine,
    concluded,
    done,
    fails,
    throttled,
    verdict,
)

pytestmark = [pytest.mark.slow]

A_MINUTE = 60
STOPPED = fails("FailoverStopped")
EVENTS_A_TURN = 9
"""Of a Task that is scheduled, started and ends, of a Choice and of a Wait, each entered and exited."""


def test_a_minute_of_throttling_from_the_first_call_of_any_step_on_ends_as_without_it(deployed: Machine) -> None:
    asks: dict[str, Any] = {"Assess": [verdict("ask")], "Claim": [{"return": {"on_approval_timeout": "proceed"}}]}
    runs = {}
    for number, name in enumerate(STEPS):
        usual = asks.get(name, [concluded() if name == "Conclude" else done()])
        runs[name] = deployed.start(**asks | {name: [throttled(TRANSIENT[number], A_MINUTE), *usual]})
    ended = {name: deployed.ended(*run, within=180) for name, run in runs.items()}
    assert {name: run.status for name, run in ended.items()} == dict.fromkeys(STEPS, "SUCCEEDED")
    assert {name: run.of("Conclude")[-1]["outcome"] for name, run in ended.items()} == dict.fromkeys(STEPS, "succeeded")
    flipped = {name for name, run in ended.items() if "FlipDns" in run.steps()}
    assert flipped == set(STEPS)


@pytest.mark.parametrize("word", ["stand-down", "proceed"])
def test_an_end_is_recorded_once_the_ledger_answers(machine: Machine, word: str) -> None:
    run = machine.run(Assess=[verdict(word)], Conclude=[throttled("LedgerUnavailable", 2), concluded()])
    assert run.status == "SUCCEEDED" and len(run.of("Conclude")) > 1


def test_a_failure_is_recorded_once_the_ledger_answers(machine: Machine) -> None:
    run = machine.run(
        **{"FlipDns": [fails("DnsRejected")], "Conclude:failed": [throttled("LedgerUnavailable", 2), STOPPED]}
    )
    assert (run.status, run.error) == ("FAILED", "FailoverStopped")


def test_a_failure_that_can_not_be_recorded_is_in_the_cause_and_the_first_redrive_goes_on(machine: Machine) -> None:
    silent = {"Conclude:failed": [fails("LedgerUnavailable")]}
    name, arn = machine.start(FlipDns=[fails("DnsRejected")], **silent)
    run = machine.ended(name, arn)
    assert run.status == "FAILED"
    for word in ("FailoverStopped", "FlipAndReroute", "DnsRejected", "LedgerUnavailable"):
        assert word in run.cause
    again = machine.go_on(name, arn, FlipDns=[done()])
    assert again.status == "SUCCEEDED"
    assert again.of("Conclude")[-1]["outcome"] == "succeeded"


def test_a_redrive_goes_on_though_the_ledger_is_silent_at_its_first_call(machine: Machine) -> None:
    name, arn = machine.start(**{"Verify": [fails("CanarySaysNothing")], "Conclude:failed": [STOPPED]})
    machine.ended(name, arn)
    run = machine.go_on(name, arn, **{"Verify": [done()], "Conclude:failed": [fails("LedgerUnavailable")]})
    assert run.status == "SUCCEEDED"


def test_a_claim_that_is_never_answered_fails_by_its_error_after_its_patience(machine: Machine) -> None:
    run = machine.run(Claim=[fails("LedgerUnavailable")])
    assert (run.status, run.error, set(run.steps())) == ("FAILED", "LedgerUnavailable", {"Claim", "Announce"})
    assert run.calls[-1]["at"] - run.calls[0]["at"] > DEADLINES["PatienceSeconds"] - 1


def test_a_step_that_is_not_heard_before_its_deadline_is_heard_before_its_last_chance(machine: Machine) -> None:
    silent = throttled("KafkaUnavailable", DEADLINES["AssessDeadlineSeconds"] + 1)
    run = machine.run(Assess=[silent, *[verdict("stand-down")]])
    assert run.status == "SUCCEEDED"
    assert run.of("Assess")[-1]["last_chance"] is False


def test_what_is_planned_waits_for_its_looks_as_long_as_nothing_is_changed(
    switchover: Machine, restore: Machine
) -> None:
    silent = throttled("LinkUnavailable", DEADLINES_OF_RESTORE["PrecheckDeadlineSeconds"] + 1)
    looks = [(switchover, "Precheck"), (restore, "PrecheckRestore"), (restore, "MeasureDivergence")]
    late = [(flow, flow.start(**{look: [silent, verdict("proceed")]})) for flow, look in looks]
    never = [(flow, flow.start(**{look: [fails("LinkUnavailable")]})) for flow, look in looks]
    for outcome, started in (("succeeded", late), ("stood-down", never)):
        ends = [flow.ended(*run) for flow, run in started]
        assert [end.of("Conclude")[-1]["outcome"] for end in ends] == [outcome] * len(looks)


@pytest.mark.parametrize("step", ["Assess", "PromoteMirrors", "FlipDns", "Verify", "RequestApproval"])
def test_a_step_that_is_never_heard_stops_it(machine: Machine, step: str) -> None:
    asks = verdict("ask") if step == "RequestApproval" else verdict("proceed")
    run = machine.run(**{"Assess": [asks], step: [fails("ServiceUnavailable")], "Conclude:failed": [STOPPED]})
    assert run.error == "FailoverStopped"
    assert "ServiceUnavailable" in run.of("Conclude")[0]["error"]["Cause"]


def turns(seconds: int, fleets: int = 0) -> tuple[int, list[int]]:
    """How often a step that asks to be called again every second is called until its deadline, and its waits."""
    side_by_side = f"[1..{fleets}]" if fleets else ""
    states = step("Poll", {"Type": "Task"}, deadline=str(seconds), then="End", late={}, side_by_side=side_by_side)
    expression = states["PollWait"]["Seconds"].removeprefix("{%").removesuffix("%}").replace("$millis()", "$now_ms")
    waits: list[int] = []
    while sum(waits) < seconds:
        known = {"now_ms": 1000 * sum(waits), "poll_begun": 0, "poll_deadline": 1000 * seconds}
        waits.append(int(evaluate(expression, known | {"states": {"input": {"retry_after": 1}}})))
    return len(waits), waits


def test_a_promotion_of_a_day_fits_into_the_history_of_an_execution() -> None:
    count, waits = turns(86_400)
    assert count * EVENTS_A_TURN < 5_000
    assert waits[:50] == [1] * 50
    for number, wait in enumerate(waits):
        assert wait <= max(1, math.ceil(sum(waits[:number]) / 50))


@pytest.mark.parametrize("fleets", [1, 5, 14, 40])
def test_slow_fleets_leave_room_in_the_history_of_an_execution_however_many(fleets: int) -> None:
    """Prepared, and then rerouted, until the deadlines; what else an execution does is a few thousand events."""
    prepared, rerouted = turns(300, fleets), turns(30, fleets)
    assert (prepared[0] + rerouted[0]) * EVENTS_A_TURN * fleets < 14_000
    assert prepared[1][:3] == [1, 1, 1]


def test_a_wait_does_not_go_beyond_the_deadline() -> None:
    _, waits = turns(3_600)
    assert sum(waits) == 3_600
