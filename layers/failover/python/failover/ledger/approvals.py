"""What a person answered, as the ledger keeps it beside the token that only the waiting execution needs."""

from __future__ import annotations

from failover.documents.execution import Approval
from failover.ledger.ledger import Ledger


def approval(book: Ledger, plan: str, execution: str) -> Approval | None:
    """What a person answered to the question of that execution, or None.

    Raises:
        LedgerUnavailable
    """
    item = book.item(plan, f"approval#{execution}")
    if item is None or "answer" not in item:
        return None
    return {
        "answer": item["answer"],
        "by": item["answered_by"],
        "at": float(item["answered_at"]),
        "why": item["answered_why"],
    }
