"""What people are told when nothing is being done, or nobody is at it any more: at once, and hourly for each reason.

A message that can't be sent raises; whoever judges has judged and recorded by then, and judges again.
"""

from __future__ import annotations

from typing import Any, Final

from failover.decision.log import DecisionRecord
from failover.execution.runs import Ended
from failover.ledger.records import StepRecord

HOUR_S: Final = 3600


def notify_withheld(record: DecisionRecord, epoch: int, why: str = "", guard: str = "") -> None:
    """The active site looks lost, and nothing is done about it. `why` and `guard`: in place of the decision's own.

    Raises:
        LedgerUnavailable, ServiceUnavailable, LedgerRejected, ServiceRejected
    """
    why, guard = why or record.decision.why, guard or record.decision.guard
    _notify_hourly(
        f"held-back:{record.plan}:{epoch}:{guard}",
        record.at,
        f"{record.site} of {record.plan} looks lost, and nothing is done: {why}",
        {**record.as_document(), "why": why, "guard": guard},
    )


def notify_ended_holder(plan: str, *, epoch: int, ended: Ended, now: float, claim: StepRecord | None) -> None:
    """An execution is over and keeps the plan's lease: nothing is started until a person sees to it. `claim`: its first
    step, which knows who started it.

    Raises:
        LedgerUnavailable, ServiceUnavailable, LedgerRejected, ServiceRejected
    """
    _notify_hourly(
        f"ended-holder:{plan}:{epoch}:{ended.name}:{ended.at}",
        now,
        f"{plan}: {ended}: a person is needed",
        {
            "plan": plan,
            "execution": ended.name,
            "status": ended.status,
            "started_by": claim and claim.observed.get("by"),
            "reason": claim and claim.observed.get("reason"),
            "ended_at": ended.at,
            "remedy": f"mend the cause and redrive it, or start another with supersedes={ended.name!r}; until then"
            " nothing is started for this plan",
        },
    )


def _notify_hourly(key: str, now: float, subject: str, message: dict[str, Any]) -> None:
    # Rarely needed, and slow to import: a judgement does not wait for it.
    from failover.aws.notify import notify_at_least_once

    notify_at_least_once(key=f"{key}:{int(now // HOUR_S)}", subject=subject, message=message)
