"""judge_alarm: an alarm changed its state. Keep it as a signal; if it speaks against an active site, start a failover.

The alarm is a hint, never the decision: `assess` reads the evidence anew. The execution is named by plan and epoch, so
an alarm delivered twice, and a second alarm of the same outage, start nothing new. An event that can't be judged
raises, and ends in the function's dead-letter queue.
"""

from __future__ import annotations

import json
import os
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.parser import ValidationError, envelopes, parse
from botocore.exceptions import BotoCoreError, ClientError

from failover.alarm import AlarmStateChange
from failover.aws import client, error_code, is_transient
from failover.errors import BadPlan, FailoverError, MalformedEvent, ServiceUnavailable
from failover.evidence import Signal
from failover.execution import execution_name
from failover.ledger import Ledger, PlanState
from failover.plan import Plan
from failover.plans import deployed_plans

logger = Logger(service="failover")
metrics = Metrics(namespace="Failover", service="failover")


@metrics.log_metrics
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Judge one EventBridge event; answers what was done for each plan the alarm speaks for.

    Raises:
        MalformedEvent: if the event is no alarm state change.
        BadPlan: if no good plan names the alarm, but a plan that can't be read might.
        LedgerUnavailable, ServiceUnavailable: if AWS did not answer; Lambda calls again.
    """
    change = _alarm_state_change(event)
    ledger = Ledger(client("dynamodb"), os.environ["LEDGER_TABLE"])
    plans = deployed_plans()
    judged = [
        _judge(plan, site, change, ledger)
        for plan in plans.values()
        if isinstance(plan, Plan) and (site := plan.site_of_alarm(change.alarm_name))
    ]
    if not judged and (bad := next((plan for plan in plans.values() if isinstance(plan, BadPlan)), None)):
        raise bad
    metrics.add_metric("AlarmsJudged", MetricUnit.Count, max(1, len(judged)))
    if not judged:
        logger.warning("alarm of no plan", alarm=change.alarm_name, plans=sorted(plans))
        return {"alarm": change.alarm_name, "judged": [], "why": "no plan names this alarm under sites.<site>.alarms"}
    return {"alarm": change.alarm_name, "judged": judged}


def _judge(plan: Plan, site: str, change: AlarmStateChange, ledger: Ledger) -> dict[str, Any]:
    silenced = change.silenced()
    signal = Signal(
        site,
        change.alarm_name,
        says_lost=change.says_lost() and not silenced,
        at=change.state.timestamp.timestamp(),
        since=change.since().timestamp(),
        why=silenced or change.reason(),
    )
    kept = ledger.record_signal(plan.name, signal)
    state = ledger.state(plan.name, plan.home)
    why_not = silenced or _why_not(plan, site, signal, state)
    if why_not is None and not kept:
        why_not = _overtaken(signal, ledger.signals(plan.name, site))
    started = None if why_not else _start(plan, site, state, signal)
    answer = {"plan": plan.name, "site": site, "signal_kept": kept, "started": started, "why_not": why_not}
    logger.info(
        "judged", extra={**answer, "alarm": change.alarm_name, "changed_at": change.state.timestamp.isoformat()}
    )
    return answer


def _why_not(plan: Plan, site: str, signal: Signal, state: PlanState) -> str | None:
    if not signal.says_lost:
        return "the alarm does not say that the site is lost"
    if site != state.active:
        return f"{site} is the standby; {state.active} is active"
    if state.holder is not None:
        return f"{state.holder} is at it already"
    if plan.policy.mode == "observe":
        return "the plan's policy is to observe"
    if state.changed_at is not None and signal.at <= state.changed_at:
        return "the alarm is older than the last change of the active site"
    return None


def _overtaken(signal: Signal, known: list[Signal]) -> str | None:
    """Why an event that was not kept is no news; one that was only delivered twice still is."""
    later = next((each for each in known if each.source == signal.source and each.at > signal.at), None)
    return f"a later event of {signal.source} is known: {later.why}" if later else None


def _start(plan: Plan, site: str, state: PlanState, signal: Signal) -> str:
    """StartExecution by a name that plan and epoch give; the same name again is the same execution
    (https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html)."""
    epoch = state.epoch + 1
    name = execution_name(plan.name, epoch, "failover")
    request = {"plan": plan.name, "kind": "failover", "from": site, "to": plan.other(site), "epoch": epoch}
    try:
        client("stepfunctions").start_execution(
            stateMachineArn=os.environ["STATE_MACHINE_ARN"],
            name=name,
            input=json.dumps(request | {"outage_started_at": signal.since}, sort_keys=True),
        )
    except ClientError as error:
        if error_code(error) == "ExecutionAlreadyExists":
            logger.info("already started", execution=name)
            return name
        if is_transient(error):
            raise ServiceUnavailable(f"Step Functions did not start {name}: {error}") from error
        raise
    except BotoCoreError as error:
        raise ServiceUnavailable(f"Step Functions did not start {name}: {error}") from error
    return name


def _alarm_state_change(event: dict[str, Any]) -> AlarmStateChange:
    try:
        if event["source"] != "aws.cloudwatch" or event["detail-type"] != "CloudWatch Alarm State Change":
            raise MalformedEvent(f"{event['source']} {event['detail-type']!r} is no CloudWatch Alarm State Change")
        change = parse(event=event, model=AlarmStateChange, envelope=envelopes.EventBridgeEnvelope)
    except FailoverError:
        raise
    except (ValidationError, KeyError, TypeError) as error:
        raise MalformedEvent(
            "this is no CloudWatch alarm state change as EventBridge delivers it (an alarm's direct Lambda action has"
            f" another shape; point an EventBridge rule here instead): {type(error).__name__}: {error}"
        ) from None
    if not isinstance(change, AlarmStateChange):
        raise MalformedEvent("the event has no detail")
    return change
