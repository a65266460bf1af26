"""People are told when the active site looks lost and nothing is done, also under what they started themselves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from failover.decision.rules import failover_withheld, judge
from failover.ledger.records import PlanState
from tests.failover.test_decision import NOW, REGION_LOSS, before_start


@pytest.mark.parametrize(("kind", "told"), [("switchover", True), ("restore", True), ("failover", False), ("", False)])
def test_a_site_that_dies_under_what_people_started_is_told_of_and_one_that_a_failover_leaves_is_not(
    kind: str, told: bool
) -> None:
    """A switchover takes over from nobody, and holds the lease meanwhile."""
    heard = before_start(REGION_LOSS)
    signals = tuple(replace(signal, since=NOW - 60) for signal in heard.evidence.signals)
    held = replace(
        heard,
        state=PlanState(active="east", epoch=4, holder="by-hand"),
        evidence=replace(heard.evidence, signals=signals),
        holder_kind=kind,
    )
    decision = judge(held)
    assert (decision.verdict, decision.guard) == ("stand-down", "execution_in_progress")
    assert failover_withheld(held, decision) is told
    assert ("must take over" in decision.why) is told
    blip = replace(held, evidence=heard.evidence)
    assert failover_withheld(blip, judge(blip)) is False, "a fence is not to be heard of"
