"""The votes: which of the signals count against a site, and for how long they have stood. Pure."""

from __future__ import annotations

from failover.decision.case import Case
from failover.detection.evidence import Signal
from failover.plan.policy import Policy


def votes_against(site: str, case: Case) -> list[Signal]:
    """The signals that count as votes that a site is lost; not those last heard before the active site changed."""
    changed = case.state.changed_at
    return [
        s
        for s in case.evidence.signals
        if s.site == site and (changed is None or s.confirmed_at > changed) and counts(s, case.policy, case.now)
    ]


def counts(signal: Signal, policy: Policy, now: float) -> bool:
    """Whether a signal is a vote: it says lost, policy listens to it, is no mere advice, and no probe that aged."""
    return (
        signal.says_lost
        and signal.kind != "advisory"
        and policy.listens_to(signal.source)
        and _is_fresh(signal, policy, now)
    )


def watched(case: Case) -> bool:
    """Whether a vantage point looks at the lost site now, and so will tell again in a moment."""
    return any(s.kind == "probe" and _is_fresh(s, case.policy, case.now) for s in case.evidence.signals)


def observed_healthy(case: Case, since: float) -> bool:
    """Whether the site was seen well after that moment, and nobody says otherwise: each vantage point that looks, or,
    where none does, an alarm that is over."""
    of_site = [signal for signal in case.evidence.signals if signal.site == case.lost_site]
    fresh = [s for s in of_site if s.kind != "advisory" and _is_fresh(s, case.policy, case.now)]
    probes = [signal for signal in fresh if signal.kind == "probe"]
    if any(signal.says_lost for signal in fresh) or any(probe.why for probe in probes):
        return False
    return any(signal.confirmed_at > since for signal in probes or fresh)


def _is_fresh(signal: Signal, policy: Policy, now: float) -> bool:
    """A probe ages; an alarm stands until it changes, and whoever decides has read it again."""
    return signal.kind != "probe" or now - signal.at <= policy.probe_max_age_seconds


def is_sustained(vote: Signal, case: Case) -> bool:
    """Whether a vote has stood for as long as policy says."""
    return stood_for(vote, case) >= case.policy.hold_seconds


def stood_for(vote: Signal, case: Case) -> float:
    """For how long a vote has stood: an alarm stands until it changes, a probe as long as it was seen."""
    until = vote.at if vote.kind == "probe" else case.now
    return until - vote.since


def looked_lost_for(vote: Signal, case: Case) -> float:
    """As `stood_for`, whether or not its source was silent for a moment."""
    return stood_for(vote, case) + max(0.0, vote.since - (vote.lost_since or vote.since))
