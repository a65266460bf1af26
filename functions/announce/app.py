"""announce: tell people and other systems how an execution ended, from its report in the ledger; or that a start was
refused. It changes no outcome: whatever comes of it, the execution ends as it did.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from failover.execution.announcement import announce, announce_refusal
from failover.execution.step import Request, ledger, logger
from failover.validation import read


class RefusedStart(BaseModel):
    """A start that `claim` refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    execution_name: str
    start: Any
    """As it was written."""
    error: dict[str, Any]
    """As Step Functions gives it: `Error` and `Cause`."""

    @property
    def expected(self) -> bool:
        """Whether it is what one of several starts of the same execution ends as: two judges heard the same."""
        by_judge = isinstance(self.start, dict) and self.start.get("epoch") is not None
        return by_judge and self.error.get("Error") == "DuplicateExecution"


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Tell; answers whether there was anything to tell.

    Raises:
        MalformedEvent: the event is neither of an execution nor of a refused start.
        LedgerUnavailable, ServiceUnavailable: it is not known to be told; call again.
        LedgerRejected, ServiceRejected: this stack may not tell.
    """
    if "execution_name" in event:
        return {"announced": _announce_refusal(read(RefusedStart, event))}
    execution = read(Request, event).execution
    book = ledger()
    record = book.execution(execution.plan, execution.name)
    if record is None or not record.document:
        logger.warning("the ledger has no report to announce", execution=execution.name)
        return {"announced": False}
    if execution.dry_run:
        return {"announced": False}
    announce(record.document)
    book.keep_announced(execution.plan, execution.name)
    return {"announced": True}


def _announce_refusal(refused: RefusedStart) -> bool:
    if refused.expected:
        return False
    announce_refusal(refused.execution_name, refused.start, refused.error)
    return True
