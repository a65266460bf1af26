"""The deployed failover machine under every turn of events: its own file, run by Step Functions, its steps scripted."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.statemachines.scripted import (
    DEADLINES,
    STEPS,
    Machine,
    done,
    fails,
    verdict,
    waiting,
)

pytestmark = [pytest.mark.slow]

STOPPED = fails("FailoverStopped")


def test_all_goes_well_and_nothing_that_carries_clients_moves_before_the_standby_is_writable(machine: Machine) -> None:
    run = machine.run(PromoteMirrors=[waiting(), waiting(), done()], Verify=[waiting(), done()])
    assert run.status == "SUCCEEDED"
    steps = run.steps()
    assert steps[:2] == ["Claim", "Assess"] and [event["beside"] for event in run.of("Fence")] == [True]
    last_promotion = max(n for n, step in enumerate(steps) if step == "PromoteMirrors")
    moved = [n for n, call in enumerate(run.calls) if call["step"] == "FlipDns" or call["event"].get("best_effort")]
    assert min(moved) > last_promotion
    assert steps[-2:] == ["Conclude", "Announce"] and run.of("Conclude")[0]["outcome"] == "succeeded"
    assert run.output == {"outcome": "told", "why": "all is well"}
    checked, flipped = steps.index("CheckOffsets"), steps.index("FlipDns")
    assert last_promotion < checked < flipped
    assert {event["fleet"] for event in run.of("SwitchRoutes")} == {"west-1", "west-2", "east-1"}


STAYING = {
    "fleets_joining": [],
    "fleets_staying": [{"site": "east", "fleet": "east-1"}, {"site": "paris", "fleet": "near"}],
    "fleets_leaving": [],
}


def test_a_fleet_that_clients_go_on_to_come_through_is_led_over_after_the_promotion_alone(machine: Machine) -> None:
    run = machine.run(
        Claim=[{"return": STAYING}],
        PromoteMirrors=[waiting(), done()],
        SwitchRoutes=[waiting(), fails("FleetUnavailable"), done()],
    )
    steps = run.steps()
    assert run.status == "SUCCEEDED"
    last_promotion = max(n for n, step in enumerate(steps) if step == "PromoteMirrors")
    assert steps.index("SwitchRoutes") > last_promotion
    routed = run.of("SwitchRoutes")
    assert {(event["site"], event["fleet"]) for event in routed} == {("east", "east-1"), ("paris", "near")}
    assert all(event["staying"] and "best_effort" not in event for event in routed)


def test_one_that_stays_out_of_reach_keeps_the_execution_from_succeeding(machine: Machine) -> None:
    run = machine.run(Claim=[{"return": STAYING}], SwitchRoutes=[waiting()], Conclude=[fails("FailoverStopped")])
    assert (run.status, run.of("Conclude")[0]["stopped_at"]) == ("FAILED", "FlipAndReroute")
    assert "Verify" not in run.steps()


def test_a_duplicate_ends_well_and_changes_nothing(machine: Machine) -> None:
    run = machine.run(Claim=[fails("DuplicateExecution")])
    assert (run.status, run.steps()) == ("SUCCEEDED", ["Claim", "Announce"])


@pytest.mark.parametrize("error", ["WrongDirection", "UnknownPlan", "BadPlan", "MalformedEvent"])
def test_a_start_that_cannot_be_carried_out_fails_by_its_name_and_changes_nothing(machine: Machine, error: str) -> None:
    run = machine.run(Claim=[fails(error)])
    assert (run.status, run.error, run.steps()) == ("FAILED", error, ["Claim", "Announce"])
    (refused,) = run.of("Announce")
    assert (refused["start"], refused["error"]["Error"]) == ({"plan": "orders", "to": "west"}, error)


def test_a_stand_down_says_why_and_changes_nothing(machine: Machine) -> None:
    run = machine.run(Assess=[verdict("stand-down")])
    assert (run.status, run.steps()) == ("SUCCEEDED", ["Claim", "Assess", "Conclude", "Announce"])
    assert run.of("Conclude")[0] | {"execution": None} == {
        "execution": None,
        "outcome": "stood-down",
        "why": 'because of "this"',
        "redrives": 0,
    }


@pytest.mark.parametrize("error", ["ServiceRejected", "LeaseLost", "SomethingElse", "ServiceUnavailable"])
@pytest.mark.parametrize("decision", ["proceed", "stand-down"])
def test_telling_that_fails_changes_no_outcome(machine: Machine, error: str, decision: str) -> None:
    run = machine.run(Assess=[verdict(decision)], Announce=[fails(error)])
    assert (run.status, run.output) == ("SUCCEEDED", {"outcome": "told", "why": "all is well"})
    assert len(run.of("Conclude")) == 1, "what ended well is not stopped"
    assert (len(run.of("Announce")) > 1) is (error == "ServiceUnavailable")


def test_telling_that_fails_changes_no_refusal(machine: Machine) -> None:
    run = machine.run(Claim=[fails("WrongDirection")], Announce=[fails("ServiceRejected")])
    assert (run.status, run.error) == ("FAILED", "WrongDirection")


def test_an_open_decision_is_asked_again_until_its_last_chance(machine: Machine) -> None:
    run = machine.run(Assess=[waiting(verdict="wait"), waiting(verdict="wait"), verdict("stand-down")])
    assert run.of("Assess")[0]["last_chance"] is False
    late = machine.run(Assess=[waiting(verdict="wait")] * 4 + [verdict("stand-down")])
    assert late.of("Assess")[-1]["last_chance"] is True
    assert run.status == late.status == "SUCCEEDED"


@pytest.mark.parametrize("step", STEPS)
def test_an_error_that_means_never_is_raised_once(machine: Machine, step: str) -> None:
    asks = verdict("ask") if step == "RequestApproval" else verdict("proceed")
    run = machine.run(**{"Assess": [asks], step: [fails("SomethingElse")], "Conclude:failed": [STOPPED]})
    fleets_side_by_side = 2 if step == "SwitchRoutes" else 1
    assert len([event for event in run.of(step) if event.get("outcome") != "failed"]) <= fleets_side_by_side
    best_effort = step in ("Fence", "CheckOffsets", "CreateGroups", "Announce")
    assert run.status == ("SUCCEEDED" if best_effort else "FAILED")


def test_transient_errors_are_retried_by_name(machine: Machine) -> None:
    run = machine.run(
        PromoteMirrors=[fails("LinkUnavailable"), fails("LedgerUnavailable"), done()],
        FlipDns=[fails("DnsUnavailable"), done()],
        SwitchRoutes=[fails("FleetUnavailable"), done()],
        Verify=[fails("KafkaUnavailable"), done()],
    )
    assert run.status == "SUCCEEDED"


@pytest.mark.parametrize("script", [[waiting()], [fails("FleetUnavailable")], [fails("SomethingElse")]])
def test_a_fence_is_asked_for_once_beside_the_promotion_and_holds_nothing_up(
    machine: Machine, script: list[dict[str, Any]]
) -> None:
    run = machine.run(Fence=script)
    assert run.status == "SUCCEEDED" and "FlipDns" in run.steps()
    assert run.steps().count("Fence") == 1


def test_clients_are_led_back_through_no_gateway_before_all_is_writable_there(machine: Machine) -> None:
    claimed = by_hand(machine, machine.next_name)
    claimed["return"]["execution"]["leads_back"] = True
    run = machine.run(Claim=[claimed], PromoteMirrors=[waiting(), done()])
    assert run.status == "SUCCEEDED"
    steps = [call["step"] for call in run.calls if not call["event"].get("look_only")]
    assert steps.index("SwitchRoutes") > max(n for n, step in enumerate(steps) if step == "PromoteMirrors")
    routed = [event["fleet"] for event in run.of("SwitchRoutes") if not event.get("look_only")]
    assert set(routed) == {"west-1", "west-2", "east-1"}


def test_what_is_started_by_hand_is_fenced_before_it_is_promoted(machine: Machine) -> None:
    run = machine.run(Claim=[by_hand(machine, machine.next_name)], Fence=[waiting(), done()])
    steps = run.steps()
    assert run.status == "SUCCEEDED" and steps.count("Fence") == 2
    assert max(n for n, step in enumerate(steps) if step == "Fence") < steps.index("PromoteMirrors")
    late = machine.run(Claim=[by_hand(machine, machine.next_name)], Fence=[waiting()])
    assert late.status == "SUCCEEDED", "one that takes too long holds nothing up"


def test_once_clients_were_moved_a_redrive_fences_nothing(machine: Machine) -> None:
    name, arn = machine.start(**{"FlipDns": [fails("DnsRejected")], "Conclude:failed": [STOPPED]})
    machine.ended(name, arn)
    again = machine.go_on(
        name, arn, **{"FlipDns": [done()], "Conclude:failed": [{"return": {"resume": "FlipAndReroute"}}]}
    )
    assert again.status == "SUCCEEDED" and again.steps().count("Fence") == 1


def test_promotion_is_told_its_last_chance_and_what_it_raises_stops_it_before_anything_moves(machine: Machine) -> None:
    run = machine.run(
        PromoteMirrors=[waiting()] * 4 + [fails("PromotionRejected")], Conclude=[fails("FailoverStopped")]
    )
    assert (run.status, run.error) == ("FAILED", "FailoverStopped")
    assert "FlipDns" not in run.steps() and "CheckOffsets" not in run.steps()
    chances = [event["last_chance"] for event in run.of("PromoteMirrors")]
    assert (chances[0], chances[-1]) == (False, True)
    told = run.of("Conclude")[-1]
    assert (told["outcome"], told["stopped_at"]) == ("failed", "PromoteAndPrepare")
    assert told["error"]["Error"] == "PromotionRejected"


@pytest.mark.parametrize("script", [[waiting()], [fails("KafkaUnavailable")], [fails("SomethingElse")]])
def test_offsets_that_cannot_be_checked_hold_nothing_up(machine: Machine, script: list[dict[str, Any]]) -> None:
    run = machine.run(CheckOffsets=script)
    assert run.status == "SUCCEEDED" and "FlipDns" in run.steps()


def test_the_standbys_fleet_must_be_routed_before_anything_moves(machine: Machine) -> None:
    run = machine.run(SwitchRoutes=[waiting()], Conclude=[fails("FailoverStopped")])
    assert run.status == "FAILED" and "FlipDns" not in run.steps()
    last = [event["fleet"] for event in run.of("SwitchRoutes") if event["last_chance"]]
    assert last and len(last) == len(set(last)), "told once to a fleet"


def test_a_lost_fleet_that_never_settles_holds_nothing_up(machine: Machine) -> None:
    run = machine.run(SwitchRoutes=[done(), done(), waiting()])
    assert run.status == "SUCCEEDED"
    assert len([event for event in run.of("SwitchRoutes") if event.get("best_effort")]) >= 2


@pytest.mark.parametrize("step", ["Assess", "Fence", "PromoteMirrors", "CheckOffsets", "FlipDns", "Verify", "Conclude"])
def test_a_lost_lease_ends_it_at_once_and_tells_nobody(machine: Machine, step: str) -> None:
    run = machine.run(**{step: [fails("LeaseLost")]})
    assert (run.status, run.error) == ("FAILED", "LeaseLost")
    assert run.steps()[-1] == step or step in ("Fence", "PromoteMirrors", "CheckOffsets", "FlipDns")
    assert len(run.of("Conclude")) == (1 if step == "Conclude" else 0)


@pytest.mark.parametrize(
    ("step", "stopped_at"),
    [
        ("Assess", "BeginAssess"),
        ("PromoteMirrors", "PromoteAndPrepare"),
        ("FlipDns", "FlipAndReroute"),
        ("Verify", "BeginVerify"),
    ],
)
def test_any_other_error_is_recorded_with_where_it_stopped_and_a_redrive_goes_on_there(
    machine: Machine, step: str, stopped_at: str
) -> None:
    name, arn = machine.start(**{step: [fails("SomethingElse")], "Conclude:failed": [STOPPED]})
    run = machine.ended(name, arn)
    assert (run.status, run.error) == ("FAILED", "FailoverStopped")
    told = run.of("Conclude")[0]
    assert (told["stopped_at"], told["redrives"], told["error"]["Error"]) == (stopped_at, 0, "SomethingElse")
    assert told["redriven"] is False
    well = done(verdict="proceed", why="", votes=[])
    again = machine.go_on(name, arn, **{step: [well], "Conclude:failed": [{"return": {"resume": stopped_at}}]})
    assert again.status == "SUCCEEDED"
    assert (again.of("Conclude")[1]["redrives"], again.of("Conclude")[1]["redriven"]) == (1, True)
    assert again.steps().count("Claim") == 1


def test_a_fence_by_hand_that_fails_is_recorded_with_where_it_stopped(machine: Machine) -> None:
    claim = by_hand(machine, machine.next_name)
    run = machine.run(**{"Claim": [claim], "Fence": [fails("SomethingElse")], "Conclude:failed": [STOPPED]})
    assert run.of("Conclude")[0]["stopped_at"] == "BeginFence" and "PromoteMirrors" not in run.steps()


def test_what_stops_again_after_a_redrive_is_recorded_again(machine: Machine) -> None:
    name, arn = machine.start(**{"FlipDns": [fails("DnsRejected")], "Conclude:failed": [STOPPED]})
    machine.ended(name, arn)
    goes_on = {"return": {"resume": "FlipAndReroute"}}
    run = machine.go_on(name, arn, **{"Conclude:failed": [STOPPED, goes_on, STOPPED]})
    assert (run.status, run.error) == ("FAILED", "FailoverStopped")
    assert [(told["redrives"], told["redriven"]) for told in run.of("Conclude")] == [(0, False), (1, True), (1, False)]


def test_who_is_to_look_again_before_it_concludes_proves_anew_what_others_may_have_changed(machine: Machine) -> None:
    well = {"return": {"version": 1, "outcome": "succeeded", "why": ""}}
    run = machine.run(Conclude=[{"return": {"version": 1, "resume": "BeginConclude"}}, well])
    assert run.status == "SUCCEEDED"
    assert [(of["outcome"], of["stopped_at"], of["redriven"]) for of in run.of("Conclude")] == [
        ("succeeded", "BeginConclude", False),
        ("succeeded", "BeginConclude", False),
    ]
    steps = run.steps()
    assert "Announce" not in steps[: steps.index("Conclude") + 1]
    for step in ("FlipDns", "Verify", "Conclude"):
        assert steps.count(step) == 2, step


def test_a_proof_that_is_not_had_in_time_stops_it(machine: Machine) -> None:
    run = machine.run(Verify=[waiting(unproven=["no canary"])], Conclude=[fails("FailoverStopped")])
    assert run.error == "FailoverStopped"
    assert "no canary" in run.of("Conclude")[0]["error"]["Cause"]
    proofs = [call["at"] for call in run.calls if call["step"] == "Verify"]
    assert proofs[-1] - proofs[0] > DEADLINES["VerifyDeadlineSeconds"] - 1


def approve(machine: Machine, name: str) -> str:
    """The task token, once it was asked for."""
    deadline = time.monotonic() + 90
    while not (asked := [call["event"] for call in machine.calls(name) if call["step"] == "RequestApproval"]):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return str(asked[0]["task_token"])


def test_a_person_approves(machine: Machine) -> None:
    name, arn = machine.start(Assess=[verdict("ask")])
    machine.states.send_task_success(taskToken=approve(machine, name), output="{}")
    run = machine.ended(name, arn)
    assert run.status == "SUCCEEDED" and "FlipDns" in run.steps()


def test_a_person_denies(machine: Machine) -> None:
    name, arn = machine.start(Assess=[verdict("ask")])
    machine.states.send_task_failure(
        taskToken=approve(machine, name), error="ApprovalDenied", cause="a drill elsewhere"
    )
    run = machine.ended(name, arn)
    assert run.status == "SUCCEEDED" and "Fence" not in run.steps()
    assert run.of("Conclude")[0]["why"] == "a person denied it: a drill elsewhere"


def test_nobody_answers(machine: Machine) -> None:
    run = machine.run(Assess=[verdict("ask")])
    assert run.status == "SUCCEEDED" and "Fence" not in run.steps()
    assert run.of("Conclude")[0]["why"].startswith("nobody answered in time")


BY_HAND = {"plan": "orders", "epoch": 1, "name": "", "kind": "failover", "from": "east", "to": "west"}


def by_hand(machine: Machine, name: str) -> dict[str, Any]:
    """A claim of what a person started."""
    return {"return": {"execution": BY_HAND | {"name": name, "manual": True, "dry_run": False}}}


@pytest.mark.parametrize(("step", "error"), [("FlipDns", "DnsRejected"), ("SwitchRoutes", "FleetRejected")])
def test_what_is_started_by_hand_looks_at_name_and_fleets_before_it_fences(
    machine: Machine, step: str, error: str
) -> None:
    run = machine.run(**{"Claim": [by_hand(machine, machine.next_name)], step: [fails(error)]})
    assert run.status == "SUCCEEDED" and "Fence" not in run.steps()
    assert all(event["look_only"] for event in run.of(step))
    (concluded_with,) = run.of("Conclude")
    assert concluded_with["outcome"] == "stood-down"
    assert concluded_with["why"].startswith("refused before anything was changed")


def test_a_name_that_does_not_answer_before_the_fence_is_no_refusal(machine: Machine) -> None:
    run = machine.run(Claim=[by_hand(machine, machine.next_name)], FlipDns=[fails("DnsUnavailable"), done()])
    assert run.status == "SUCCEEDED"
    assert [event.get("look_only", False) for event in run.of("FlipDns")] == [True, False]


def test_who_supersedes_waits_and_looks_where_the_clients_are(machine: Machine) -> None:
    superseding = {"return": {"superseding": True, "predecessor_wait_seconds": 1}}
    run = machine.run(Claim=[superseding], FlipDns=[fails("DnsRejected"), done()])
    assert run.status == "SUCCEEDED"
    assert run.steps()[:3] == ["Claim", "FlipDns", "Assess"] and run.of("FlipDns")[0]["look_only"] is True
    assert run.calls[1]["at"] - run.calls[0]["at"] >= 1


TURNS = ["before-fence", "after-promotion", "after-name"]


def test_hooks_are_called_at_their_turns(machine: Machine) -> None:
    claim = {"return": {"hooks": TURNS}}
    run = machine.run(Claim=[claim], CallHooks=[waiting(), done()])
    assert run.status == "SUCCEEDED"
    order = [call for call in run.calls if call["step"] in ("CallHooks", "PromoteMirrors", "FlipDns", "Verify")]
    turns = [call["event"].get("moment", call["step"]) for call in order]
    assert list(dict.fromkeys(turns)) == [
        "before-fence",
        "PromoteMirrors",
        "after-promotion",
        "FlipDns",
        "after-name",
        "Verify",
    ]
    assert turns.count("before-fence") == 2, "who waits is called again"


def test_a_plan_without_hooks_waits_for_none(machine: Machine) -> None:
    assert "CallHooks" not in machine.run().steps()


@pytest.mark.parametrize("turn", TURNS)
def test_a_hook_that_stops_the_failover_is_called_again_by_a_redrive(machine: Machine, turn: str) -> None:
    claim = [{"return": {"hooks": [turn]}}]
    script = {"Claim": claim, "CallHooks": [fails("HookFailed")], "Conclude:failed": [STOPPED]}
    name, arn = machine.start(**script)
    run = machine.ended(name, arn)
    (stopped,) = run.of("Conclude")
    assert (stopped["error"]["Error"], stopped["stopped_at"]) == ("HookFailed", stop_state(turn))
    goes_on = [{"return": {"resume": stop_state(turn)}}]
    again = machine.go_on(name, arn, **{"CallHooks": [done()], "Conclude:failed": goes_on})
    assert again.status == "SUCCEEDED"
    assert again.of("Conclude")[-1]["outcome"] == "succeeded"


def stop_state(turn: str) -> str:
    return "BeginHooks" + "".join(word.capitalize() for word in turn.split("-"))
