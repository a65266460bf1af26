"""judge: something was heard of a site. Keep it as a signal; if the signals speak against the active site, fail over.
Once a minute it is called although nothing was heard: what is known is judged again, with the alarms that stand.

What is heard is a hint, never the decision: `assess` reads the evidence anew. The execution is named by plan, epoch and
attempt, so an event delivered twice, and a second signal of the same outage, start nothing new; an attempt is over when
Step Functions says so and the ledger did not move on.

An event may speak of many plans. Each is judged beside the others and answered by itself, and none waits for another.
An event that can't be judged raises, and ends in the function's dead-letter queue; what can't be judged of one plan
alone goes on the bus again by itself, so that it takes no other there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Final

from aws_lambda_powertools import Logger

from failover.aws.clients import client
from failover.aws.events import put_event_at_most_once
from failover.container import remembered
from failover.decision.case import Case, Decision
from failover.decision.controllers import controller_regions, current_region, deferred_to
from failover.decision.log import decision_record, record_decision
from failover.decision.notices import notify_ended_holder, notify_silent_holder, notify_withheld
from failover.decision.rules import denied, failover_withheld, judge, only_too_young
from failover.decision.votes import observed_healthy, votes_against
from failover.detection.alarm_recheck import current_signals
from failover.detection.events import ParsedEvent, PlanSignals, parse_event
from failover.detection.evidence import Evidence, Signal
from failover.detection.observation import DETAIL_TYPE
from failover.detection.signal_store import save_signal
from failover.errors import FailoverError, ServiceUnavailable
from failover.execution.runs import Ended, describe_run, ended_holder, holder_silent_for, run_arn, start_run
from failover.ledger.execution import execution_name
from failover.ledger.ledger import Ledger
from failover.ledger.records import PlanState
from failover.plan.model import Plan

ALL_WELL_S: Final = 60.0
"""Observations come every second or two. That all is well is evaluated and kept once a minute by each container."""
WAIT_AT_MOST_S: Final = 30.0
"""For votes that are only too young, where nobody looks again in a moment. What is younger is judged a minute later."""
SILENCE_LIMIT_S: Final = 90.0
"""Where both sites look well, a silence of Step Functions that lasts longer than a minute of throttling is told of."""
ATTEMPTS_AT_ONCE: Final = 20
REASON_LIMIT: Final = 500
"""Characters that a start may give as its reason."""

logger = Logger(service="failover")


@remembered
def _all_well() -> dict[str, float]:
    """When all was last well, by plan."""
    return {}


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Judge one EventBridge event; answers what was done for each plan it speaks of.

    Raises:
        MalformedEvent: if the event is none of those that speak of a site.
        UnknownPlan, BadPlan: if no good plan is meant, but one that can't be read might be.
        LedgerUnavailable, ServiceUnavailable: if AWS did not answer; Lambda calls again.
    """
    ledger = Ledger(client("dynamodb"), os.environ["LEDGER_TABLE"])
    parsed = parse_event(event, account=os.environ["STATE_MACHINE_ARN"].split(":")[4])
    if not parsed.by_plan and not parsed.unread:
        logger.warning("no plan is meant", source=parsed.source, why=parsed.why_none)
        return {"source": parsed.source, "judged": [], "why": parsed.why_none}
    judged, failures = _judge_all(parsed, ledger)
    for plan, error in failures.items():
        logger.warning("not judged to the end", plan=plan, error=type(error).__name__, why=str(error))
    if failures and not (judged and _put_apart(parsed, failures)):
        raise next(iter(failures.values()))
    return {"source": parsed.source, "judged": judged}


def _judge_all(parsed: ParsedEvent, ledger: Ledger) -> tuple[list[dict[str, Any]], dict[str, Exception]]:
    """The answers, and what went wrong, by plan: whatever it is, the others are judged to the end."""
    judged, failures = [], dict[str, Exception](parsed.unread)
    with ThreadPoolExecutor(max_workers=max(1, len(parsed.by_plan))) as pool:
        judgements = {of_plan.plan.name: pool.submit(_judge, of_plan, ledger) for of_plan in parsed.by_plan}
    for plan, judgement in judgements.items():
        try:
            judged.append(judgement.result())
        except Exception as error:
            failures[plan] = error
    return judged, failures


def _put_apart(parsed: ParsedEvent, failures: Mapping[str, Exception]) -> bool:
    """Whether what was said of each of these plans is on the bus again by itself."""
    return all(
        plan in parsed.apart and put_event_at_most_once(DETAIL_TYPE, parsed.apart[plan]) is None for plan in failures
    )


def _judge(heard: PlanSignals, ledger: Ledger) -> dict[str, Any]:
    plan, by = heard.plan, f"judge/{current_region()}"
    with ThreadPoolExecutor() as pool:
        standing = pool.submit(ledger.state, plan.name, plan.home)
        saved = all(
            pool.map(
                lambda signal: save_signal(ledger, plan.name, signal, plan.policy.probe_max_age_seconds), heard.signals
            )
        )
        current = current_signals(ledger, plan.name, plan.policy.signal_max_age_seconds)
        state = standing.result()
    now, well = time.time(), not any(signal.says_lost for signal in current)
    quiet = well and not (state.denial or state.unannounced)
    if heard.frequent and quiet and now - _all_well().get(plan.name, 0.0) < ALL_WELL_S:
        return {"plan": plan.name, "kept": saved, "started": None, "why": "all is well"}
    case = _case(plan, state, current, ledger)
    decision = judge(case)
    if not heard.frequent and (wait := only_too_young(case, decision)) is not None and wait <= WAIT_AT_MOST_S:
        time.sleep(wait)
        current = current_signals(ledger, plan.name, plan.policy.signal_max_age_seconds)
        case = _case(plan, ledger.state(plan.name, plan.home), current, ledger)
        decision = judge(case)
    started, failure = _started(case, decision, plan, ledger)
    on = tuple(dict.fromkeys(signal.source for signal in heard.signals))
    record = decision_record(plan.name, case, decision, by=by, on=on, started=started)
    record_decision(ledger, record)
    if state.unannounced:
        _announce_missed(ledger, plan.name, state.unannounced)
    _all_well()[plan.name] = now if well else 0.0
    answer = {"plan": plan.name, "kept": saved, "started": started, "why": decision.why}
    logger.info(
        "judged", extra={**answer, "votes": decision.votes, "heard": [_spoken(signal) for signal in heard.signals]}
    )
    if failure is not None:
        notify_withheld(record, state.epoch, why=str(failure), guard=type(failure).__name__)
        raise failure
    if (ended := ended_holder(case.state)) is not None:
        # It may have given the lease back since the state was read, as it ended.
        if ledger.state(plan.name, plan.home).holder == ended.name:
            notify_ended_holder(
                plan.name,
                epoch=case.state.epoch,
                ended=ended,
                now=now,
                claim=ledger.step(plan.name, ended.name, "claim"),
                report=_own_report(ledger, plan.name, ended),
            )
    elif failover_withheld(case, decision):
        denial = case.state.denial if decision.guard == denied.__name__ else None
        notify_withheld(record, case.state.epoch, holder=case.state.holder, denial=denial)
    elif case.state.holder is not None and case.holder_silent_s >= SILENCE_LIMIT_S:
        silent_s = case.holder_silent_s
        notify_silent_holder(plan.name, epoch=case.state.epoch, holder=case.state.holder, silent_s=silent_s)
    return answer


def _own_report(ledger: Ledger, plan: str, ended: Ended) -> dict[str, Any] | None:
    """What the execution itself recorded of this end; None if it could not, or was redriven since it did."""
    record = ledger.execution(plan, ended.name)
    document = record.document if record else {}
    of_this_end = document.get("outcome") == "failed" and document.get("redrives") == ended.redrives
    return document if of_this_end else None


def _case(plan: Plan, state: PlanState, signals: tuple[Signal, ...], ledger: Ledger) -> Case:
    """The question, as the ledger and Step Functions answer it now. A denial ends when the site is seen well again."""
    ended = ended_holder(state)
    case = Case(
        evidence=Evidence(lost_site=state.active, standby_site=plan.other(state.active), signals=signals),
        policy=plan.policy,
        state=state,
        manual=False,
        now=time.time(),
        deferred_to=deferred_to(plan, state.active, current_region(), controller_regions()),
        ended_holder=None if ended is None else str(ended),
        holder_silent_s=holder_silent_for(state),
        holder_kind=_kind_of_holder(plan, state, signals, ledger),
    )
    if state.denial is None or not observed_healthy(case, state.denial.at):
        return case
    ledger.forget_denial(plan.name, state.denial)
    return replace(case, state=replace(state, denial=None))


def _kind_of_holder(plan: Plan, state: PlanState, signals: tuple[Signal, ...], ledger: Ledger) -> str:
    """Looked up only where somebody says that the active site is lost."""
    if state.holder is None or not any(signal.says_lost and signal.site == state.active for signal in signals):
        return ""
    record = ledger.execution(plan.name, state.holder)
    return record.kind if record else ""


def _started(case: Case, decision: Decision, plan: Plan, ledger: Ledger) -> tuple[str | None, FailoverError | None]:
    """The execution that runs now, if one has to; or why it could not be started."""
    if decision.verdict != "proceed":
        return None, None
    try:
        return _start(case, decision.why, plan, ledger), None
    except FailoverError as error:
        return None, error


def _start(case: Case, why: str, plan: Plan, ledger: Ledger) -> str | None:
    """Start the execution of the next epoch, or find it running; None if the ledger moved on meanwhile."""
    epoch, lost = case.state.epoch + 1, case.evidence.lost_site
    since = min(vote.since for vote in votes_against(lost, case))
    request = {"plan": plan.name, "kind": "failover", "from": lost, "to": plan.other(lost), "epoch": epoch}
    request |= {"outage_started_at": since, "by": f"judge/{current_region()}", "reason": why[:REASON_LIMIT]}
    attempt = ledger.attempt(plan.name, epoch, "failover")
    for _ in range(ATTEMPTS_AT_ONCE):
        name = execution_name(plan.name, epoch, "failover", attempt)
        if start_run(name, request) or describe_run(run_arn(name)).under_way:
            return name
        state = ledger.state(plan.name, plan.home)
        if state.epoch >= epoch or state.holder is not None:
            return None
        logger.warning("ended before it claimed the plan", execution=name)
        attempt = ledger.next_attempt(plan.name, epoch, "failover", attempt)
    raise ServiceUnavailable(f"{name} and those before it are over, unclaimed; the next judgement goes on from there")


def _announce_missed(ledger: Ledger, plan: str, executions: frozenset[str]) -> None:
    # Rarely needed, and slow to import: a judgement does not wait for it.
    from failover.execution.announcement import announce_missed

    announce_missed(ledger, plan, executions)


def _spoken(signal: Signal) -> dict[str, Any]:
    return {"site": signal.site, "source": signal.source, "lost": signal.says_lost, "at": signal.at, "why": signal.why}
