"""The decision, by example and by property: it proceeds only with a quorum, a fit standby and policy's consent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.decision.case import Case
from failover.decision.rules import RULES, decide, failover_withheld, judge
from failover.decision.votes import is_sustained, votes_against
from failover.detection.evidence import Evidence, Probe, Signal, unbroken
from failover.ledger.records import PlanState
from failover.link import Lag
from failover.plan.policy import Policy
from tests.claims import reaches

NOW = 1_000_000.0
ALARM = Signal(site="east", source="east-kafka", says_lost=True, at=NOW - 5, since=NOW - 25, vantage="us-west-2")
HERE = Signal(
    site="east", source="probe/us-west-2", says_lost=True, at=NOW - 1, since=NOW - 9, kind="probe", vantage="us-west-2"
)
THERE = replace(HERE, source="probe/us-east-1", vantage="us-east-1")
AUTOMATIC = Policy(mode="automatic", fast_path=True)


def probe(site: str, service: str, healthy: bool | None) -> Probe:
    return Probe(site=site, service=service, healthy=healthy, took_seconds=0.1, why="" if healthy else "no answer")


LOST = (probe("east", "kafka", False), probe("east", "gateway", False), probe("east", "rest", False))
WELL = tuple(probe("west", service, True) for service in ("kafka", "gateway", "rest"))
EVIDENCE = Evidence(
    lost_site="east",
    standby_site="west",
    signals=(ALARM, HERE, THERE),
    probes=LOST + WELL,
    lag=Lag(mirrors=3, partitions=12, unknown_partitions=0, records=40, largest=9),
    mirrors_by_status={"ACTIVE": 3},
)
REGION_LOSS = Case(
    evidence=EVIDENCE,
    policy=AUTOMATIC,
    state=PlanState(active="east", epoch=4, holder="orders-4-failover"),
    manual=False,
    now=NOW,
)


def with_evidence(**changes: object) -> Case:
    return replace(REGION_LOSS, evidence=replace(EVIDENCE, **changes))  # type: ignore[arg-type]


def with_policy(**changes: object) -> Case:
    return replace(REGION_LOSS, policy=AUTOMATIC.model_copy(update=changes))


def before_start(case: Case) -> Case:
    """The same, as the judge knows it: nobody holds the plan, nobody has looked yet."""
    return replace(
        case, state=replace(case.state, holder=None), evidence=replace(case.evidence, probes=(), mirrors_by_status=None)
    )


def test_a_lost_region_with_a_fit_standby_proceeds() -> None:
    decision = decide(REGION_LOSS)
    assert decision.verdict == "proceed"
    assert decision.votes == ("east-kafka", "probe/us-west-2", "probe/us-east-1")
    assert judge(before_start(REGION_LOSS)).verdict == "proceed"


def test_one_vote_of_two_waits() -> None:
    decision = decide(with_evidence(signals=(THERE,)))
    assert (decision.verdict, decision.why) == ("wait", "1 of 2 votes say east is lost")


def test_votes_of_one_vantage_point_may_be_wrong_together() -> None:
    decision = decide(with_evidence(signals=(ALARM, HERE)))
    assert (decision.verdict, decision.guard) == ("wait", "too_few_vantage_points")
    assert "as seen from us-west-2" in decision.why


def test_a_vote_must_have_stood_for_as_long_as_policy_says() -> None:
    young = replace(THERE, since=THERE.at - 2)
    decision = decide(with_evidence(signals=(HERE, young)))
    assert (decision.verdict, decision.why) == ("wait", "1 of 2 votes say east is lost, 1 more for less than 3 s")
    assert decide(with_evidence(signals=(HERE, replace(young, since=THERE.at - 3)))).verdict == "proceed"


def test_an_alarm_stands_until_it_changes_and_a_sight_only_as_long_as_it_was_seen() -> None:
    fresh = replace(ALARM, since=NOW - 5, at=NOW - 5)
    assert decide(with_evidence(signals=(fresh, THERE))).verdict == "proceed"
    once = replace(HERE, since=NOW - 5, at=NOW - 5)
    assert decide(with_evidence(signals=(once, THERE))).verdict == "wait"


def test_without_the_fast_path_an_alarm_must_be_among_the_votes() -> None:
    slow = with_policy(fast_path=False)
    assert decide(slow).verdict == "proceed"
    decision = decide(replace(slow, evidence=replace(EVIDENCE, signals=(HERE, THERE))))
    assert (decision.verdict, decision.guard) == ("wait", "no_alarm")


def test_a_site_that_answers_the_controllers_own_probes_is_not_failed_over_from() -> None:
    answers = tuple(probe("east", service, True) for service in ("kafka", "gateway", "rest"))
    decision = decide(with_evidence(probes=answers + WELL))
    assert decision.verdict == "wait"
    assert "answers the controller's own probes" in decision.why


@pytest.mark.parametrize(("canary", "verdict"), [(True, "wait"), (None, "wait"), (False, "proceed")])
def test_a_canary_that_fails_takes_the_veto_away_and_one_that_can_not_tell_does_not(
    canary: bool | None, verdict: str
) -> None:
    answers = tuple(probe("east", service, True) for service in ("kafka", "gateway", "rest"))
    told = (probe("east", "canary", canary), probe("west", "canary", None))
    assert decide(with_evidence(probes=answers + WELL + told)).verdict == verdict


def test_a_controller_that_is_cut_off_itself_waits() -> None:
    decision = decide(with_evidence(isolated_because="cut off itself: of 2 anchors it does not reach a, b"))
    assert (decision.verdict, decision.guard) == ("wait", "observer_isolated")


def test_a_source_that_was_silent_for_a_moment_is_a_new_vote_and_people_hear_of_it_all_the_same() -> None:
    before = replace(HERE, at=NOW - 20, since=NOW - 40)
    now, later = (unbroken(replace(HERE, at=at, since=at), before, gap=15) for at in (NOW, NOW + 41))
    free = replace(REGION_LOSS, state=PlanState(active="east", epoch=4))

    heard = replace(free, evidence=replace(EVIDENCE, signals=(now,)))
    assert not is_sustained(now, heard)
    assert failover_withheld(heard, judge(heard))

    begun_anew = replace(free, evidence=replace(EVIDENCE, signals=(later,)), now=NOW + 41)
    assert not failover_withheld(begun_anew, judge(begun_anew))


def test_a_probe_ages_out_and_an_alarm_stands_until_it_changes() -> None:
    probed = replace(HERE, at=NOW - 15, since=NOW - 900)
    assert votes_against("east", with_evidence(signals=(probed,))) == [probed]
    assert votes_against("east", with_evidence(signals=(replace(probed, at=NOW - 16),))) == []
    told_once = replace(ALARM, at=NOW - 86_400, since=NOW - 86_400)
    assert votes_against("east", with_evidence(signals=(told_once,))) == [told_once]


def test_an_alarm_from_before_the_active_site_changed_is_a_vote_once_it_was_read_again() -> None:
    before = replace(ALARM, at=NOW - 500, since=NOW - 500)
    state = replace(REGION_LOSS.state, changed_at=NOW - 100)
    assert votes_against("east", replace(with_evidence(signals=(before,)), state=state)) == []
    again = replace(before, read_at=NOW - 5)
    assert votes_against("east", replace(with_evidence(signals=(again,)), state=state)) == [again]


def test_a_signal_from_before_the_active_site_changed_is_no_vote() -> None:
    case = replace(REGION_LOSS, state=replace(REGION_LOSS.state, changed_at=NOW - 3))
    assert votes_against("east", case) == [HERE, THERE]


def test_an_advisory_is_no_vote() -> None:
    assert votes_against("east", with_evidence(signals=(replace(ALARM, kind="advisory"),))) == []


def test_the_judge_starts_a_look_on_one_alarm_where_nobody_watches_and_waits_for_votes_where_somebody_does() -> None:
    alone = before_start(with_evidence(signals=(ALARM,)))
    assert judge(alone).verdict == "proceed"
    well = replace(THERE, says_lost=False)
    watched = replace(alone, evidence=replace(alone.evidence, signals=(ALARM, well)))
    assert (judge(watched).verdict, judge(watched).guard) == ("wait", "quorum_not_met")
    gone = replace(alone, evidence=replace(alone.evidence, signals=(ALARM, replace(well, at=NOW - 60))))
    assert judge(gone).verdict == "proceed"


def test_the_judge_starts_nothing_for_no_vote_or_while_somebody_is_at_it() -> None:
    assert judge(before_start(with_evidence(signals=()))).verdict == "wait"
    held = replace(before_start(REGION_LOSS), state=PlanState(active="east", epoch=4, holder="by-hand"))
    assert judge(held).why == "left to by-hand, which held the lease"


@pytest.mark.parametrize("service", ["kafka", "rest", "gateway"])
@pytest.mark.parametrize("healthy", [False, None])
@pytest.mark.parametrize("manual", [False, True])
def test_a_standby_that_does_not_answer_for_a_moment_is_waited_for(
    service: str, healthy: bool | None, manual: bool
) -> None:
    probes = (*tuple(p for p in WELL if p.service != service), probe("west", service, healthy))
    decision = decide(replace(with_evidence(probes=LOST + probes), manual=manual))
    assert decision.verdict == "wait"
    assert "west" in decision.why


def test_gateways_that_serve_whichever_site_is_active_are_not_asked_for_of_a_standby() -> None:
    without = tuple(p for p in (*LOST, *WELL) if p.service != "gateway")
    assert decide(with_evidence(probes=without)).verdict == "proceed"
    for unknown in (tuple(p for p in without if (p.site, p.service) != ("west", "rest")), LOST):
        assert decide(with_evidence(probes=unknown)).verdict == "wait"


def test_a_standby_that_as_many_call_lost_is_no_better() -> None:
    west = tuple(replace(signal, site="west") for signal in (HERE, THERE))
    assert decide(with_evidence(signals=(HERE, THERE, *west))).guard == "standby_lost_too"
    assert decide(with_evidence(signals=(ALARM, HERE, THERE, *west))).verdict == "proceed"


def test_mirrors_that_cannot_be_read_are_waited_for_and_a_standby_without_any_is_none() -> None:
    assert decide(with_evidence(mirrors_by_status=None)).verdict == "wait"
    assert decide(with_evidence(mirrors_by_status={})).verdict == "stand-down"
    assert decide(with_evidence(prefixed_mirrors=1)).verdict == "stand-down"


def test_a_standby_that_was_promoted_before_is_no_copy_unless_by_whom_this_takes_over_from_or_a_person_means_it() -> (
    None
):
    promoted = with_evidence(mirrors_by_status={"STOPPED": 3})
    by_hand = replace(promoted, manual=True)
    for case in (promoted, by_hand, replace(by_hand, dry_run=True, forced=True)):
        decision = decide(case)
        assert (decision.verdict, decision.guard) == ("stand-down", "standby_was_promoted")
    assert (
        "STOPPED" in decision.why and "Restore west" in decision.why and "nothing of what came to east" in decision.why
    )
    taken_over = replace(promoted.state, superseded="orders-3-failover")
    for case in (replace(by_hand, forced=True), replace(by_hand, state=taken_over)):
        assert decide(case).verdict == "proceed"
    for some in ({"STOPPED": 2, "ACTIVE": 1}, {"PENDING_STOPPED": 3}, {"SOURCE_UNAVAILABLE": 3}):
        assert decide(with_evidence(mirrors_by_status=some)).verdict == "proceed"


@pytest.mark.parametrize("status", ["STOPPED", "PENDING_STOPPED"])
def test_a_site_that_answers_is_left_unforced_where_those_taken_over_from_have_made_a_mirror_writable(
    status: str,
) -> None:
    well = tuple(probe(site, service, True) for site in ("east", "west") for service in ("kafka", "gateway", "rest"))
    half_done = replace(
        with_evidence(probes=well, signals=(), mirrors_by_status={"ACTIVE": 2, status: 1}),
        manual=True,
        state=replace(REGION_LOSS.state, superseded="orders-3-switchover"),
    )
    assert decide(half_done).verdict == "proceed"
    for case in (
        replace(half_done, state=REGION_LOSS.state),
        replace(half_done, evidence=replace(half_done.evidence, mirrors_by_status={"ACTIVE": 3})),
        replace(half_done, evidence=replace(half_done.evidence, mirrors_by_status={"PENDING_MIRROR": 3})),
    ):
        assert decide(case).guard == "healthy_site_not_forced"


def test_cooldown_after_a_change() -> None:
    case = replace(REGION_LOSS, state=replace(REGION_LOSS.state, changed_at=NOW - 60))
    assert decide(case).verdict == "stand-down"
    assert "cooldown" in decide(case).why
    assert judge(before_start(case)).guard == "cooling_down"
    assert decide(replace(case, manual=True)).verdict == "proceed"


@pytest.mark.parametrize(("ago", "guard"), [(3599.9, "cooling_down"), (3600.0, "")])
def test_the_cooldown_ends_when_policy_says(ago: float, guard: str) -> None:
    changed = replace(REGION_LOSS.state, changed_at=NOW - ago)
    signals = tuple(replace(signal, at=NOW, since=NOW - 9) for signal in EVIDENCE.signals)
    assert decide(replace(with_evidence(signals=signals), state=changed)).guard == guard


@pytest.mark.parametrize(("ago", "guard"), [(86_399.9, "failover_rate_limited"), (86_400.0, "")])
def test_failovers_of_the_last_day_are_limited_and_none_before(ago: float, guard: str) -> None:
    state = replace(REGION_LOSS.state, failovers=(NOW - ago, NOW - 7200))
    assert decide(replace(REGION_LOSS, state=state)).guard == guard
    assert decide(replace(REGION_LOSS, state=state, manual=True)).verdict == "proceed", "a person may"


def test_policy_observes_asks_and_limits() -> None:
    assert decide(with_policy(mode="observe")).verdict == "stand-down"
    assert decide(with_policy(mode="approve")).verdict == "ask"
    assert decide(with_policy(rpo_limit_records=39)).verdict == "ask"
    assert decide(with_policy(rpo_limit_records=40)).verdict == "proceed"


def test_an_unknown_lag_is_not_below_a_limit() -> None:
    limited = AUTOMATIC.model_copy(update={"rpo_limit_records": 1_000_000})
    case = replace(
        with_evidence(lag=Lag(mirrors=3, partitions=12, unknown_partitions=1, records=0, largest=0)), policy=limited
    )
    assert decide(case).verdict == "ask"


vantages = st.sampled_from(["us-west-2", "us-east-1", "route53"])
sources = st.sampled_from("abcdef")
signals = st.lists(
    st.builds(
        Signal,
        site=st.sampled_from(["east", "west"]),
        source=sources,
        says_lost=st.booleans(),
        at=st.floats(NOW - 400, NOW),
        since=st.floats(NOW - 400, NOW),
        kind=st.sampled_from(["alarm", "probe", "advisory"]),
        vantage=vantages,
    ),
    max_size=8,
    unique_by=lambda signal: (signal.site, signal.source),
)
health = st.sampled_from([True, False, None])
probes = st.tuples(
    *[st.builds(probe, st.just(s), st.just(v), health) for s in ("east", "west") for v in ("kafka", "gateway", "rest")]
)
policies = st.builds(
    Policy,
    mode=st.sampled_from(["automatic", "approve", "observe"]),
    quorum=st.integers(1, 4),
    min_vantage_points=st.integers(1, 3),
    hold_seconds=st.integers(0, 60),
    fast_path=st.booleans(),
)
cases = st.builds(
    Case,
    evidence=st.builds(
        Evidence,
        lost_site=st.just("east"),
        standby_site=st.just("west"),
        signals=signals.map(tuple),
        probes=probes,
        lag=st.none() | st.just(Lag(mirrors=1, partitions=4, unknown_partitions=0, records=10, largest=5)),
        mirrors_by_status=st.sampled_from([None, {}, {"ACTIVE": 1}]),
        isolated_because=st.sampled_from([None, None, "isolated"]),
    ),
    policy=policies,
    state=st.builds(
        PlanState, active=st.just("east"), epoch=st.integers(0, 9), changed_at=st.none() | st.floats(0, NOW)
    ),
    manual=st.booleans(),
    now=st.just(NOW),
)
pressing = cases.map(
    lambda case: replace(case, evidence=replace(case.evidence, probes=LOST + WELL, isolated_because=None))
)
"""Cases in which the site does not answer and the standby does, so that votes and policy alone decide."""


held_votes = st.lists(
    st.builds(
        Signal,
        site=st.just("east"),
        source=sources,
        says_lost=st.just(True),
        at=st.floats(NOW - 5, NOW),
        since=st.floats(NOW - 400, NOW - 70),
        kind=st.sampled_from(["alarm", "probe"]),
        vantage=vantages,
    ),
    min_size=3,
    max_size=6,
    unique_by=lambda signal: signal.source,
)
likely = st.builds(
    lambda case, votes, policy: replace(
        case,
        evidence=replace(case.evidence, signals=tuple(votes), mirrors_by_status={"ACTIVE": 1}),
        policy=policy,
        state=replace(case.state, changed_at=None),
    ),
    pressing,
    held_votes,
    st.builds(
        Policy,
        mode=st.sampled_from(["automatic", "automatic", "approve"]),
        quorum=st.integers(1, 3),
        min_vantage_points=st.integers(1, 2),
        hold_seconds=st.integers(0, 60),
        fast_path=st.booleans(),
    ),
)
"""Cases in which most of all is there that a failover needs."""


@given(likely | cases)
def test_it_never_proceeds_to_an_unproven_standby(case: Case) -> None:
    if reaches(decide(case).verdict in ("proceed", "ask"), floor=0.2):
        assert all(probe.healthy for probe in case.evidence.probes_of("west"))
        assert case.evidence.mirrors_by_status


@given(cases | likely)
def test_it_always_says_why(case: Case) -> None:
    decision = decide(case)
    reaches(decision.verdict != "proceed")
    assert decision.why


@given(likely | pressing)
def test_without_a_person_it_proceeds_only_on_held_votes_of_a_quorum_in_automatic_mode(case: Case) -> None:
    decision = decide(case)
    if reaches(decision.verdict == "proceed" and not case.manual, floor=0.1):
        policy = case.policy
        assert policy.mode == "automatic"
        votes = [s for s in case.evidence.signals if s.source in decision.votes and s.site == "east"]
        assert all(vote.says_lost and vote.kind != "advisory" for vote in votes)
        held = [v for v in votes if (v.at if v.kind == "probe" else NOW) - v.since >= policy.hold_seconds]
        assert len(held) >= policy.quorum
        assert len({vote.vantage for vote in held}) >= policy.min_vantage_points
        assert policy.fast_path or any(vote.kind == "alarm" for vote in votes)
        assert any(p.healthy is not True for p in case.evidence.probes_of("east") if p.service != "rest")


@given(likely | cases | pressing, st.randoms())
def test_the_order_of_the_evidence_does_not_matter(case: Case, random: Any) -> None:
    shuffled = list(case.evidence.signals)
    random.shuffle(shuffled)
    reaches(tuple(shuffled) != case.evidence.signals, floor=0.2)
    again = replace(case, evidence=replace(case.evidence, signals=tuple(shuffled)))
    assert decide(again).verdict == decide(case).verdict


@given(likely)
def test_one_more_vote_never_turns_a_yes_into_a_no(case: Case) -> None:
    more = Signal(
        site="east", source="one-more", says_lost=True, at=NOW, since=NOW - 500, kind="alarm", vantage="another"
    )
    again = replace(case, evidence=replace(case.evidence, signals=(*case.evidence.signals, more)))
    if reaches(decide(case).verdict in ("proceed", "ask")):
        assert decide(again).verdict == decide(case).verdict


def test_every_guard_is_asked_for_its_reason_and_none_twice() -> None:
    guards = [rule.guard for rule in RULES]
    assert len(set(guards)) == len(guards)
    assert all(guard.__doc__ for guard in guards)


def test_who_leads_back_needs_a_site_that_answers_and_no_mirror_there() -> None:
    back = replace(EVIDENCE, lost_site="west", standby_site="east", signals=(), mirrors_by_status={})
    probes = tuple(probe("east", service, True) for service in ("kafka", "gateway", "rest"))
    well = replace(REGION_LOSS, evidence=replace(back, probes=probes), manual=True, forced=True, leads_back=True)
    assert (decide(well).verdict, decide(well).why) == ("proceed", "started by hand, to lead clients back")
    assert decide(replace(well, dry_run=True)).why == "nothing keeps this dry run from being walked through"
    assert decide(replace(well, leads_back=False)).guard == "active_elsewhere"
    gone = replace(well, evidence=replace(back, probes=LOST))
    assert (decide(gone).verdict, decide(gone).guard) == ("wait", "standby_unreachable")
