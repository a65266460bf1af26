"""Every unit of policy: what it holds back, and, by property, that a stricter one never lets more through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from failover.decision.case import Case
from failover.decision.rules import decide, judge
from failover.ledger.records import PlanState
from failover.plan.policy import DAYS, Once, Policy, Weekly
from tests.claims import reaches

from .test_decision import (
    ALARM,
    EVIDENCE,
    HERE,
    LOST,
    NOW,
    REGION_LOSS,
    THERE,
    WELL,
    before_start,
    cases,
    likely,
    pressing,
    with_evidence,
    with_policy,
)

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
NIGHTLY = Weekly(begins="22:30", ends="01:15")
ALWAYS = Weekly(begins="00:00", ends="00:00")


def at(text: str, day: datetime = MONDAY) -> float:
    hours, minutes = map(int, text.split(":"))
    return (day + timedelta(hours=hours, minutes=minutes)).timestamp()


@pytest.mark.parametrize(
    ("now", "open_"),
    [("22:29", False), ("22:30", True), ("23:59", True), ("00:00", True), ("01:14", True), ("01:15", False)],
)
def test_a_weekly_window_is_open_from_its_begin_to_its_end_over_midnight(now: str, open_: bool) -> None:
    assert (Policy(maintenance=(NIGHTLY,)).maintained_until(at(now)) is not None) is open_


def test_a_window_is_of_the_days_it_begins_on() -> None:
    sunday_night = Policy(maintenance=(Weekly(days=("sun",), begins="22:00", ends="02:00"),))
    assert sunday_night.maintained_until(at("01:00")) == MONDAY + timedelta(hours=2)
    assert sunday_night.maintained_until(at("23:00")) is None
    assert sunday_night.maintained_until(at("23:00", MONDAY - timedelta(days=1))) == MONDAY + timedelta(hours=2)


def test_the_window_that_is_open_longest_is_told() -> None:
    once = Once(begins=MONDAY, ends=MONDAY + timedelta(days=2))
    assert Policy(maintenance=(NIGHTLY, once)).maintained_until(at("23:00")) == once.ends


@given(
    st.integers(0, 7 * 24 * 60 - 1),
    st.sets(st.sampled_from(DAYS), min_size=1),
    st.integers(0, 1439),
    st.integers(1, 1440),
)
def test_a_weekly_window_is_open_exactly_its_minutes_of_a_week(
    minute: int, days: set[str], begins: int, length: int
) -> None:
    ends = (begins + length) % 1440
    window = Weekly(days=tuple(day for day in DAYS if day in days), begins=_written(begins), ends=_written(ends))
    starts = [DAYS.index(day) * 1440 + begins for day in days]
    expected = any((minute - start) % (7 * 1440) < length for start in starts)
    reaches(expected, floor=0.05)
    assert (window.until(MONDAY + timedelta(minutes=minute)) is not None) is expected


def _written(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


@pytest.mark.parametrize(
    "window",
    [
        {"begins": "24:00", "ends": "01:00"},
        {"days": ["monday"], "begins": "22:00", "ends": "23:00"},
        {"days": [], "begins": "22:00", "ends": "23:00"},
        {"begins": "2026-11-23T22:00:00", "ends": "2026-11-23T23:00:00"},
        {"begins": "2026-11-23T22:00:00Z", "ends": "2026-11-23T21:00:00Z"},
    ],
)
def test_a_window_that_cannot_be_meant_is_refused(window: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Policy.model_validate({"maintenance": [window]})


def test_nothing_is_started_by_itself_in_a_window_of_maintenance_or_a_pause_but_by_hand() -> None:
    for held, guard in (
        (with_policy(maintenance=(ALWAYS,)), "in_maintenance_window"),
        (replace(REGION_LOSS, state=replace(REGION_LOSS.state, paused="anna: we look first")), "paused"),
    ):
        assert (decide(held).verdict, decide(held).guard) == ("stand-down", guard)
        assert judge(before_start(held)).guard == guard
        assert decide(replace(held, manual=True)).verdict == "proceed"


def test_so_many_failovers_a_day_and_no_more() -> None:
    def after(*ago: float) -> Case:
        return replace(
            REGION_LOSS, state=PlanState(active="east", epoch=4, failovers=tuple(NOW - each for each in ago))
        )

    assert decide(after(50_000)).verdict == "proceed"
    assert decide(after(50_000, 90_000)).verdict == "proceed"
    assert (decide(after(50_000, 80_000)).verdict, decide(after(50_000, 80_000)).guard) == (
        "stand-down",
        "failover_rate_limited",
    )
    assert judge(before_start(after(50_000, 80_000))).guard == "failover_rate_limited"


def test_only_signals_that_policy_listens_to_are_votes() -> None:
    listening = with_policy(signals=("probe/us-*",))
    assert decide(listening).votes == (HERE.source, THERE.source)
    assert decide(with_policy(signals=("probe/us-east-1", "*-health-check"))).verdict == "wait"


@pytest.mark.parametrize(("by_hand", "verdict"), [("allow", "proceed"), ("approve", "ask"), ("refuse", "stand-down")])
def test_who_starts_by_hand_goes_on_needs_a_second_person_or_is_refused(by_hand: str, verdict: str) -> None:
    assert decide(replace(with_policy(by_hand=by_hand), manual=True)).verdict == verdict
    assert decide(with_policy(by_hand=by_hand)).verdict == "proceed"


def test_a_site_that_answers_is_left_by_hand_only_by_force() -> None:
    answers = tuple(replace(probe, healthy=True) for probe in LOST)
    case = replace(REGION_LOSS, evidence=replace(EVIDENCE, probes=answers + WELL), manual=True)
    refused = decide(case)
    assert (refused.verdict, refused.guard) == ("stand-down", "healthy_site_not_forced")
    assert '"force": true' in refused.why
    assert decide(replace(case, forced=True)).verdict == "proceed"
    assert decide(replace(REGION_LOSS, manual=True)).verdict == "proceed", "one that does not needs no force"
    assert decide(replace(case, manual=False, forced=True)).verdict == "wait", "signals can't force"


def test_what_is_started_by_hand_asks_for_no_votes_and_no_mode() -> None:
    case = with_evidence(signals=(), probes=REGION_LOSS.evidence.probes)
    observing = replace(case, manual=True, policy=Policy(mode="observe"))
    assert decide(observing).verdict == "proceed"


STRICTER: dict[str, Callable[[Policy], dict[str, object]]] = {
    "mode": lambda p: {"mode": {"automatic": "approve"}.get(p.mode, "observe")},
    "by_hand": lambda p: {"by_hand": {"allow": "approve"}.get(p.by_hand, "refuse")},
    "signals": lambda _: {"signals": ("a*", "b*", "probe/*")},
    "quorum": lambda p: {"quorum": p.quorum + 1},
    "min_vantage_points": lambda p: {"min_vantage_points": p.min_vantage_points + 1},
    "hold_seconds": lambda p: {"hold_seconds": p.hold_seconds + 20},
    "fast_path": lambda _: {"fast_path": False},
    "probe_max_age_seconds": lambda p: {"probe_max_age_seconds": p.probe_max_age_seconds - 10},
    "maintenance": lambda _: {"maintenance": (ALWAYS,)},
    "cooldown_seconds": lambda p: {"cooldown_seconds": p.cooldown_seconds * 10 + 1},
    "max_failovers_a_day": lambda p: {"max_failovers_a_day": p.max_failovers_a_day - 1},
    "rpo_limit_records": lambda _: {"rpo_limit_records": 0},
}
LATER = (
    "approval_timeout_seconds",
    "on_approval_timeout",
    "promotion_timeout_seconds",
    "on_stuck_mirrors",
    "on_offsets_ahead",
    "on_smaller_fleet",
    "capacity_timeout_seconds",
    "drain_timeout_seconds",
)
"""What of policy is asked only once a failover was decided."""
BEFORE = ("signal_max_age_seconds",)
"""What of policy is asked only before: when evidence is read."""
ELSEWHERE = ("failback_lag_records", "failback_after_seconds", "practice_max_age_days")
"""What of policy no failover's decision asks: a switchover home does, and readiness."""
PATIENCE = {"proceed": 0, "ask": 1, "wait": 2, "stand-down": 2}


def test_every_unit_of_policy_has_its_property() -> None:
    assert {*STRICTER, *LATER, *BEFORE, *ELSEWHERE} == set(Policy.model_fields)


@pytest.mark.parametrize("unit", STRICTER)
def test_a_stricter_policy_never_lets_more_through(unit: str) -> None:
    @given(case=likely | cases | pressing)
    def holds(case: Case) -> None:
        tightened = case.policy.model_copy(update=STRICTER[unit](case.policy))
        lax, strict = decide(case), decide(replace(case, policy=tightened))
        # Fewer votes may count against the standby, too: that is no reason to go there.
        if unit in ("signals", "probe_max_age_seconds") and lax.guard == "standby_lost_too":
            return
        reaches(PATIENCE[lax.verdict] < PATIENCE["stand-down"], floor=0.1)
        assert PATIENCE[strict.verdict] >= PATIENCE[lax.verdict]

    holds()


def test_one_alarm_more_decides_where_probes_alone_may_not() -> None:
    slow = replace(
        with_evidence(signals=(HERE, THERE)), policy=REGION_LOSS.policy.model_copy(update={"fast_path": False})
    )
    assert decide(slow).verdict == "wait"
    with_alarm = replace(slow, evidence=replace(slow.evidence, signals=(ALARM, HERE, THERE)))
    assert decide(with_alarm).verdict == "proceed"
