"""Which fleets an execution fenced."""

from __future__ import annotations

from failover.ledger.ledger import Ledger


def fenced_fleets(book: Ledger, plan: str, execution: str) -> set[str]:
    """The fleets that an execution has proven to be fenced, by its own word in the ledger.

    Raises:
        LedgerUnavailable
    """
    fence = book.step(plan, execution, "fence")
    fleets: dict[str, object] = fence.observed.get("fleets", {}) if fence is not None else {}
    return {fleet for fleet, state in fleets.items() if str(state).startswith("fenced")}
