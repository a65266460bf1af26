"""The controller itself: its plan, whether its lease is free, whether it has walked through a failover lately, and
whether its functions would be let run. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from failover.execution.runs import Ended
from failover.ledger.records import ExecutionRecord, PlanState
from failover.plan.consistency import too_old_between_looks, warnings
from failover.plan.model import Plan
from failover.readiness import Check, Finding, fail, ok, unknown, warn
from failover.readiness.dry_run import DryRun

LEASE: Final = "lease"
"""The check that says how the lease becomes free."""
UNRESERVED_AT_LEAST: Final = 100
LONGEST_RUN_S: Final = 3600.0
"""The deadlines of all steps together are below it; waiting for a person comes on top."""


def plan_itself(plan: Plan, watched_every_s: float) -> Iterator[Finding]:
    """What the plan says that most likely is not meant, and what can't work where the sites are looked at so rarely."""
    yield ok(f"the plan leads from {plan.home} to {plan.other(plan.home)} and back")
    for path, what in warnings(plan):
        yield warn(f"{path} {what}", f"mend {path} in the plan, or leave it if it is meant")
    for path, what in too_old_between_looks(plan, watched_every_s):
        yield fail(f"{path} {what}", "mend the plan, or let the stack look more often (WatchSeconds)")


def under_way(plan: Plan, state: PlanState, holder: ExecutionRecord | None, ended: Ended | None, now: float) -> bool:
    """Whether an execution is at it: it holds the lease, has not ended, and not for longer than any may take. `ended`:
    what Step Functions says of a holder that runs no more."""
    if state.holder is None or holder is None or holder.status != "running" or ended is not None:
        return False
    return now - holder.started_at <= LONGEST_RUN_S + plan.policy.approval_timeout_seconds


def lease(
    plan: Plan, state: PlanState, holder: ExecutionRecord | None, ended: Ended | None, now: float
) -> Iterator[Finding]:
    """Whether a failover could take the plan's lease."""
    if state.holder is None:
        yield ok(f"the lease is free; {state.active} is active, epoch {state.epoch}")
        return
    if holder is None:
        yield unknown(f"{state.holder} holds the lease, and the ledger knows nothing of it", "look at the ledger")
        return
    holding = f"holds the lease since {now - holder.started_at:,.0f} s"
    free = f"redrive it, or start another execution with supersedes={state.holder!r}"
    if under_way(plan, state, holder=holder, ended=ended, now=now):
        yield warn(f"{state.holder} is at it, and {holding}", "let it end")
    elif ended is not None and holder.status == "running":
        yield fail(f"{ended}, since {now - holder.started_at:,.0f} s", free)
    elif holder.status == "running":
        yield fail(f"{state.holder} {holding}, longer than any execution takes", free)
    else:
        yield fail(f"{state.holder} has {holder.status}, and {holding}", free)


def after_stop(check: Check, holder: str) -> Check:
    """A check while an execution that stopped holds the lease: what it left half done is mended by going on with it."""
    if not check.remedy or check.name == LEASE:
        return check
    return replace(check, remedy=f"redrive or supersede {holder} first, then look again")


def last_dry_run(plan: str, last: DryRun | None, *, standby: str, max_age_s: float, now: float) -> Iterator[Finding]:
    """Whether the plan's state machine was walked through lately, towards this standby, to its end."""
    how = f"start a dry run: failover start failover {plan} --dry-run"
    if last is None:
        yield fail("the failover was never walked through", how)
        return
    age = now - last.ended_at
    steps = ", ".join(f"{step} {seconds:.1f} s" for step, seconds in last.steps.items())
    summary = f"{last.execution} ended {age:,.0f} s ago as {last.outcome} after {last.took_seconds:.1f} s ({steps})"
    if last.to_site != standby:
        yield fail(f"the last dry run led to {last.to_site}; none to {standby} yet", how)
    elif last.outcome != "succeeded":
        yield fail(f"{summary}: {last.why}", "mend what it stopped at: a failover would stop there, too")
    elif age > max_age_s:
        yield fail(summary, f"{how}; look why none was started for so long")
    else:
        yield ok(summary)
    for remark in last.remarks:
        yield warn(remark, "look at it: on the day it costs time, or topics")


def concurrency(limit: int, unreserved: int) -> Iterator[Finding]:
    """Whether the functions share enough concurrent calls with all others of the account in this region, or have some
    reserved; Lambda lets nobody reserve more than all but 100
    (https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html)."""
    fact = f"{unreserved:,} of the account's {limit:,} concurrent calls of functions in this region are not reserved"
    if unreserved < UNRESERVED_AT_LEAST:
        yield warn(
            f"{fact}: whoever floods any other function throttles a failover, and no more can be reserved below"
            f" {UNRESERVED_AT_LEAST}",
            "ask AWS for more concurrent executions, then reserve some for the controller (JudgeConcurrency, …)",
        )
    else:
        yield ok(fact)
