"""Somebody else writes to what an execution changed: external-dns, Terraform, GitOps."""

from __future__ import annotations

from typing import Any

import pytest

from tests.statemachines.scripted import STEPS, Machine, concluded, done, fails, throttled, waiting

pytestmark = [pytest.mark.slow]

STOPPED = fails("FailoverStopped")


def after_redrive(machine: Machine, before: dict[str, Any], after: dict[str, Any]) -> tuple[list[str], list[str]]:
    """The steps of the first run, and those from the redrive on."""
    name, arn = machine.start(**before, **{"Conclude:failed": [STOPPED]})
    first = machine.ended(name, arn)
    assert first.error == "FailoverStopped"
    run = machine.go_on(name, arn, **after, **{"Conclude:failed": [{"return": {}}]})
    assert run.status == "SUCCEEDED"
    return first.steps(), run.steps()[len(first.steps()) :]


@pytest.mark.parametrize(
    ("step", "trouble"),
    [
        ("Verify", [waiting(unproven=["through the client hostname cluster lkc-east01 answers"])]),
        ("Verify", [fails("CanarySaysNothing")]),
        ("FlipDns", [waiting(record="east")]),
    ],
)
def test_a_redrive_leads_back_what_another_writer_led_away(
    machine: Machine, step: str, trouble: list[dict[str, Any]]
) -> None:
    _, again = after_redrive(machine, {step: trouble}, {step: [done()]})
    assert again.count("SwitchRoutes") == 3 and again.count("FlipDns") == 1 and again.count("Verify") == 1
    flipped = again.index("FlipDns")
    assert again.index("SwitchRoutes") < flipped < again.index("Verify")


def test_a_redrive_after_clients_were_let_in_promotes_nothing_and_records_no_log_end(machine: Machine) -> None:
    first, again = after_redrive(machine, {"Verify": [fails("CanarySaysNothing")]}, {"Verify": [done()]})
    assert {"PromoteMirrors", "CheckOffsets"} <= set(first)
    assert not {"PromoteMirrors", "CheckOffsets"} & set(again)


def test_a_redrive_before_clients_were_let_in_promotes(machine: Machine) -> None:
    rejected = {"PromoteMirrors": [fails("PromotionRejected")]}
    _, again = after_redrive(machine, rejected, {"PromoteMirrors": [done()]})
    assert again.index("PromoteMirrors") < again.index("CheckOffsets") < again.index("FlipDns")


def test_a_redrive_of_an_end_that_could_not_be_told_proves_again_that_clients_can_work(machine: Machine) -> None:
    unanswered = {"Conclude": [fails("LedgerUnavailable")]}
    _, again = after_redrive(machine, unanswered, {"Conclude": [concluded()]})
    assert again.index("FlipDns") < again.index("Verify") < again.index("Conclude", again.index("Verify"))


def test_a_proof_that_is_not_had_for_long_looks_again_at_name_and_fleets(deployed: Machine) -> None:
    led_away = throttled("KafkaUnavailable", 40)
    name, arn = deployed.start(Verify=[led_away, done()])
    run = deployed.ended(name, arn, within=120)
    assert run.status == "SUCCEEDED"
    begun = next(call["at"] for call in run.calls if call["step"] == "Verify")
    soon = [call["step"] for call in run.calls if begun < call["at"] < begun + 25]
    assert set(soon) == {"Verify"}, "what clients' caches explain"
    late = [call["step"] for call in run.calls if call["at"] > begun + 25]
    assert {"FlipDns", "SwitchRoutes"} <= set(late) <= set(STEPS)
    assert {event["fleet"] for event in run.of("SwitchRoutes")[3:]} == {"west-1", "west-2"}
    assert len(run.of("FlipDns")) == 2, "not at every turn, which would fill the history"


def test_who_loses_the_lease_while_it_looks_again_stops(deployed: Machine) -> None:
    led_away = throttled("KafkaUnavailable", 100)
    name, arn = deployed.start(Verify=[led_away, done()], FlipDns=[done(), fails("LeaseLost")])
    run = deployed.ended(name, arn, within=120)
    assert (run.status, run.error) == ("FAILED", "LeaseLost")
