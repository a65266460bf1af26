"""announce_start: tell people that an execution begins to change something.

EventBridge calls it once Step Functions says that an execution runs; it waits in the ledger for the decision. Who
stands down, asks or rehearses changes nothing yet, and is told of elsewhere. Nothing waits for this, and no execution
fails by it.
"""

from __future__ import annotations

import time
from typing import Any, Final

from failover.aws.console import execution_links
from failover.aws.notify import notify_at_least_once
from failover.execution.status_change import StatusChange, status_change
from failover.execution.step import ledger, logger
from failover.ledger.ledger import Ledger
from failover.ledger.records import StepRecord
from failover.message import Message

SPARE_S: Final = 20.0
"""Left of the function's time to tell. An execution that was not decided by then is in trouble: its end is told."""
LOOK_AGAIN_S: Final = 1.0
_CLIENTS: Final = {
    "failover": "they can't work where they are, or soon can't; they are led over once the other site is writable",
    "switchover": "they stand still for a while, and go on at the other site",
    "restore": "as before",
}


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Tell, once for each execution; answers whether there was anything to tell.

    Raises:
        MalformedEvent: it is no event of Step Functions.
        LedgerUnavailable, ServiceUnavailable: it is not known to be told; Lambda calls again.
        LedgerRejected, ServiceRejected: this stack may not tell.
    """
    started = status_change(event)
    if started.dry_run or not started.plan:
        return {"announced": False}
    book = ledger()
    decision = _decision(book, started, within=context.get_remaining_time_in_millis() / 1000 - SPARE_S)
    if decision is None or decision.observed.get("verdict") != "proceed":
        return {"announced": False}
    message = _message(book, started, decision)
    if message is None:
        return {"announced": False}
    document = {"plan": started.plan, "execution": started.execution, "why": decision.observed.get("why", "")}
    notify_at_least_once(key=f"{started.execution}:begins", message=message, document=document)
    return {"announced": True}


def _decision(book: Ledger, started: StatusChange, within: float) -> StepRecord | None:
    """What assess or precheck decided, once one has; None: neither did `within` so many seconds."""
    until = time.monotonic() + within
    while True:
        looks = (book.step(started.plan, started.execution, step) for step in ("assess", "precheck"))
        decision = next((look for look in looks if look is not None and look.status == "done"), None)
        record = book.execution(started.plan, started.execution)
        over = record is not None and record.ended_at is not None
        if decision is not None or over or time.monotonic() > until:
            return decision
        time.sleep(LOOK_AGAIN_S)


def _message(book: Ledger, started: StatusChange, decision: StepRecord) -> Message | None:
    plan, execution, observed = started.plan, started.execution, decision.observed
    record, claim = book.execution(plan, execution), book.step(plan, execution, "claim")
    if record is None:
        return None
    start = claim.observed if claim else {}
    way = f"{record.kind} of {plan} from {record.from_site} to {record.to_site}"
    whither = f"of {record.from_site}" if record.kind == "restore" else f"to {record.to_site}"
    commands = [f"status {plan} --watch", *([f"abort {plan}"] if record.kind == "switchover" else [])]
    return Message(
        subject=f"{plan}: {record.kind} {whither} begins",
        what_happened=f"The {way} begins: {observed.get('why') or 'nothing is in doubt'}",
        clients=_CLIENTS[record.kind],
        done=f"nothing yet; {_expected(record.kind, observed)}",
        to_do="nothing; how it ends is told",
        commands=commands,
        evidence=[
            f"started by {start.get('by') or 'the controller'}: {start.get('reason') or 'no reason given'}",
            *(f"says that {record.from_site} is lost: {vote}" for vote in observed.get("votes") or ()),
        ],
        links=execution_links(started.arn),
    )


def _expected(kind: str, observed: dict[str, Any]) -> str:
    """What it is expected to cost; never a number where it is not known."""
    if kind == "restore":
        return "what is stranded is counted before anything is truncated"
    if "expected_loss" not in observed:
        return "no record is left behind on purpose"
    records = (observed["expected_loss"] or {}).get("records")
    stranded = f"{records['low']:,} to {records['high']:,} records (estimated)" if records else "not known"
    return f"expected to be stranded: {stranded}"
