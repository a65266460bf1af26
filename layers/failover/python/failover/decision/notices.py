"""What people are told when nothing is being done, or nobody is at it any more: at once, and hourly for each reason.

A message that can't be sent raises; whoever judges has judged and recorded by then, and judges again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from failover.decision.log import DecisionRecord
from failover.execution.runs import Ended
from failover.ledger.records import Denial, StepRecord
from failover.message import Message

HOUR_S: Final = 3600


def notify_withheld(
    record: DecisionRecord,
    epoch: int,
    *,
    why: str = "",
    guard: str = "",
    holder: str | None = None,
    denial: Denial | None = None,
) -> None:
    """The active site looks lost, and nothing is done about it. `why` and `guard`: in place of the decision's own;
    `holder`: of the lease, from whom a failover would have to take over; `denial`: which the decision goes by, and of
    which its execution told people as it ended: they hear of it again once an hour is over.

    Raises:
        LedgerUnavailable, ServiceUnavailable, LedgerRejected, ServiceRejected
    """
    if denial is not None and record.at - denial.at < HOUR_S:
        return
    why, guard = why or record.decision.why, guard or record.decision.guard
    takes_over = " --supersede" if holder else ""
    _notify_hourly(
        f"held-back:{record.plan}:{epoch}:{guard}",
        Message(
            subject=f"{record.plan}: {record.site} looks lost, nothing is done: {why}",
            what_happened=f"{record.site} of {record.plan} looks lost, and nothing is done: {why}",
            clients=f"if {record.site} is lost, they can't work until somebody acts",
            done="nothing was changed",
            to_do=f"look whether {record.site} is lost; if so, have the standby take over",
            commands=(
                f"status {record.plan}",
                f'start failover {record.plan}{takes_over} --why "{record.site} is lost"',
            ),
            evidence=[f"says that it is lost: {vote}" for vote in record.decision.votes] or ["no vote stands"],
        ),
        {**record.as_document(), "why": why, "guard": guard},
    )


def notify_silent_holder(plan: str, *, epoch: int, holder: str, silent_s: float) -> None:
    """Nobody can tell whether the execution that holds the lease goes on, as where its region is lost with it: clients
    may stand behind its fence meanwhile, though both sites look well.

    Raises:
        LedgerUnavailable, ServiceUnavailable, LedgerRejected, ServiceRejected
    """
    _notify_hourly(
        f"silent-holder:{plan}:{epoch}:{holder}",
        Message(
            subject=f"{plan}: not known whether {holder} goes on",
            what_happened=f"{holder} holds the lease of {plan}, and Step Functions in its region has not told for"
            f" {silent_s:.0f} s whether it runs.",
            clients="where it left them: behind a fence they can't write",
            done="nothing was changed by who tells this",
            to_do="look whether its region is lost; it goes on by itself once that is back, or have another take over",
            commands=(f"status {plan}", f"supersede {plan}"),
            evidence=["Step Functions does not answer"],
        ),
        {"plan": plan, "holder": holder, "silent_seconds": round(silent_s)},
    )


def notify_ended_holder(
    plan: str,
    *,
    epoch: int,
    ended: Ended,
    now: float,
    claim: StepRecord | None,
    report: Mapping[str, Any] | None = None,
) -> None:
    """An execution is over and keeps the plan's lease: nothing is started until a person sees to it. `claim`: its first
    step, which knows who started it; `report`: its own of this end, if it wrote one, with which it told people: they
    hear of it again once an hour is over.

    Raises:
        LedgerUnavailable, ServiceUnavailable, LedgerRejected, ServiceRejected
    """
    # Rarely needed, and slow to import: a judgement does not wait for it.
    from failover.aws.notify import notify_at_least_once
    from failover.execution.announcement import announce

    own = report if ended.at is not None else None
    hours = int((now - (ended.at or 0.0)) // HOUR_S)
    if own is not None and hours < 1:
        announce(own)
        return
    notify_at_least_once(
        key=f"ended-holder:{plan}:{epoch}:{ended.name}:{ended.at}:{hours}",
        message=_stopped(plan, ended, claim) if own is None else _still_stopped(dict(own), hours),
        document={
            "plan": plan,
            "execution": ended.name,
            "status": ended.status,
            "started_by": claim.observed.get("by") if claim else None,
            "reason": claim.observed.get("reason") if claim else None,
            "ended_at": ended.at,
            "remedy": f"mend the cause and redrive it, or start another with supersedes={ended.name!r}; until then"
            " nothing is started for this plan",
        },
    )


def _stopped(plan: str, ended: Ended, claim: StepRecord | None) -> Message:
    by, reason = (claim.observed.get("by"), claim.observed.get("reason")) if claim else (None, None)
    return Message(
        subject=f"{plan}: STOPPED, a person is needed: {ended.name}",
        what_happened=f"{plan}: {ended}: nothing is started for this plan until a person sees to it.",
        clients="where it left them: the status says which site is active, and which step was the last",
        to_do="mend the cause and redrive it; if it can't go on, start another in its place",
        commands=(f"status {plan}", f"redrive {plan}", f"supersede {plan}"),
        evidence=[f"started by {by or '(not said)'}: {reason or 'no reason given'}"],
    )


def _still_stopped(report: dict[str, Any], hours: int) -> Message:
    """What it said itself, and for how long nobody saw to it."""
    from failover.execution.ending import message_of

    own = message_of(report)
    since = f"For {hours} h nobody saw to it. {own.what_happened}"
    return replace(own, subject=f"{report['plan']}: STOPPED {hours} h ago, a person is needed", what_happened=since)


def _notify_hourly(key: str, message: Message, document: dict[str, Any]) -> None:
    # Rarely needed, and slow to import: a judgement does not wait for it.
    from failover.aws.notify import notify_at_least_once

    notify_at_least_once(key=key, message=message, document=document, again_after_s=HOUR_S)
