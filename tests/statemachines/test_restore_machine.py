"""The deployed restore machine under every turn of events: nothing is truncated while anything is in doubt, and what is
truncated goes forward only."""

from __future__ import annotations

import pytest

from tests.statemachines.scripted import Machine, concluded, done, fails, verdict, waiting

pytestmark = pytest.mark.slow


def test_all_goes_well_and_nothing_is_truncated_before_clients_are_kept_away_and_it_is_measured(
    restore: Machine,
) -> None:
    twice = [waiting(), done()]
    run = restore.run(MeasureDivergence=twice, RescueRecords=twice, RestoreMirrors=twice)
    assert run.status == "SUCCEEDED", run.cause
    assert run.steps() == [
        "Claim",
        "PrecheckRestore",
        "SwitchRoutes",
        *["MeasureDivergence"] * 2,
        *["RescueRecords"] * 2,
        *["RestoreMirrors"] * 2,
        "Conclude",
        "Announce",
    ]
    assert run.of("Claim")[0]["kind"] == "restore"
    (routed,) = run.of("SwitchRoutes")
    assert (routed["site"], routed["fleet"]) == ("east", "east-1") and "best_effort" not in routed
    assert run.of("RestoreMirrors")[0]["discard"] is False
    assert run.of("Conclude")[-1]["outcome"] == "succeeded"


def test_only_a_start_that_says_so_goes_past_the_rescue_and_discards(restore: Machine) -> None:
    run = restore.run(Claim=[{"return": {"discard": True}}])
    assert run.of("RestoreMirrors")[0]["discard"] is True and run.of("RescueRecords") == []


@pytest.mark.parametrize(
    ("step", "script"),
    [
        ("PrecheckRestore", [fails("LinkRejected")]),
        ("PrecheckRestore", [verdict("stand-down")]),
        ("SwitchRoutes", [fails("FleetRejected")]),
        ("MeasureDivergence", [fails("DivergenceUnknown")]),
        ("MeasureDivergence", [fails("AbortRequested")]),
        ("RescueRecords", [fails("RescueIncomplete")]),
        ("RescueRecords", [waiting(), fails("AbortRequested")]),
    ],
)
def test_a_doubt_before_the_first_truncation_stands_down_and_truncates_nothing(
    restore: Machine, step: str, script: list[dict[str, object]]
) -> None:
    run = restore.run(**{step: script})
    assert run.status == "SUCCEEDED", run.cause
    assert "RestoreMirrors" not in run.steps()
    assert run.of("Conclude")[-1]["outcome"] == "stood-down"


@pytest.mark.parametrize("error", ["RescueIncomplete", "AbortRequested"])
def test_what_the_truncating_step_refuses_before_it_truncates_stands_down_too(restore: Machine, error: str) -> None:
    run = restore.run(RestoreMirrors=[fails(error)])
    assert run.status == "SUCCEEDED" and run.of("Conclude")[-1]["error"]["Error"] == error


def test_a_divergence_that_is_never_known_is_given_a_last_chance_and_truncates_nothing(restore: Machine) -> None:
    run = restore.run(MeasureDivergence=[waiting()])
    assert run.of("MeasureDivergence")[-1]["last_chance"] is True
    assert "RestoreMirrors" not in run.steps() and run.of("Conclude")[-1]["outcome"] == "stood-down"


def test_a_rescue_that_is_not_over_in_time_stops_and_truncates_nothing_and_a_redrive_goes_on(restore: Machine) -> None:
    name, arn = restore.start(RescueRecords=[waiting()], **{"Conclude:failed": [fails("FailoverStopped")]})
    before = restore.ended(name, arn)
    assert before.of("Conclude")[-1]["stopped_at"] == "BeginRescue" and "RestoreMirrors" not in before.steps()
    again = restore.go_on(name, arn, RescueRecords=[done()], **{"Conclude:failed": [done()]})
    assert again.status == "SUCCEEDED" and again.of("RestoreMirrors"), again.cause


def test_a_redrive_looks_and_measures_anew_what_is_left(restore: Machine) -> None:
    name, arn = restore.start(
        RestoreMirrors=[fails("ReturnedSiteInUse")], **{"Conclude:failed": [fails("FailoverStopped")]}
    )
    before = restore.ended(name, arn)
    assert before.status == "FAILED" and before.of("Conclude")[-1]["stopped_at"] == "BeginRestore"
    again = restore.go_on(name, arn, RestoreMirrors=[done()], **{"Conclude:failed": [done()]})
    assert again.status == "SUCCEEDED", again.cause
    after = again.steps()[len(before.steps()) :]
    assert after.index("PrecheckRestore") < after.index("MeasureDivergence") < after.index("RestoreMirrors")


def test_a_redrive_of_an_end_that_could_not_be_told_looks_again_whether_all_are_mirrors(restore: Machine) -> None:
    name, arn = restore.start(Conclude=[fails("LedgerRejected")], **{"Conclude:failed": [fails("FailoverStopped")]})
    before = restore.ended(name, arn)
    assert before.of("Conclude")[-1]["stopped_at"] == "BeginConclude"
    again = restore.go_on(name, arn, Conclude=[concluded()], **{"Conclude:failed": [done()]})
    assert again.status == "SUCCEEDED", again.cause
    after = again.steps()[len(before.steps()) :]
    assert after.index("RestoreMirrors") < after.index("Conclude", after.index("RestoreMirrors"))


@pytest.mark.parametrize("step", ["PrecheckRestore", "SwitchRoutes", "RescueRecords", "RestoreMirrors", "Conclude"])
def test_who_lost_the_lease_touches_nothing_any_more(restore: Machine, step: str) -> None:
    run = restore.run(**{step: [fails("LeaseLost")]})
    assert (run.status, run.error) == ("FAILED", "LeaseLost")
    assert run.steps()[-1] == step
