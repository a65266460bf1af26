"""The decision: pure functions from evidence, policy and the ledger's state to proceed, wait, ask, or stand down.

Each guard returns a reason why the failover must not happen, or None. They are asked in the order of `RULES`; the first
reason wins. A reason that may pass in a moment is to wait, one that stays is to stand down.

The same rules are asked twice: before an execution is started, on what the ledger has heard; and after it has claimed
the plan, on what the controller then sees itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, replace
from typing import Final, Literal

from failover.decision.case import Case, Decision
from failover.decision.votes import is_sustained, looked_lost_for, stood_for, votes_against, watched
from failover.detection.evidence import CANARY, CARRY_CLIENTS, GATEWAY, SERVICES
from failover.documents.decision import Verdict
from failover.link import PENDING_STOPPED, STOPPED

DAY_S: Final = 86_400.0
LOOKS_LOST_S: Final = 30.0
"""A source that says so for less is a blip that nobody needs to hear of; more, and people are told within a minute."""
HOLDER_SILENT_S: Final = 30.0
"""Whose region says nothing for so long may have ended with it: nobody can count on it."""
DEFERRED: Final = 1.5
"""How many times as long as `LOOKS_LOST_S` a controller leaves the word to the other one: within the minute."""
PLANNED: Final = ("switchover", "restore")
"""Kinds of executions that people start while both sites are up: a failover may have to take over from one."""
Guard = Callable[[Case], str | None]


@dataclass(frozen=True)
class Rule:
    """A guard, and the verdict its reason leads to."""

    guard: Guard
    verdict: Verdict
    _: KW_ONLY
    stage: Literal["before", "after", "both"] = "both"
    """Before an execution is started, after it has claimed the plan, or both times."""
    started_by: Literal["signals", "a person", "anyone"] = "signals"
    """Whose executions it guards; before a start nobody but a signal asks."""
    of_votes: bool = False
    """Whether it asks who says that the site is lost."""
    lasting: bool = False
    """Whether a look of its own would find the same again and again: only a person, or the site, can change it."""


def decide(case: Case) -> Decision:
    """What an execution that has claimed the plan is to do."""
    other = "signals" if case.manual else "a person"
    return _decided(case, [rule for rule in RULES if rule.stage != "before" and rule.started_by != other])


def judge(case: Case) -> Decision:
    """Whether to start an execution: on the votes alone, or, if no vantage point looks at the site and one alarm is all
    there will ever be, to have a look."""
    rules = [rule for rule in RULES if rule.stage != "after" and rule.started_by != "a person"]
    if not watched(case):
        if not votes_against(case.lost_site, case):
            why = f"nothing says that {case.lost_site} is lost"
            return Decision(verdict="wait", why=why, guard=quorum_not_met.__name__)
        rules = [rule for rule in rules if not rule.of_votes]
    return _decided(case, rules)


def failover_withheld(case: Case, decision: Decision) -> bool:
    """Whether people should know that nothing is done: the votes ask for a failover and something else holds it back,
    or the site has looked lost to anyone for `LOOKS_LOST_S`. While people's own switchover or restore is under way,
    which takes over from nobody, or nobody can tell whether an execution still is, the second counts. What is another
    controller's to do is left to it for half as long again."""
    is_at_it = case.state.holder is not None and case.ended_holder is None
    takes_over = case.holder_kind not in PLANNED and case.holder_silent_s < HOLDER_SILENT_S
    if decision.verdict == "proceed" or (is_at_it and takes_over):
        return False
    patience = LOOKS_LOST_S * (DEFERRED if case.deferred_to else 1)
    if any(looked_lost_for(vote, case) >= patience for vote in votes_against(case.lost_site, case)):
        return True
    return (
        decision.verdict == "stand-down"
        and not is_at_it
        and case.deferred_to is None
        and not any(rule.guard(case) for rule in RULES if rule.of_votes)
    )


def only_too_young(case: Case, decision: Decision) -> float | None:
    """In how many seconds votes will have stood for long enough, where nothing but their age holds a failover back."""
    if decision.guard not in (quorum_not_met.__name__, too_few_vantage_points.__name__):
        return None
    votes = votes_against(case.lost_site, case)
    young = [case.policy.hold_seconds - stood_for(vote, case) for vote in votes if not is_sustained(vote, case)]
    later = replace(case, policy=case.policy.model_copy(update={"hold_seconds": 0}))
    return max(young) if young and judge(later).verdict == "proceed" else None


def stands_until_resumed(decision: Decision) -> bool:
    """Whether to stand down on it is final until a person, or the site itself, changes something: a question that is
    denied or not answered, and a reason that another look would only find again."""
    return any(rule.verdict == "ask" or rule.lasting for rule in RULES if rule.guard.__name__ == decision.guard)


def _decided(case: Case, rules: list[Rule]) -> Decision:
    votes = tuple(vote.source for vote in votes_against(case.lost_site, case))
    for rule in rules:
        if reason := rule.guard(case):
            return Decision(verdict=rule.verdict, why=reason, votes=votes, guard=rule.guard.__name__)
    by_hand = "started by hand, to lead clients back" if case.leads_back else "started by hand"
    if case.dry_run:
        by_hand = "nothing keeps this dry run from being walked through"
    why = by_hand if case.manual else f"{case.lost_site} is lost: {', '.join(votes)}"
    return Decision(verdict="proceed", why=why, votes=votes)


# The guards, in the order they are asked.


def observing(case: Case) -> str | None:
    """Policy may be to look on only."""
    return "the plan's policy is to observe" if case.policy.mode == "observe" else None


def manual_start_disabled(case: Case) -> str | None:
    """Policy may leave it to the signals."""
    return "the plan's policy refuses what is started by hand" if case.policy.by_hand == "refuse" else None


def paused(case: Case) -> str | None:
    """People may have stopped it for a while."""
    return f"the plan is paused: {case.state.paused}" if case.state.paused else None


def in_maintenance_window(case: Case) -> str | None:
    """What goes away during maintenance was most likely taken away."""
    until = case.policy.maintained_until(case.now)
    return f"a window of maintenance is open until {until:%Y-%m-%d %H:%M %Z}" if until else None


def denied(case: Case) -> str | None:
    """No is no, until a person or the site itself says otherwise."""
    denial = case.state.denial
    if denial is None or denial.site != case.lost_site:
        return None
    return (
        f"{denial.execution} stood down: {denial.why}. That stands until a person resumes the plan, or {denial.site} is"
        " seen well again"
    )


def observer_isolated(case: Case) -> str | None:
    """A controller that is cut off itself proves nothing."""
    return f"the controller is {case.evidence.isolated_because}" if case.evidence.isolated_because else None


def quorum_not_met(case: Case) -> str | None:
    """k of n, each of which has stood for as long as policy says."""
    votes = votes_against(case.lost_site, case)
    sustained = [vote for vote in votes if is_sustained(vote, case)]
    if len(sustained) >= case.policy.quorum:
        return None
    young = len(votes) - len(sustained)
    more = f", {young} more for less than {case.policy.hold_seconds} s" if young else ""
    return f"{len(sustained)} of {case.policy.quorum} votes say {case.lost_site} is lost{more}"


def too_few_vantage_points(case: Case) -> str | None:
    """What is seen from one place may be wrong together."""
    places = {vote.vantage or vote.source for vote in votes_against(case.lost_site, case) if is_sustained(vote, case)}
    if len(places) >= case.policy.min_vantage_points:
        return None
    return (
        f"{case.lost_site} is lost as seen from {', '.join(sorted(places)) or 'nowhere'};"
        f" policy wants {case.policy.min_vantage_points} vantage points"
    )


def no_alarm(case: Case) -> str | None:
    """Without the fast path an alarm must be among the votes."""
    if case.policy.fast_path or any(vote.kind == "alarm" for vote in votes_against(case.lost_site, case)):
        return None
    return "no alarm stands, and policy does not let probes decide alone"


def another_controller_acts(case: Case) -> str | None:
    """Of two controllers one acts."""
    return case.deferred_to


def site_answers(case: Case) -> str | None:
    """The controller's own eyes have a veto."""
    conclusive = [
        p for p in case.evidence.probes_of(case.lost_site) if p.service != CANARY or p.answers or p.healthy is False
    ]
    probes = [probe for probe in conclusive if probe.service in CARRY_CLIENTS]
    if probes and all(probe.answers for probe in probes):
        return f"{case.lost_site} answers the controller's own probes"
    return None


def healthy_site_not_forced(case: Case) -> str | None:
    """Whoever leaves a site that answers says that they mean it; unless those that they take over from have left it."""
    if case.forced or _has_begun(case) or (answers := site_answers(case)) is None:
        return None
    return f'{answers}; to leave it nevertheless, start with "force": true'


def _has_begun(case: Case) -> bool:
    """Whether those that this one takes over from have begun to make the standby writable: clients may be there."""
    begun = {STOPPED, PENDING_STOPPED} & set(case.evidence.mirrors_by_status or ())
    return bool(case.state.superseded and begun)


def active_elsewhere(case: Case) -> str | None:
    """A site that is not active has nothing to be failed over from, unless clients were being led there."""
    if case.lost_site == case.state.active or case.leads_back:
        return None
    return f"{case.lost_site} is the standby; {case.state.active} is active"


def cooling_down(case: Case) -> str | None:
    """After a change of the active site people look first."""
    changed = case.state.changed_at
    if changed is None:
        return None
    remaining = changed + case.policy.cooldown_seconds - case.now
    return (
        f"the active site changed {case.now - changed:.0f} s ago; {remaining:.0f} s of cooldown are left"
        if remaining > 0
        else None
    )


def failover_rate_limited(case: Case) -> str | None:
    """What fails over again and again is broken in another way."""
    today = [at for at in case.state.failovers if case.now - at < DAY_S]
    if len(today) < case.policy.max_failovers_a_day:
        return None
    return f"{len(today)} failovers in the last 24 hours are as many as policy allows"


def execution_unheard_of(case: Case) -> str | None:
    """Who holds the lease may have ended with its region: a person looks, and has another take over from it."""
    if case.holder_silent_s < HOLDER_SILENT_S:
        return None
    silence = f"Step Functions in its region has not told for {case.holder_silent_s:.0f} s whether it runs"
    return f"{case.state.holder} holds the lease, and {silence}"


def execution_stopped(case: Case) -> str | None:
    """What an execution left half done is taken up by a person: nobody else knows what it waits for."""
    if case.ended_holder is None:
        return None
    return f"{case.ended_holder}: redrive it, or start with supersedes={case.state.holder!r}"


def execution_in_progress(case: Case) -> str | None:
    """One execution a plan at a time."""
    if case.holder_kind in PLANNED:
        return f"{case.state.holder}, a {case.holder_kind}, holds the lease, and a failover must take over from it"
    return f"left to {case.state.holder}, which held the lease" if case.state.holder else None


def standby_unreachable(case: Case) -> str | None:
    """Nobody is led to a site that does not answer. Gateways that serve whichever site is active are not looked at; of
    those that are fenced it is no wonder, and they are proven once they are led over."""
    standby = case.evidence.standby_site
    probes = {probe.service: probe for probe in case.evidence.probes_of(standby)}
    for service in SERVICES:
        probe = probes.get(service)
        if service == GATEWAY and ((probe is None and probes) or case.gateways_fenced):
            continue
        if probe is None or probe.healthy is not True:
            reason = f": {probe.why}" if probe else ""
            return f"the {service} of the standby {standby} does not answer either{reason}"
    if case.evidence.mirrors_by_status is None:
        return f"the mirrors on the standby {standby} can't be read"
    return None


def standby_lost_too(case: Case) -> str | None:
    """A standby that as many call lost is no better than the active site."""
    standby = case.evidence.standby_site
    against = votes_against(standby, case)
    if against and len(against) >= len(votes_against(case.lost_site, case)):
        return f"the standby {standby} is called lost too: {', '.join(vote.source for vote in against)}"
    return None


def standby_holds_no_mirror(case: Case) -> str | None:
    """A cluster without the data is no standby; the site that was being left has its own."""
    if case.evidence.mirrors_by_status or case.leads_back:
        return None
    return f"the standby {case.evidence.standby_site} holds no mirror under the plan's links"


def standby_was_promoted(case: Case) -> str | None:
    """What was failed over before, and was not restored, has nothing of what came to the active site since. Not so
    where those that this one takes over from have just done it, or a person says that they have."""
    if case.leads_back or case.state.superseded or (case.forced and not case.dry_run):
        return None
    if set(case.evidence.mirrors_by_status or ()) != {STOPPED}:
        return None
    standby = case.evidence.standby_site
    return (
        f"every mirror on the standby {standby} is STOPPED: it was promoted before, and has nothing of what came to"
        f" {case.lost_site} since. Restore {standby} as a mirror; or, if its mirrors were promoted by hand for this"
        " outage, start a failover by hand with force"
    )


def standby_renames_topics(case: Case) -> str | None:
    """Clients look for their topics by name."""
    if not case.evidence.prefixed_mirrors:
        return None
    return (
        f"{case.evidence.prefixed_mirrors} mirrors on {case.evidence.standby_site} are named otherwise than their"
        " source topics: a link with a prefix is no standby, clients would not find their topics; make the link anew"
        " without one"
    )


def lag_above_limit(case: Case) -> str | None:
    """Policy may want a person to weigh the loss."""
    limit, lag = case.policy.rpo_limit_records, case.evidence.lag
    if limit is None:
        return None
    if lag is None or lag.unknown_partitions:
        return (
            f"the lag is not known for {lag.unknown_partitions if lag else 'any'} partition(s), and policy sets a limit"
        )
    return f"the mirrors trail by {lag.records} records, above the limit of {limit}" if lag.records > limit else None


def approval_required(case: Case) -> str | None:
    """Policy may want a person to decide each time, or a second one what a first one started."""
    if case.manual:
        return "the plan's policy is to ask a second person" if case.policy.by_hand == "approve" else None
    return "the plan's policy is to ask a person" if case.policy.mode == "approve" else None


RULES: Final = (
    Rule(observing, "stand-down"),
    Rule(manual_start_disabled, "stand-down", stage="after", started_by="a person"),
    Rule(paused, "stand-down"),
    Rule(denied, "stand-down", stage="before"),
    Rule(in_maintenance_window, "stand-down"),
    Rule(observer_isolated, "wait"),
    Rule(quorum_not_met, "wait", of_votes=True),
    Rule(too_few_vantage_points, "wait", of_votes=True),
    Rule(no_alarm, "wait", of_votes=True),
    Rule(execution_unheard_of, "stand-down", stage="before"),
    Rule(another_controller_acts, "stand-down"),
    Rule(site_answers, "wait"),
    Rule(active_elsewhere, "stand-down", started_by="anyone"),
    Rule(healthy_site_not_forced, "stand-down", stage="after", started_by="a person"),
    Rule(cooling_down, "stand-down"),
    Rule(failover_rate_limited, "stand-down"),
    Rule(execution_stopped, "stand-down", stage="before"),
    Rule(execution_in_progress, "stand-down", stage="before"),
    Rule(standby_unreachable, "wait", stage="after", started_by="anyone"),
    Rule(standby_lost_too, "wait"),
    Rule(standby_holds_no_mirror, "stand-down", stage="after", started_by="anyone", lasting=True),
    Rule(standby_was_promoted, "stand-down", stage="after", started_by="anyone", lasting=True),
    Rule(standby_renames_topics, "stand-down", stage="after", started_by="anyone", lasting=True),
    Rule(lag_above_limit, "ask", stage="after"),
    Rule(approval_required, "ask", stage="after", started_by="anyone"),
)
