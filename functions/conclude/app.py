"""conclude: end the execution. The ledger gets the outcome and the report, and but for a failure the lease is released.

`announce` tells of it afterwards; of a failure this step does. A failure is recorded and then raised, so that the
execution ends as failed in this very state, with the lease kept. When it is redriven, this state is entered again, is
told so, and answers where to go on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any, Literal, cast

from failover.documents.execution import ExecutionReport, Loss, Stop
from failover.documents.steps import Concluded
from failover.documents.stops import error_message, last_stop
from failover.errors import FailoverError, FailoverStopped, LeaseLost, TransientError
from failover.execution.announcement import announce
from failover.execution.claimed_plan import claimed_plan, renew_plan
from failover.execution.predecessors import Predecessor, predecessors, where_the_name_leads
from failover.execution.report import Ending, execution_report
from failover.execution.step import Request, ledger, logger
from failover.execution.stops import stop_of, with_stop
from failover.ledger.approvals import approval
from failover.ledger.execution import Execution
from failover.ledger.failures import failures
from failover.ledger.ledger import Ledger
from failover.ledger.records import Denial, StepRecord
from failover.loss.record import final_loss, keep_measured_loss
from failover.plan.model import Plan
from failover.readiness.dry_run import save_dry_run
from failover.readiness.practice import save_leg
from failover.validation import read


class ConcludeRequest(Request):
    """`stopped_at` and `error` of a failure; `redrives`: how often the execution was redriven, and `redriven`: that it
    was since it stopped, or since it was proven that clients can work, so that there is nothing to record, but to go on
    from `stopped_at`."""

    outcome: Literal["succeeded", "stood-down", "failed"]
    why: str = ""
    stopped_at: str | None = None
    error: dict[str, Any] | None = None
    redrives: int = 0
    redriven: bool = False


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> Concluded:
    """Conclude; answers the outcome, or `resume` and the step to go on with.

    Raises:
        FailoverStopped: once a failure is recorded, or can't be.
        LeaseLost: if another execution holds the plan by now.
        LedgerUnavailable, ServiceUnavailable: AWS did not answer.
    """
    request = read(ConcludeRequest, event)
    execution, book = request.execution, ledger()
    if request.redriven and not _is_recorded(book, request):
        book.hold(execution)
        _note_redrive(book, execution)
        renew_plan(book, execution)
        return {"version": 1, "resume": request.stopped_at}
    try:
        return _conclude(request, book)
    except (FailoverStopped, LeaseLost, TransientError):
        raise
    except FailoverError as error:
        if request.outcome != "failed":
            raise
        raise FailoverStopped(f"{_in_words(request)}. It could not be recorded: {error}") from error


def _is_recorded(book: Ledger, request: ConcludeRequest) -> bool:
    """Whether it ended so already, though it was stopped before it heard that."""
    if request.outcome == "failed":
        return False
    record = book.execution(request.execution.plan, request.execution.name)
    return record is not None and record.status == request.outcome


def _conclude(request: ConcludeRequest, book: Ledger) -> Concluded:
    execution = request.execution
    plan = claimed_plan(book, execution)
    steps = book.steps(execution)
    promoted = any(record.step == "promote_mirrors" for record in steps) and not execution.dry_run
    promoting = promoted and execution.kind == "failover"
    loss = _loss(request, book) if promoting else None
    before = predecessors(book, execution)
    clients_at = where_the_name_leads(plan, steps) if before and request.outcome == "stood-down" else None
    moved = clients_at if clients_at == execution.inactive_site else None
    ending = Ending(
        outcome=request.outcome,
        why=_why(request),
        stopped_at=request.stopped_at if request.outcome == "failed" else None,
        error=request.error,
        redrives=request.redrives,
        predecessors=[predecessor.as_document() for predecessor in before],
        approval=approval(book, execution.plan, execution.name),
        clients_at=clients_at,
        stops=_stops(request, book, plan, steps),
    )
    report = execution_report(plan, execution, ending, steps, loss=loss)
    if execution.kind == "restore" and request.outcome == "succeeded" and not execution.dry_run:
        _amend_failover(book, execution)
    denial = _denial(execution, report, steps) or _denial_of(before, book, execution)
    book.conclude(execution, request.outcome, dict(report), denial, active=moved)
    _keep_evidence(book, report)
    logger.info("concluded", outcome=request.outcome, execution=execution.name, report=report)
    if request.outcome == "failed":
        _announce_stop(report)
        raise FailoverStopped(f"{_in_words(request)}. {_how_to_go_on(execution)}")
    return {"version": 1, "outcome": request.outcome, "why": report["why"], "report": report}


def _stops(request: ConcludeRequest, book: Ledger, plan: Plan, steps: list[StepRecord]) -> list[Stop]:
    """Every time that it stopped, as its reports of before have it, and this time, if it did."""
    execution = request.execution
    record = book.execution(execution.plan, execution.name)
    before: list[Stop] = (record.document if record else {}).get("stops", [])
    if request.outcome != "failed":
        return before
    stop = stop_of(
        plan,
        stopped_at=request.stopped_at,
        error=request.error or {},
        steps=steps,
        failures=failures(book, execution),
        at=time.time(),
    )
    return with_stop(before, stop)


def _note_redrive(book: Ledger, execution: Execution) -> None:
    """The report says when it was gone on with; noted once, also where this is called again."""
    record = book.execution(execution.plan, execution.name)
    stop = last_stop(record.document) if record else None
    if record is not None and stop is not None:
        stop["redriven_at"] = time.time()
        book.amend_report(execution.plan, execution.name, record.document)


def _why(request: ConcludeRequest) -> str:
    """What was given up says what was in doubt."""
    if request.outcome != "stood-down" or not request.error:
        return request.why
    ending = "given up, and put back" if request.execution.kind == "switchover" else "given up"
    return f"{ending}: {request.error.get('Error')}: {error_message(str(request.error.get('Cause')))}"


def _in_words(request: ConcludeRequest) -> str:
    return f"{request.execution.name} stopped at {request.stopped_at}: {json.dumps(request.error)}"


def _keep_evidence(book: Ledger, report: ExecutionReport) -> None:
    """Keep what readiness goes by. The end is recorded by now, and is no other one if this is refused."""
    try:
        if report["dry_run"] and report["kind"] == "failover":
            save_dry_run(book, report)
        if report["kind"] == "switchover" and report["outcome"] == "succeeded" and not report["dry_run"]:
            save_leg(book, report)
    except TransientError:
        raise
    except FailoverError as error:
        logger.error("the end is recorded, and no evidence of it kept", why=str(error))


def _announce_stop(report: ExecutionReport) -> None:
    """Tell of a failure here, since the state that fails is this one. A topic that refuses is no other failure."""
    try:
        announce(report)
    except TransientError:
        raise
    except FailoverError as error:
        logger.error("the failure is recorded, and not told", why=str(error))


def _denial(execution: Execution, report: ExecutionReport, steps: list[StepRecord]) -> Denial | None:
    """What a stand-down leaves behind, so that the same votes do not ask the same again. Who starts by hand may ask as
    often as they like."""
    assessed = next((record.observed for record in steps if record.step == "assess"), {})
    if execution.dry_run or execution.manual or not assessed.get("stands_until_resumed"):
        return None
    return Denial(site=execution.from_site, why=report["why"], execution=execution.name, at=time.time())


def _denial_of(before: Sequence[Predecessor], book: Ledger, execution: Execution) -> Denial | None:
    """The no to one that this took over from before it could leave it behind itself: it still is one."""
    if execution.dry_run or execution.leads_back:
        return None
    for name in (predecessor.execution for predecessor in before):
        answer = approval(book, execution.plan, name)
        if answer and answer["answer"] == "deny":
            why = f"{answer['by']} denied {name}: {answer['why'] or 'no reason given'}"
            return Denial(site=execution.from_site, why=why, execution=name, at=answer["at"])
    return None


def _loss(request: ConcludeRequest, book: Ledger) -> Loss:
    """Called again, after the lease was released, the report keeps what was said before."""
    execution = request.execution
    try:
        return final_loss(book, execution)
    except LeaseLost:
        record = book.execution(execution.plan, execution.name)
        if record is None or record.status != request.outcome:
            raise
        return cast("Loss", record.document["loss"])


def _amend_failover(book: Ledger, execution: Execution) -> None:
    """The failover's report gets what the restore measured. Called again, after the lease was released, it has it."""
    try:
        keep_measured_loss(book, execution)
    except LeaseLost:
        record = book.execution(execution.plan, execution.name)
        if record is None or record.status != "succeeded":
            raise


def _how_to_go_on(execution: Execution) -> str:
    if execution.dry_run:
        return "It was a dry run: nothing was changed. A failover would stop there, too"
    return (
        "The lease is kept. Mend the cause and redrive the execution, or start another with"
        f" supersedes={execution.name!r}"
    )
