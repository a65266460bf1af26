"""claim: take the plan's lease and raise its epoch, for this execution. From here on every change is fenced by it.

A dry run takes no lease and raises nothing.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from math import ceil
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from failover.decision.controllers import current_region
from failover.documents.steps import Claimed, FleetAt
from failover.errors import DuplicateExecution, MalformedEvent, WrongDirection
from failover.execution.claimed_plan import save_plan
from failover.execution.runs import ended_holder
from failover.execution.step import ledger, logger
from failover.ledger.execution import Execution, Kind, epoch_in_name
from failover.ledger.ledger import Ledger
from failover.ledger.records import PlanState
from failover.ledger.succession import succession
from failover.plan.location import Location
from failover.plan.model import Plan
from failover.plan.store import plan_document, plan_named
from failover.validation import read

NAME_LENGTH: Final = 2048
"""Of an ARN at most (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html)."""
LONGEST_CALL_S: Final = 20
"""No function of a step is let run for longer (the template's `Timeout`)."""
LONGEST_START_S: Final = 10
"""Of a container before its function runs, which is in no timeout
(https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html)."""


class Start(BaseModel):
    """The input of the state machine, by the judge or by hand."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, extra="forbid")

    plan: str
    to: str
    """The site that shall become active, or, of a restore, that is; a dry run may say `standby`, whichever site that
    is."""
    from_site: str | None = Field(default=None, alias="from")
    kind: Kind | None = None
    """What the state machine does that is started; another kind is another state machine's."""
    epoch: int | None = Field(default=None, ge=1)
    dry_run: bool = False
    supersedes: str | None = None
    """An execution that can't go on, and whose lease is to be taken over."""
    force: bool = False
    """Leave the active site although it answers; or, of one that supersedes, lead back to the site that was left."""
    outage_started_at: float | None = None
    by: str | None = Field(default=None, min_length=1, max_length=NAME_LENGTH)
    """Who starts it."""
    reason: str | None = Field(default=None, max_length=500)
    discard: bool = False
    """Of a restore: truncate what is stranded, though nothing saves it."""
    delete_topics: bool = False
    """Of a restore: delete topics whose link can't be reversed, once all that is stranded in them is saved, and mirror
    them anew."""
    practice: str = Field(default="", max_length=80)
    """Of a switchover: the practice that it is one way of."""


class ClaimRequest(BaseModel):
    """The start, and the execution's own name and ARN from Step Functions' context."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: Start
    execution_name: str
    execution_arn: str = ""
    kind: Kind = "failover"
    """Of the state machine that asks."""


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> Claimed:
    """Claim, and answer what the later steps need of the plan.

    Raises:
        MalformedEvent, UnknownPlan, BadPlan, UnknownSite, WrongDirection: the start can't be carried out.
        DuplicateExecution: another execution holds the lease, or this epoch was used.
        LedgerUnavailable, ServiceUnavailable: AWS did not answer.
    """
    started = time.time()
    request = read(ClaimRequest, event)
    start, name = request.start, request.execution_name
    _check_kind(request)
    plan, book = plan_named(start.plan), ledger()
    state = book.state(plan.name, plan.home)
    if start.dry_run and start.to == "standby":
        start = start.model_copy(update={"to": plan.other(state.active)})
    if start.epoch is not None and start.epoch <= state.epoch and state.holder != name:
        raise DuplicateExecution(f"epoch {start.epoch} of plan {plan.name!r} was used: the ledger is at {state.epoch}")
    leads_back = _leads_back(book, request, state)
    _check_direction(plan, request.kind, start=start, state=state, may_stay=leads_back or state.holder == name)
    _check_starter(plan, start)
    execution = Execution(
        plan=plan.name,
        epoch=_epoch(request, state),
        name=name,
        arn=request.execution_arn,
        controller=current_region(),
        kind=request.kind,
        from_site=plan.other(start.to),
        to_site=start.to,
        dry_run=start.dry_run,
        manual=start.epoch is None,
        forced=start.force,
        leads_back=leads_back,
        started_by=start.by or "",
        reason=start.reason or "",
        practice=start.practice,
        claimed_at=started,
        outage_started_at=start.outage_started_at,
    )
    wait = _predecessor_wait(state, start, name)
    if execution.dry_run:
        book.begin_dry_run(execution)
    else:
        _claim(book, execution, plan.home, start.supersedes)
    plan = save_plan(book, execution, plan_document(plan.name))
    observed = {
        "epoch": execution.epoch,
        "from": execution.from_site,
        "to": execution.to_site,
        "by": start.by,
        "reason": start.reason,
    }
    book.record_step(execution, "claim", status="done", observed=observed, started=started)
    logger.info("claimed", extra={"plan": plan.name, "execution": name, **observed})
    before, after = plan.carrying(execution.from_site), plan.carrying(execution.to_site)
    return {
        "version": 1,
        "execution": execution.as_state(),
        "fleets_joining": [fleet for fleet in _fleets(after) if fleet["site"] not in before],
        "fleets_staying": [fleet for fleet in _fleets(after) if fleet["site"] in before],
        "fleets_leaving": [fleet for fleet in _fleets(before) if fleet["site"] not in after],
        "superseding": start.supersedes is not None and not execution.dry_run,
        "predecessor_wait_seconds": wait,
        "approval_timeout_seconds": plan.policy.approval_timeout_seconds,
        "on_approval_timeout": plan.policy.on_approval_timeout,
        "promotion_timeout_seconds": plan.policy.promotion_timeout_seconds,
        "drain_timeout_seconds": plan.policy.drain_timeout_seconds,
        "discard": start.discard,
        "delete_topics": start.delete_topics,
        "hooks": sorted({moment for hook in plan.hooks for moment in hook.when}),
    }


def _fleets(locations: Mapping[str, Location]) -> list[FleetAt]:
    return [{"site": name, "fleet": fleet.name} for name, location in locations.items() for fleet in location.fleets]


def _predecessor_wait(state: PlanState, start: Start, name: str) -> int:
    """For how long a call of the superseded execution may still be in flight: its lease is gone for the next call, but
    the epoch guards no change that was asked of ECS or of a name's provider before."""
    if start.supersedes is None or start.dry_run:
        return 0
    ended = ended_holder(state) if state.holder != name else None
    if ended is None or ended.at is None:
        return LONGEST_CALL_S
    return max(0, min(LONGEST_CALL_S, ceil(ended.at + LONGEST_START_S + LONGEST_CALL_S - time.time())))


def _claim(book: Ledger, execution: Execution, home: str, supersedes: str | None) -> None:
    """Take the lease. Who holds it and runs no more does not end by itself: whoever wants it must know."""
    try:
        book.claim(execution, home, supersedes)
    except DuplicateExecution:
        if (ended := ended_holder(book.state(execution.plan, home))) is None:
            raise
        raise DuplicateExecution(f"{ended}: redrive it, or start with supersedes={ended.name!r}") from None


def _check_kind(request: ClaimRequest) -> None:
    start = request.start
    if start.kind not in (None, request.kind):
        raise MalformedEvent(f"this state machine does a {request.kind}: a {start.kind} is started on another one")
    if start.discard and request.kind != "restore":
        raise MalformedEvent(f"a {request.kind} truncates nothing: leave out discard")
    if start.delete_topics and request.kind != "restore":
        raise MalformedEvent(f"a {request.kind} deletes nothing: leave out delete_topics")
    if start.delete_topics and start.discard:
        raise MalformedEvent("topics are deleted only once all that is stranded is saved: leave out discard")
    if start.practice and request.kind != "switchover":
        raise MalformedEvent(f"a practice is two switchovers, and no {request.kind}: leave out practice")
    if request.kind == "failover":
        return
    if misplaced := sorted({"epoch", "force", "supersedes", "outage_started_at"} & start.model_fields_set):
        raise MalformedEvent(
            f"a {request.kind} is started by hand, with both sites up, and takes over from nobody: leave out"
            f" {', '.join(misplaced)}"
        )


def _leads_back(book: Ledger, request: ClaimRequest, state: PlanState) -> bool:
    """Whether it takes over from what was leaving the active site, to lead clients back there: the site that was to
    take over is lost in the middle of it. What took over from that one, and stood down, left it as it was.

    Raises:
        WrongDirection: it would, and nobody said that they mean it.
    """
    start, before = request.start, request.start.supersedes
    if request.kind != "failover" or start.to != state.active or before is None:
        return False
    chain = [record for _, record in succession(book, start.plan, before) if record is not None]
    if not any(record.from_site == start.to for record in chain):
        return False
    stood_down = chain[0].status == "stood-down" and chain[0].supersedes is not None and chain[0].epoch == state.epoch
    holder = state.superseded if state.holder == request.execution_name else state.holder
    if before != holder and not (state.holder is None and stood_down):
        return False
    if not start.force:
        raise WrongDirection(
            f"{before} was leaving {start.to}: to lead clients back there, write force=true; what they have written to"
            " the other site since is stranded on it"
        )
    return True


def _check_direction(plan: Plan, kind: Kind, *, start: Start, state: PlanState, may_stay: bool) -> None:
    """`may_stay`: it holds the lease already, or leads back to the active site."""
    lost = plan.other(start.to)
    if start.from_site is not None and plan.other(start.from_site) != start.to:
        raise WrongDirection(
            f"from={start.from_site!r} and to={start.to!r} are one site; write from={lost!r}, or leave it out"
        )
    if kind == "restore":
        if start.to != state.active:
            raise WrongDirection(
                f"{start.to} is not the active site of plan {plan.name!r}: a restore makes {lost}, once it is back, a"
                f" mirror of the active site; if that is {state.active}, write to={state.active!r}"
            )
        return
    if start.to == state.active and not may_stay:
        raise WrongDirection(
            f"{start.to} is the active site of plan {plan.name!r} already (epoch {state.epoch}); to leave it, write"
            f" to={lost!r}"
        )


def _check_starter(plan: Plan, start: Start) -> None:
    if start.epoch is None and not start.dry_run and not start.by and plan.policy.by_hand == "approve":
        raise MalformedEvent(
            f'a second person is asked for what is started by hand of plan {plan.name!r}: write "by": "<your name>", so'
            " that it is another"
        )


def _epoch(request: ClaimRequest, state: PlanState) -> int:
    """The epoch of the start, or of the execution's name, or the next one."""
    start, name = request.start, request.execution_name
    if state.holder == name:
        return state.epoch
    if start.dry_run:
        return state.epoch + 1
    return start.epoch or epoch_in_name(name, start.plan, request.kind) or state.epoch + 1
