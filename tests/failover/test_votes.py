"""What counts as a vote, for how long it has stood, and when a site was seen well again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from failover.decision.case import Case, Decision
from failover.decision.controllers import deferred_to
from failover.decision.rules import (
    DEFERRED,
    HOLDER_SILENT_S,
    LOOKS_LOST_S,
    RULES,
    failover_withheld,
    judge,
    only_too_young,
    stands_until_resumed,
)
from failover.decision.votes import counts, looked_lost_for, observed_healthy, stood_for, votes_against, watched
from failover.detection.evidence import Evidence, Signal
from failover.ledger.records import PlanState
from failover.plan.policy import Policy

NOW = 1_000_000.0
AUTOMATIC = Policy(mode="automatic", fast_path=True)
AGE = float(AUTOMATIC.probe_max_age_seconds)


def signal(kind: str = "alarm", lost: bool = True, ago: float = 5.0, stood: float = 20.0, **more: Any) -> Signal:
    known: dict[str, Any] = {"site": "east", "source": f"{kind}-1", "kind": kind, "vantage": "us-west-2"}
    return Signal(says_lost=lost, at=NOW - ago, since=NOW - ago - stood, **known | more)


def case(*signals: Signal, state: PlanState | None = None, **policy: Any) -> Case:
    return Case(
        evidence=Evidence(lost_site="east", standby_site="west", signals=signals),
        policy=AUTOMATIC.model_copy(update=policy),
        state=state or PlanState(active="east", epoch=4),
        manual=False,
        now=NOW,
    )


def test_a_case_is_forced_by_nobody_and_changes_something_unless_it_says_otherwise() -> None:
    one = case()
    assert (one.forced, one.dry_run, one.leads_back, one.deferred_to, one.ended_holder) == (False,) * 3 + (None,) * 2


WELL = signal("probe", lost=False, ago=1.0)
THERE = signal("probe", source="probe-2", vantage="us-east-1", ago=0.0)
HERE = signal("probe", ago=0.0)


@pytest.mark.parametrize(
    ("said", "is_vote"),
    [
        (signal(), True),
        (signal(ago=86_400.0), True),
        (signal(lost=False), False),
        (signal("advisory"), False),
        (signal("probe", ago=AGE), True),
        (signal("probe", ago=AGE + 0.1), False),
        (signal("probe", ago=-1.0), True),
    ],
)
def test_a_vote_says_lost_is_no_advice_and_if_it_was_seen_is_fresh(said: Signal, is_vote: bool) -> None:
    assert counts(said, case().policy, NOW) is is_vote
    assert votes_against("east", case(said)) == ([said] if is_vote else [])
    assert votes_against("west", case(said)) == []


@pytest.mark.parametrize(("ago", "is_vote"), [(100.0, False), (99.9, True), (100.1, False)])
def test_what_was_last_known_before_the_active_site_changed_is_no_vote(ago: float, is_vote: bool) -> None:
    changed = PlanState(active="east", epoch=4, changed_at=NOW - 100)
    assert bool(votes_against("east", case(signal(ago=ago), state=changed))) is is_vote
    read_again = signal(ago=200.0, read_at=NOW - 1)
    assert votes_against("east", case(read_again, state=changed)) == [read_again]


def test_a_vantage_point_looks_while_its_word_is_fresh() -> None:
    assert watched(case(signal("probe", lost=False, ago=AGE)))
    assert not watched(case(signal("probe", ago=AGE + 1)))
    assert not watched(case(signal("alarm"), signal("advisory")))


@pytest.mark.parametrize(
    ("said", "well"),
    [
        ((WELL,), True),
        ((), False),
        ((WELL, signal()), False),
        ((WELL, signal(lost=False)), True),
        ((WELL, THERE), False),
        ((WELL, signal("advisory")), True),
        ((replace(WELL, why="it is isolated"),), False),
        ((signal(lost=False, ago=1.0),), True),
        ((signal(lost=False, ago=60.0),), False),
        ((signal(lost=False, ago=10.0),), False),
        ((signal(lost=False, ago=60.0, read_at=NOW),), True),
        ((signal("probe", lost=False, ago=AGE + 1), signal(lost=False, ago=1.0)), True),
        ((replace(WELL, site="west"),), False),
        ((signal("advisory", lost=False, ago=1.0),), False),
    ],
)
def test_a_site_was_seen_well_since_if_whoever_looks_says_so_and_nobody_otherwise(
    said: tuple[Signal, ...], well: bool
) -> None:
    assert observed_healthy(case(*said), NOW - 10) is well


def test_a_sight_has_stood_for_as_long_as_it_was_seen_and_an_alarm_until_now() -> None:
    assert stood_for(signal("probe", ago=5.0, stood=20.0), case()) == 20.0
    assert stood_for(signal("alarm", ago=5.0, stood=20.0), case()) == 25.0
    silent = signal("probe", ago=5.0, stood=20.0, lost_since=NOW - 65)
    assert (looked_lost_for(silent, case()), looked_lost_for(replace(silent, lost_since=None), case())) == (60.0, 20.0)


@pytest.mark.parametrize(("stood", "told"), [(LOOKS_LOST_S, True), (LOOKS_LOST_S - 0.1, False)])
def test_people_are_told_once_a_site_has_looked_lost_to_anyone_for_half_a_minute(stood: float, told: bool) -> None:
    lone = case(replace(HERE, since=NOW - stood))
    decision = judge(lone)
    assert (decision.guard, failover_withheld(lone, decision)) == ("quorum_not_met", told)
    elsewhere = replace(lone, deferred_to="another acts")
    assert failover_withheld(elsewhere, decision) is False, "the other has half as long again"
    later = replace(elsewhere, evidence=replace(lone.evidence, signals=(replace(HERE, since=NOW - DEFERRED * stood),)))
    assert failover_withheld(later, decision) is told


def test_nobody_is_told_of_what_goes_on_and_everybody_of_what_is_held_back() -> None:
    both = case(HERE, THERE)
    assert failover_withheld(both, judge(both)) is False, "it proceeds"
    paused = case(HERE, THERE, state=PlanState(active="east", epoch=4, paused="a change"))
    assert failover_withheld(paused, judge(paused)) is True
    lone = case(HERE, state=PlanState(active="east", epoch=4, paused="a change"))
    assert failover_withheld(lone, judge(lone)) is False, "no quorum asks for it"
    busy = case(HERE, THERE, state=PlanState(active="east", epoch=4, holder="by-hand"))
    assert failover_withheld(busy, judge(busy)) is False
    over = replace(busy, ended_holder="by-hand has ended")
    assert failover_withheld(over, judge(over)) is True


@pytest.mark.parametrize(("silent", "told"), [(HOLDER_SILENT_S, True), (HOLDER_SILENT_S - 0.1, False)])
def test_people_are_told_where_nobody_can_tell_whether_an_execution_goes_on(silent: float, told: bool) -> None:
    """Its region may be lost, and it with it."""
    busy = case(
        replace(HERE, since=NOW - LOOKS_LOST_S),
        replace(THERE, since=NOW - LOOKS_LOST_S),
        state=PlanState(active="east", epoch=4, holder="by-hand"),
    )
    unheard_of = replace(busy, holder_silent_s=silent)
    decision = judge(unheard_of)
    assert failover_withheld(unheard_of, decision) is told
    assert ("by-hand holds the lease, and Step Functions in its region has not told for 30 s" in decision.why) is told


def test_votes_that_are_only_too_young_are_waited_for_as_long_as_the_youngest_needs() -> None:
    young = (replace(HERE, since=NOW - 2), replace(THERE, since=NOW - 1))
    waiting = case(*young, hold_seconds=3)
    assert only_too_young(waiting, judge(waiting)) == pytest.approx(2)
    alone = case(young[0], hold_seconds=3)
    assert only_too_young(alone, judge(alone)) is None, "another vote is missing"
    slow = case(*young, hold_seconds=3, fast_path=False)
    assert only_too_young(slow, judge(slow)) is None, "an alarm is missing"
    grown = case(HERE, THERE)
    assert only_too_young(grown, judge(grown)) is None
    held_back = case(*young, hold_seconds=3, state=PlanState(active="east", epoch=4, paused="x"))
    assert only_too_young(held_back, judge(held_back)) is None


def test_a_question_and_a_lasting_reason_stand_until_a_person_or_the_site_says_otherwise() -> None:
    standing = {
        rule.guard.__name__
        for rule in RULES
        if stands_until_resumed(Decision(verdict=rule.verdict, why="", guard=rule.guard.__name__))
    }
    assert standing == {
        "lag_above_limit",
        "approval_required",
        "standby_holds_no_mirror",
        "standby_was_promoted",
        "standby_renames_topics",
    }
    assert not stands_until_resumed(Decision(verdict="proceed", why=""))


class Regions:
    """A plan, as far as it is asked for the regions of its sites."""

    def site(self, name: str) -> Any:
        return type("Site", (), {"region": {"east": "us-east-1", "west": "us-west-2"}[name]})


@pytest.mark.parametrize(
    ("lost", "own", "regions", "defers"),
    [
        ("east", "us-east-1", ["us-east-1", "us-west-2"], True),
        ("east", "us-west-2", ["us-east-1", "us-west-2"], False),
        ("west", "us-east-1", ["us-east-1", "us-west-2"], False),
        ("east", "us-east-1", ["us-east-1"], False),
        ("east", "eu-west-1", ["us-east-1", "eu-west-1"], False),
    ],
)
def test_a_controller_in_the_lost_sites_region_leaves_it_to_the_other(
    lost: str, own: str, regions: list[str], defers: bool
) -> None:
    why = deferred_to(Regions(), lost, own, regions)  # type: ignore[arg-type]
    assert (why is not None) is defers
    assert why is None or why == "us-east-1 is the region of east itself: the controller in us-west-2 acts"
