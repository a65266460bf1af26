"""The decision: pure functions from evidence, policy and the ledger's state to proceed, wait, ask, or stand down.

Each guard returns a reason why the failover must not happen, or None. They are asked in order; the first reason wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from failover.evidence import Evidence, Signal
from failover.ledger import PlanState
from failover.plan import Policy

Verdict = Literal["proceed", "ask", "wait", "stand-down"]


@dataclass(frozen=True)
class Decision:
    """A verdict, why, and the votes it counts."""

    verdict: Verdict
    why: str
    votes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """One question to decide. `manual`: a person started it, so votes and policy's mode are not asked, the standby is.
    `now`: seconds since 1970."""

    evidence: Evidence
    policy: Policy
    state: PlanState
    manual: bool
    now: float


def decide(case: Case) -> Decision:
    """What to do in this case."""
    votes = tuple(votes_for_loss(case))
    for guard in (_paused, _cooling_down, _standby_unfit):
        if reason := guard(case):
            return Decision("stand-down", reason, votes)
    if not case.manual:
        if reason := _site_answers(case):
            return Decision("wait", reason, votes)
        if len(votes) < case.policy.quorum:
            return Decision("wait", f"{len(votes)} of {case.policy.quorum} votes say {_lost(case)} is lost", votes)
    if reason := _asks_a_person(case):
        return Decision("ask", reason, votes)
    return Decision(
        "proceed", "started by hand" if case.manual else f"{_lost(case)} is lost: {', '.join(votes)}", votes
    )


def votes_for_loss(case: Case) -> list[str]:
    """Who says that the site is lost: each fresh alarm that still stands, and the controller's own probes as one."""
    votes = [signal.source for signal in case.evidence.signals if counts(signal, case.policy, case.now)]
    failed = [probe.service for probe in case.evidence.probes_of(_lost(case)) if probe.healthy is False]
    if {"kafka", "gateway"} & set(failed):
        votes.append(f"own probes ({', '.join(failed)})")
    return votes


def counts(signal: Signal, policy: Policy, now: float) -> bool:
    """Whether a signal is a vote: it says lost, and has not aged out."""
    return signal.says_lost and now - signal.at <= policy.signal_max_age_seconds


def _lost(case: Case) -> str:
    return case.evidence.lost_site


def _paused(case: Case) -> str | None:
    if case.policy.mode == "observe" and not case.manual:
        return "the plan's policy is to observe"
    return None


def _cooling_down(case: Case) -> str | None:
    changed = case.state.changed_at
    if case.manual or changed is None:
        return None
    left = changed + case.policy.cooldown_seconds - case.now
    return (
        f"the active site changed {case.now - changed:.0f} s ago; {left:.0f} s of cooldown are left"
        if left > 0
        else None
    )


def _standby_unfit(case: Case) -> str | None:
    standby = case.evidence.standby_site
    probes = {probe.service: probe for probe in case.evidence.probes_of(standby)}
    for service in ("kafka", "rest"):
        probe = probes.get(service)
        if probe is None or probe.healthy is not True:
            said = f": {probe.why}" if probe else ""
            return f"the {service} of the standby {standby} does not answer either{said}"
    if not case.evidence.mirrors_by_status:
        return f"the standby {standby} holds no mirror under the plan's links"
    if case.evidence.prefixed_mirrors:
        return (
            f"{case.evidence.prefixed_mirrors} mirrors on {standby} are named otherwise than their source topics: a"
            " link with a prefix is no standby, clients would not find their topics; make the link anew without one"
        )
    return None


def _site_answers(case: Case) -> str | None:
    probes = [probe for probe in case.evidence.probes_of(_lost(case)) if probe.service in ("kafka", "gateway")]
    if probes and all(probe.healthy for probe in probes):
        return f"{_lost(case)} answers the controller's own probes"
    return None


def _asks_a_person(case: Case) -> str | None:
    if case.manual:
        return None
    if case.policy.mode == "approve":
        return "the plan's policy is to ask a person"
    limit, lag = case.policy.rpo_limit_records, case.evidence.lag
    if limit is None:
        return None
    if lag is None or lag.unknown_partitions:
        return (
            f"the lag is not known for {lag.unknown_partitions if lag else 'any'} partition(s), and policy sets a limit"
        )
    if lag.records > limit:
        return f"the mirrors trail by {lag.records} records, above the limit of {limit}"
    return None
