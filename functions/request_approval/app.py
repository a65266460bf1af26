"""request_approval: ask a person, and keep the task token that their answer needs in the ledger, in no message.

The state machine waits (`lambda:invoke.waitForTaskToken`) with the policy's deadline. To answer, see the README.
"""

from __future__ import annotations

from typing import Any

from failover.notify import notify_once
from failover.plan import Plan
from failover.step import Report, Request, done, ledger, step


class ApprovalRequest(Request):
    """`why` and `evidence` are what `assess` observed."""

    task_token: str
    assessed: dict[str, Any]


def ask(request: ApprovalRequest, plan: Plan) -> Report:
    """Keep the token; tell people once, whoever often this is called."""
    execution = request.execution
    ledger().keep_approval_token(execution, request.task_token)
    lag = (request.assessed.get("evidence") or {}).get("lag") or {}
    notify_once(
        key=f"{execution.name}:approval",
        subject=f"Approve the failover of {plan.name} from {execution.from_site} to {execution.to_site}?",
        message={
            "plan": plan.name,
            "execution": execution.name,
            "from": execution.from_site,
            "to": execution.to_site,
            "why": request.assessed.get("why"),
            "votes": request.assessed.get("votes"),
            "mirrors_trail_by_records": lag.get("records"),
            "partitions_of_unknown_lag": lag.get("unknown_partitions"),
            "answer_within_seconds": plan.policy.approval_timeout_seconds,
            "without_an_answer": plan.policy.on_approval_timeout,
        },
    )
    return done(asked=True)


handler = step("request_approval", ApprovalRequest, ask)
