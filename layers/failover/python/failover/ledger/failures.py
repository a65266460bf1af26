"""What a step raised, as it keeps it itself: Step Functions tells the error of a state of several steps, not whose.

An item beside the step's, `failure#<execution>#<step>`: a call that failed reported nothing, and what the step observed
before stands.
"""

from __future__ import annotations

import time

from failover.errors import FailoverError
from failover.ledger.dynamodb import Item
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger, expiry
from failover.ledger.records import Failure


def keep_failure(book: Ledger, execution: Execution, step: str, error: FailoverError) -> None:
    """Keep what a step raised, if the lease is still held.

    Raises:
        LeaseLost: if it is not.
        LedgerUnavailable, LedgerRejected
    """
    book.hold(execution)
    fields: Item = {"step": step, "error": type(error).__name__, "why": str(error), "at": str(time.time())}
    fields |= {"cluster": getattr(error, "cluster", ""), "expires": expiry(execution)}
    fields |= {"status": getattr(error, "status", None) or 0}
    book.set_fields(execution.plan, f"failure#{execution.name}#{step}", fields)


def failures(book: Ledger, execution: Execution) -> list[Failure]:
    """What each step of an execution raised last, if it raised anything.

    Raises:
        LedgerUnavailable
    """
    return [
        Failure(
            step=item["step"],
            error=item["error"],
            why=item["why"],
            cluster=item["cluster"],
            status=int(item["status"]) or None,
            at=float(item["at"]),
        )
        for item in book.list_items(execution.plan, f"failure#{execution.name}#")
    ]
