"""The decision, by example and by property: it proceeds only with a quorum, a fit standby and policy's consent."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.decision import Case, decide, votes_for_loss
from failover.evidence import Evidence, Lag, Probe, Signal
from failover.ledger import PlanState
from failover.plan import Policy

NOW = 1_000_000.0
ALARM = Signal("east", "east-kafka", says_lost=True, at=NOW - 5, since=NOW - 25)
AUTOMATIC = Policy(mode="automatic", quorum=2)


def probe(site: str, service: str, healthy: bool | None) -> Probe:
    return Probe(site, service, healthy, 0.1, "" if healthy else "no answer")


LOST = (probe("east", "kafka", False), probe("east", "gateway", False), probe("east", "rest", False))
WELL = tuple(probe("west", service, True) for service in ("kafka", "gateway", "rest"))
EVIDENCE = Evidence("east", "west", (ALARM,), LOST + WELL, Lag(3, 12, 0, 40, 9), {"ACTIVE": 3})
REGION_LOSS = Case(EVIDENCE, AUTOMATIC, PlanState("east", 4, "orders-4-failover"), manual=False, now=NOW)


def with_evidence(**changes: object) -> Case:
    return replace(REGION_LOSS, evidence=replace(EVIDENCE, **changes))  # type: ignore[arg-type]


def test_a_lost_region_with_a_fit_standby_proceeds() -> None:
    decision = decide(REGION_LOSS)
    assert decision.verdict == "proceed"
    assert decision.votes == ("east-kafka", "own probes (kafka, gateway, rest)")


def test_one_vote_of_two_waits() -> None:
    assert decide(with_evidence(signals=())).verdict == "wait"


def test_a_site_that_answers_the_controllers_own_probes_is_not_failed_over_from() -> None:
    answers = tuple(probe("east", service, True) for service in ("kafka", "gateway", "rest"))
    case = with_evidence(probes=answers + WELL, signals=(ALARM, replace(ALARM, source="east-gateway")))
    assert decide(case).verdict == "wait"
    assert "answers the controller's own probes" in decide(case).why


def test_probes_that_failed_themselves_are_no_vote() -> None:
    ill = tuple(probe("east", service, None) for service in ("kafka", "gateway", "rest"))
    assert votes_for_loss(with_evidence(probes=ill + WELL)) == ["east-kafka"]


def test_a_signal_ages_out() -> None:
    old = replace(ALARM, at=NOW - AUTOMATIC.signal_max_age_seconds - 1)
    assert votes_for_loss(with_evidence(signals=(old,), probes=WELL)) == []


@pytest.mark.parametrize("service", ["kafka", "rest"])
@pytest.mark.parametrize("healthy", [False, None])
@pytest.mark.parametrize("manual", [False, True])
def test_a_standby_that_does_not_answer_is_never_failed_over_to(
    service: str, healthy: bool | None, manual: bool
) -> None:
    probes = (*tuple(p for p in WELL if p.service != service), probe("west", service, healthy))
    decision = decide(replace(with_evidence(probes=LOST + probes), manual=manual))
    assert decision.verdict == "stand-down"
    assert "west" in decision.why


def test_a_controller_that_sees_nothing_at_all_stands_down() -> None:
    blind = tuple(replace(p, healthy=False) for p in LOST + WELL)
    assert decide(with_evidence(probes=blind)).verdict == "stand-down"


def test_a_standby_without_mirrors_is_never_failed_over_to() -> None:
    assert decide(with_evidence(mirrors_by_status={})).verdict == "stand-down"


def test_cooldown_after_a_change() -> None:
    case = replace(REGION_LOSS, state=replace(REGION_LOSS.state, changed_at=NOW - 60))
    assert decide(case).verdict == "stand-down"
    assert "cooldown" in decide(case).why
    assert decide(replace(case, manual=True)).verdict == "proceed"


def test_policy_observes_asks_and_limits() -> None:
    assert decide(replace(REGION_LOSS, policy=Policy(mode="observe"))).verdict == "stand-down"
    assert decide(replace(REGION_LOSS, policy=Policy(mode="approve"))).verdict == "ask"
    limited = AUTOMATIC.model_copy(update={"rpo_limit_records": 39})
    assert decide(replace(REGION_LOSS, policy=limited)).verdict == "ask"
    assert (
        decide(replace(REGION_LOSS, policy=AUTOMATIC.model_copy(update={"rpo_limit_records": 40}))).verdict == "proceed"
    )


def test_an_unknown_lag_is_not_below_a_limit() -> None:
    limited = AUTOMATIC.model_copy(update={"rpo_limit_records": 1_000_000})
    case = replace(with_evidence(lag=Lag(3, 12, 1, 0, 0)), policy=limited)
    assert decide(case).verdict == "ask"


signals = st.lists(
    st.builds(
        Signal,
        site=st.just("east"),
        source=st.sampled_from("abcdef"),
        says_lost=st.booleans(),
        at=st.floats(NOW - 1000, NOW),
        since=st.just(NOW),
    ),
    max_size=6,
    unique_by=lambda signal: signal.source,
)
health = st.sampled_from([True, False, None])
probes = st.tuples(
    *[st.builds(probe, st.just(s), st.just(v), health) for s in ("east", "west") for v in ("kafka", "gateway", "rest")]
)
cases = st.builds(
    Case,
    evidence=st.builds(
        Evidence,
        lost_site=st.just("east"),
        standby_site=st.just("west"),
        signals=signals.map(tuple),
        probes=probes,
        lag=st.none() | st.just(Lag(1, 4, 0, 10, 5)),
        mirrors_by_status=st.sampled_from([{}, {"ACTIVE": 1}]),
    ),
    policy=st.builds(Policy, mode=st.sampled_from(["automatic", "approve", "observe"]), quorum=st.integers(1, 4)),
    state=st.builds(PlanState, st.just("east"), st.integers(0, 9), changed_at=st.none() | st.floats(0, NOW)),
    manual=st.booleans(),
    now=st.just(NOW),
)


@given(cases)
def test_it_never_proceeds_to_an_unproven_standby_and_always_says_why(case: Case) -> None:
    decision = decide(case)
    assert decision.why
    if decision.verdict in ("proceed", "ask"):
        west = {p.service: p.healthy for p in case.evidence.probes_of("west")}
        assert west["kafka"] is True and west["rest"] is True
        assert case.evidence.mirrors_by_status


@given(cases)
def test_without_a_person_it_proceeds_only_on_a_quorum_in_automatic_mode(case: Case) -> None:
    decision = decide(case)
    if decision.verdict == "proceed" and not case.manual:
        assert case.policy.mode == "automatic"
        assert len(decision.votes) >= case.policy.quorum
        assert any(p.healthy is not True for p in case.evidence.probes_of("east") if p.service != "rest")


@given(cases, st.randoms())
def test_the_order_of_the_evidence_does_not_matter(case: Case, random: object) -> None:
    shuffled = list(case.evidence.signals)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    again = replace(case, evidence=replace(case.evidence, signals=tuple(shuffled)))
    assert decide(again).verdict == decide(case).verdict
