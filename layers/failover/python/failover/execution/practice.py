"""A practice: two switchovers, there and back, each an execution of its own whose name tells of which practice."""

from __future__ import annotations

import time
from typing import Final

from failover.ledger.approvals import approval
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger

ATTEMPTS_BACK: Final = 3
LONGEST_S: Final = 86_400
"""From its way there to its way back; later nobody's word for the one is a word for the other."""


def way_there(practice: str) -> str:
    """The execution that leads the clients away."""
    return f"{practice}-there"


def ways_back(practice: str) -> list[str]:
    """The executions that may lead them back: each but the first is tried if the one before was given up."""
    return [f"{practice}-back", *(f"{practice}-back-{number}" for number in range(2, ATTEMPTS_BACK + 1))]


def approved_there(book: Ledger, execution: Execution) -> str | None:
    """Who approved the practice that this execution is the way back of, or None: it is none, or nobody was asked.

    Raises:
        LedgerUnavailable
    """
    if execution.name not in ways_back(execution.practice):
        return None
    there = book.execution(execution.plan, way_there(execution.practice))
    if there is None or there.status != "succeeded" or there.ended_at is None:
        return None
    leads_back = (there.from_site, there.to_site) == (execution.to_site, execution.from_site)
    next_to_it = 0 < execution.epoch - there.epoch <= ATTEMPTS_BACK and time.time() - there.ended_at < LONGEST_S
    answer = approval(book, execution.plan, there.name)
    return answer["by"] if leads_back and next_to_it and answer and answer["answer"] == "approve" else None
