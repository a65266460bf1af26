"""request_approval: ask a person, with the evidence and what is expected to be lost, and keep the task token that their
answer needs in the ledger, in no message.

The state machine waits (`lambda:invoke.waitForTaskToken`) with the policy's deadline. To answer, see docs/operate.md.
"""

from __future__ import annotations

import hashlib
import os
import time
from typing import Any, Final

from failover.aws.console import execution_links
from failover.aws.notify import notify_at_least_once
from failover.errors import CredentialsMissing, LedgerRejected, ServiceRejected
from failover.execution.approval import Question, link
from failover.execution.step import Report, Request, done, ledger, logger, step
from failover.ledger.execution import Execution
from failover.message import Message
from failover.plan.model import Plan

_WITHOUT_AN_ANSWER: Final = {"stand-down": "stand down", "proceed": "proceed"}


class ApprovalRequest(Request):
    """`why` and `evidence` are what `assess` observed."""

    task_token: str
    assessed: dict[str, Any]


def ask(request: ApprovalRequest, plan: Plan) -> Report:
    """Keep the token; tell people once for each token: a redrive waits under another, and asks again."""
    execution = request.execution
    ledger().save_approval_token(execution, request.task_token)
    expires = int(time.time()) + plan.policy.approval_timeout_seconds
    try:
        question = Question(plan.name, execution.name, expires)
        document = _document(plan, request, _link(question))
        notify_at_least_once(
            key=f"{execution.name}:approval:{hashlib.sha256(request.task_token.encode()).hexdigest()[:16]}",
            message=_message(plan, request, document["answer_at"]),
            document=document,
        )
    except (LedgerRejected, ServiceRejected) as error:
        # The question stands all the same, and whoever looks at the ledger can answer it.
        logger.error("a person is asked, and not told", why=str(error))
        return done(asked=True, untold=str(error))
    return done(asked=True)


def _message(plan: Plan, request: ApprovalRequest, link: str | None) -> Message:
    execution, policy = request.execution, plan.policy
    loss = request.assessed.get("expected_loss") or {}
    records = loss.get("records")
    stranded = f"{records['low']:,} to {records['high']:,} records (estimated)" if records else "not known"
    unknown = f", {loss['unknown_partitions']} partitions unknown" if loss.get("unknown_partitions") else ""
    votes = [f"says that {execution.from_site} is lost: {vote}" for vote in request.assessed.get("votes") or ()]
    return Message(
        subject=f"Approve the {execution.kind} of {plan.name} to {execution.to_site}?",
        what_happened=f"A {execution.kind} of {plan.name} from {execution.from_site} to {execution.to_site} waits for a"
        f" person: {request.assessed.get('why')}",
        clients=_clients(execution),
        done="nothing yet; what is stranded is counted, and saved, before anything is truncated"
        if execution.kind == "restore"
        else f"nothing yet; expected to be stranded if you approve: {stranded}{unknown}",
        to_do=f"approve or deny within {policy.approval_timeout_seconds} s; without an answer it will"
        f" {_WITHOUT_AN_ANSWER[policy.on_approval_timeout]}",
        commands=(f"approve {plan.name}", f'deny {plan.name} --why "..."'),
        evidence=[
            f"started by {execution.started_by or '(not said)'}: {execution.reason or 'no reason given'}",
            *votes,
            *(f"not ready: {line}" for line in request.assessed.get("known_unready", ())),
        ],
        links=((("Evidence, and your answer", link),) if link else ()) + execution_links(execution.arn),
    )


def _clients(execution: Execution) -> str:
    """What they feel while nobody answers."""
    match execution.kind:
        case "restore":
            return f"they work on {execution.to_site}, whatever you answer"
        case "switchover":
            return f"they work on {execution.from_site} until somebody answers"
        case _:
            return f"if {execution.from_site} is lost, they can't work until somebody answers"


def _document(plan: Plan, request: ApprovalRequest, link: str | None) -> dict[str, Any]:
    """The same for machines."""
    execution, loss = request.execution, request.assessed.get("expected_loss") or {}
    return {
        "plan": plan.name,
        "execution": execution.name,
        "from": execution.from_site,
        "to": execution.to_site,
        "started_by": execution.started_by,
        "reason": execution.reason,
        "why": request.assessed.get("why"),
        "votes": request.assessed.get("votes"),
        "expected_to_be_stranded": {
            name: loss.get(name) for name in ("label", "records", "at_least", "unknown_partitions", "observed")
        },
        "known_to_be_unready": request.assessed.get("known_unready", []),
        "answer_at": link,
        "or_from_the_command_line": _command(plan.name, execution.name),
        "answer_within_seconds": plan.policy.approval_timeout_seconds,
        "without_an_answer": plan.policy.on_approval_timeout,
    }


def _link(question: Question) -> str | None:
    """A question without its link can be answered from the command line."""
    try:
        return link(question)
    except CredentialsMissing as error:
        logger.error("the question has no link", why=str(error))
        return None


def _command(plan: str, execution: str) -> str:
    payload = f'{{"plan": "{plan}", "execution": "{execution}", "answer": "approve", "by": "<you>"}}'
    function = f"--region {os.environ.get('AWS_REGION', '')} --function-name {os.environ.get('ANSWER_FUNCTION', '')}"
    return f"aws lambda invoke {function} --cli-binary-format raw-in-base64-out --payload '{payload}' answer.json"


handler = step("request_approval", ApprovalRequest, ask)
