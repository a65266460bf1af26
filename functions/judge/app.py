"""judge: something was heard of a site. Keep it as a signal; if the signals speak against the active site, fail over.

What is heard is a hint, never the decision: `assess` reads the evidence anew. The execution is named by plan and epoch,
so an event delivered twice, and a second signal of the same outage, start nothing new. An event that can't be judged
raises, and ends in the function's dead-letter queue.
"""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from failover.aws.clients import client
from failover.aws.errors import aws_errors
from failover.container import remembered
from failover.decision.controllers import controller_regions, current_region, deferred_to
from failover.decision.log import DecisionRecord, decision_record, last_decision, record_decision
from failover.decision.rules import Case, held_back, judge, votes_against
from failover.detection.events import Heard, heard
from failover.detection.evidence import Evidence, Signal
from failover.detection.signal_store import save_signal, signals
from failover.errors import ServiceRejected, ServiceUnavailable
from failover.ledger.execution import execution_name
from failover.ledger.ledger import Ledger
from failover.plan.model import Plan

ALL_WELL_S = 60.0
"""Sights come every second or two. That all is well is evaluated and kept once a minute by each container."""

logger = Logger(service="failover")
metrics = Metrics(namespace="Failover", service="failover")


@remembered
def _all_well() -> dict[str, float]:
    """When all was last well, by plan."""
    return {}


@metrics.log_metrics
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Judge one EventBridge event; answers what was done for each plan it speaks of.

    Raises:
        MalformedEvent: if the event is none of those that speak of a site.
        UnknownPlan, BadPlan: if no good plan is meant, but one that can't be read might be.
        LedgerUnavailable, ServiceUnavailable: if AWS did not answer; Lambda calls again.
    """
    ledger = Ledger(client("dynamodb"), os.environ["LEDGER_TABLE"])
    said = heard(event)
    metrics.add_metric("SignalsJudged", MetricUnit.Count, max(1, sum(len(each.signals) for each in said.by_plan)))
    if not said.by_plan:
        logger.warning("no plan is meant", source=said.source, why=said.nobody)
        return {"source": said.source, "judged": [], "why": said.nobody}
    return {"source": said.source, "judged": [_judge(each, ledger) for each in said.by_plan]}


def _judge(said: Heard, ledger: Ledger) -> dict[str, Any]:
    plan = said.plan
    gap, now = plan.policy.probe_max_age_seconds, time.time()
    by = f"judge/{current_region()}"
    with ThreadPoolExecutor() as pool:
        standing = pool.submit(ledger.state, plan.name, plan.home)
        before = pool.submit(last_decision, ledger, plan.name, by)
        kept = list(pool.map(lambda signal: save_signal(ledger, plan.name, signal, gap), said.signals))
        known = tuple(signals(ledger, plan.name))
        state, last = standing.result(), before.result()
    well = not any(signal.says_lost for signal in known)
    if said.often and well and now - _all_well().get(plan.name, 0.0) < ALL_WELL_S:
        return {"plan": plan.name, "kept": all(kept), "started": None, "why": "all is well"}
    evidence = Evidence(state.active, plan.other(state.active), known)
    turn = deferred_to(plan, state.active, current_region(), controller_regions())
    case = Case(evidence, plan.policy, state, manual=False, now=now, deferred_to=turn)
    decision = judge(case)
    started = _start(case, plan) if decision.verdict == "proceed" else None
    on = tuple(dict.fromkeys(signal.source for signal in said.signals))
    record = decision_record(plan.name, case, decision, by, on, started)
    record_decision(ledger, record, last)
    _all_well()[plan.name] = now if well else 0.0
    if held_back(case, decision):
        _tell_people(record, state.epoch)
    answer = {"plan": plan.name, "kept": all(kept), "started": started, "why": decision.why}
    logger.info("judged", extra={**answer, "votes": decision.votes, "heard": [_said(each) for each in said.signals]})
    return answer


def _tell_people(record: DecisionRecord, epoch: int) -> None:
    """A site is lost and nothing is done about it: once an hour at most for each reason."""
    # Rarely needed, and slow to import: a judgement does not wait for it.
    from failover.aws.notify import notify_at_least_once

    notify_at_least_once(
        key=f"held-back:{record.plan}:{epoch}:{record.decision.guard}:{int(record.at // 3600)}",
        subject=f"{record.site} of {record.plan} is lost, and nothing is done: {record.decision.why}",
        message=record.as_document(),
    )


def _start(case: Case, plan: Plan) -> str:
    """StartExecution by a name that plan and epoch give; the same name again is the same execution
    (https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html)."""
    epoch, lost = case.state.epoch + 1, case.evidence.lost_site
    name = execution_name(plan.name, epoch, "failover")
    since = min(vote.since for vote in votes_against(lost, case))
    request = {"plan": plan.name, "kind": "failover", "from": lost, "to": plan.other(lost), "epoch": epoch}
    states = client("stepfunctions")
    with aws_errors(f"Step Functions, to start {name}", transient=ServiceUnavailable, final=ServiceRejected):
        try:
            states.start_execution(
                stateMachineArn=os.environ["STATE_MACHINE_ARN"],
                name=name,
                input=json.dumps(request | {"outage_started_at": since}, sort_keys=True),
            )
        except states.exceptions.ExecutionAlreadyExists:
            logger.info("already started", execution=name)
    return name


def _said(signal: Signal) -> dict[str, Any]:
    return {"site": signal.site, "source": signal.source, "lost": signal.says_lost, "at": signal.at, "why": signal.why}
