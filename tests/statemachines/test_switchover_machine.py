"""The deployed switchover machine under every turn of events: what is in doubt before the point of no return is put
back, and from then on it goes forward only."""

from __future__ import annotations

import pytest

from tests.statemachines.scripted import Machine, done, fails, verdict, waiting

pytestmark = [pytest.mark.slow]


def test_all_goes_well_and_clients_are_led_over_once_the_mirrors_are_reversed(switchover: Machine) -> None:
    run = switchover.run(DrainMirrors=[waiting(), done()], ReverseMirrors=[waiting(retry_after=0), done()])
    assert run.status == "SUCCEEDED"
    steps = run.steps()
    assert steps[:5] == ["Claim", "Precheck", "Fence", "DrainMirrors", "DrainMirrors"]
    assert run.of("Claim")[0]["kind"] == "switchover" and run.of("Fence")[0]["everywhere"] is True
    reversed_at = [n for n, call in enumerate(run.calls) if call["step"] == "ReverseMirrors"][1]
    moved = [n for n, call in enumerate(run.calls) if call["step"] in ("SwitchRoutes", "FlipDns")]
    assert min(moved) > reversed_at
    assert not any(event.get("back") for event in run.of("SwitchRoutes"))
    assert {event["fleet"] for event in run.of("SwitchRoutes")} == {"west-1", "west-2", "east-1"}
    flipped = steps.index("FlipDns")
    routed_here = [n for n, call in enumerate(run.calls) if call["event"].get("fleet") in ("west-1", "west-2")]
    assert max(routed_here) < flipped, "the name leads to gateways that lead to a cluster"
    assert run.of("ReverseMirrors")[-1]["look_back"] is True
    assert run.of("Conclude")[0]["outcome"] == "succeeded"


@pytest.mark.parametrize(
    ("step", "script", "why"),
    [
        ("Fence", [waiting()], "StepDeadlineExceeded"),
        ("Fence", [fails("FleetRejected")], "FleetRejected"),
        ("DrainMirrors", [waiting()], "StepDeadlineExceeded"),
        ("DrainMirrors", [fails("FenceBypassed")], "FenceBypassed"),
        ("DrainMirrors", [fails("AbortRequested")], "AbortRequested"),
        ("ReverseMirrors", [fails("MirrorsNotReady")], "MirrorsNotReady"),
        ("ReverseMirrors", [fails("AbortRequested")], "AbortRequested"),
    ],
)
def test_a_doubt_before_the_point_of_no_return_puts_back_what_was_fenced(
    switchover: Machine, step: str, script: list[dict[str, object]], why: str
) -> None:
    run = switchover.run(**{step: script})
    assert run.status == "SUCCEEDED"
    assert all(event["back"] for event in run.of("SwitchRoutes"))
    assert {(event["site"], event["fleet"]) for event in run.of("SwitchRoutes")} == {
        ("west", "west-1"),
        ("west", "west-2"),
        ("east", "east-1"),
    }
    assert not {"FlipDns", "PromoteMirrors", "Verify"} & set(run.steps())
    (concluded,) = run.of("Conclude")
    assert (concluded["outcome"], concluded["error"]["Error"]) == ("stood-down", why)


def test_a_fence_that_another_tool_lifted_is_put_up_and_drained_again_before_anything_is_reversed(
    switchover: Machine,
) -> None:
    run = switchover.run(ReverseMirrors=[fails("FenceLifted"), done()])
    steps = [step for step in run.steps() if step not in ("SyncOffsets", "Claim", "Precheck")]
    assert steps[:6] == ["Fence", "DrainMirrors", "ReverseMirrors", "Fence", "DrainMirrors", "ReverseMirrors"]
    assert run.of("Conclude")[0]["outcome"] == "succeeded"


def test_a_tool_that_lifts_the_fence_twice_has_the_switchover_given_up(switchover: Machine) -> None:
    run = switchover.run(ReverseMirrors=[fails("FenceLifted")])
    assert (run.steps().count("Fence"), run.steps().count("ReverseMirrors")) == (2, 2)
    assert all(event["back"] for event in run.of("SwitchRoutes"))
    (concluded,) = run.of("Conclude")
    assert (concluded["outcome"], concluded["error"]["Error"]) == ("stood-down", "FenceLifted")


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ([verdict("stand-down")], None),
        ([fails("AbortRequested")], "AbortRequested"),
        ([fails("LinkRejected")], "LinkRejected"),
        ([waiting(doubts=["a site is silent"]), fails("LinkUnavailable")], "StepDeadlineExceeded"),
    ],
)
def test_before_the_fence_there_is_nothing_to_put_back(
    switchover: Machine, script: list[dict[str, object]], error: str | None
) -> None:
    run = switchover.run(Precheck=script)
    assert (run.status, list(dict.fromkeys(run.steps()))) == (
        "SUCCEEDED",
        ["Claim", "Precheck", "Conclude", "Announce"],
    )
    (concluded,) = run.of("Conclude")
    assert concluded["outcome"] == "stood-down" and concluded["error"].get("Error") == error


def test_past_the_point_of_no_return_a_reverse_that_does_not_end_is_failed_over(switchover: Machine) -> None:
    run = switchover.run(ReverseMirrors=[waiting()], **{"SwitchRoutes:back": [fails("PastNoReturn")]})
    steps = run.steps()
    assert run.status == "SUCCEEDED" and run.of("Conclude")[0]["outcome"] == "succeeded"
    promoted = steps.index("PromoteMirrors")
    assert steps.index("SyncOffsets", promoted) < steps.index("FlipDns")
    back = [bool(event.get("back")) for event in run.of("SwitchRoutes")]
    assert back[0] and back == sorted(back, reverse=True), "none is tried again once clients are led on"


def test_what_can_not_be_put_back_stops_and_a_redrive_puts_it_back(switchover: Machine) -> None:
    stopped = {"Conclude:failed": [fails("FailoverStopped")]}
    name, arn = switchover.start(
        DrainMirrors=[fails("FenceBypassed")], SwitchRoutes=[fails("FleetRejected")], **stopped
    )
    run = switchover.ended(name, arn)
    assert (run.status, run.of("Conclude")[0]["stopped_at"]) == ("FAILED", "PutBack")
    again = switchover.go_on(name, arn, SwitchRoutes=[done()], **{"Conclude:failed": [done()]})
    assert again.status == "SUCCEEDED"
    assert again.of("Conclude")[-1]["outcome"] == "stood-down"
    assert again.of("Conclude")[-1]["error"]["Error"] == "FenceBypassed", "why it was given up is not forgotten"


def test_a_stop_after_the_point_of_no_return_goes_on_forward(switchover: Machine) -> None:
    name, arn = switchover.start(Verify=[fails("DnsRejected")], **{"Conclude:failed": [fails("FailoverStopped")]})
    before = switchover.ended(name, arn)
    assert before.status == "FAILED"
    again = switchover.go_on(name, arn, Verify=[done()], **{"Conclude:failed": [done()]})
    late = again.steps()[len(before.calls) :]
    assert again.status == "SUCCEEDED" and "Fence" not in late and "SwitchRoutes" in late


def test_offsets_that_can_not_be_made_the_same_hold_nothing_up(switchover: Machine) -> None:
    for script in ([waiting()], [fails("LinkRejected")], [fails("KafkaUnavailable")]):
        run = switchover.run(SyncOffsets=script)
        assert (run.status, run.of("Conclude")[0]["outcome"]) == ("SUCCEEDED", "succeeded")


@pytest.mark.parametrize("step", ["Precheck", "Fence", "DrainMirrors", "ReverseMirrors", "Verify", "Conclude"])
def test_who_lost_the_lease_touches_nothing_any_more(switchover: Machine, step: str) -> None:
    run = switchover.run(**{step: [fails("LeaseLost")]})
    assert (run.status, run.error) == ("FAILED", "LeaseLost")
    assert not any(event.get("back") for event in run.of("SwitchRoutes"))


def test_hooks_are_called_at_their_turns_and_after_a_switch_back(switchover: Machine) -> None:
    turns = ["after-name", "after-promotion", "after-switch-back", "before-fence"]
    run = switchover.run(Claim=[{"return": {"hooks": turns}}])
    assert run.status == "SUCCEEDED"
    steps = ("CallHooks", "Fence", "DrainMirrors", "FlipDns", "Verify", "Conclude")
    order = [call["event"].get("moment", call["step"]) for call in run.calls if call["step"] in steps]
    assert order[:3] == ["before-fence", "Fence", "DrainMirrors"]
    assert order.index("after-promotion") < order.index("FlipDns") < order.index("after-name") < order.index("Verify")
    assert order[-2:] == ["after-switch-back", "Conclude"]


def test_a_hook_that_fails_before_the_fence_gives_it_up_and_what_hooks_set_is_set_back(switchover: Machine) -> None:
    turns = ["after-switch-back", "before-fence"]
    failed = fails("HookFailed")
    run = switchover.run(Claim=[{"return": {"hooks": turns}}], CallHooks=[failed, done()])
    assert run.status == "SUCCEEDED"
    assert not {"DrainMirrors", "Verify"} & set(run.steps())
    assert [(event["moment"], event.get("put_back")) for event in run.of("CallHooks")] == [
        ("before-fence", None),
        ("after-switch-back", True),
    ]
    (concluded,) = run.of("Conclude")
    assert (concluded["outcome"], concluded["error"]["Error"]) == ("stood-down", "HookFailed")


def test_a_redrive_after_hooks_that_set_nothing_back_looks_again_whether_all_is_put_back(switchover: Machine) -> None:
    claim = [{"return": {"hooks": ["after-switch-back"]}}]
    stops = {"Conclude:failed": [fails("FailoverStopped")]}
    name, arn = switchover.start(
        Claim=claim, DrainMirrors=[fails("FenceBypassed")], CallHooks=[fails("HookFailed")], **stops
    )
    before = switchover.ended(name, arn)
    assert before.of("Conclude")[0]["stopped_at"] == "BeginHooksGivenUp"
    again = switchover.go_on(name, arn, CallHooks=[done()], **{"Conclude:failed": [done()]})
    after = again.steps()[len(before.steps()) :]
    assert (again.status, again.of("Conclude")[-1]["outcome"]) == ("SUCCEEDED", "stood-down")
    assert after.index("SwitchRoutes") < after.index("CallHooks")
    assert again.of("CallHooks")[-1]["redrives"] == 1


def test_past_the_point_of_no_return_a_hook_that_fails_stops_before_clients_are_moved(switchover: Machine) -> None:
    claim = [{"return": {"hooks": ["after-promotion"]}}]
    stops = [fails("FailoverStopped")]
    run = switchover.run(**{"Claim": claim, "CallHooks": [fails("HookFailed")], "Conclude:failed": stops})
    assert run.status == "FAILED"
    assert run.of("Conclude")[-1]["stopped_at"] == "BeginHooksAfterPromotion"
    assert "FlipDns" not in run.steps()
