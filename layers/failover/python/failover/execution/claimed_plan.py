"""The plan that an execution goes by: the one it claimed, kept in the ledger, whatever is deployed meanwhile.

An execution that began with one plan must not end with another, and no step of it needs Parameter Store.
"""

from __future__ import annotations

import time
from typing import Final

from failover.container import remembered
from failover.ledger.execution import Execution
from failover.ledger.ledger import DRY_RUN_KEPT_S, Ledger
from failover.plan.model import Plan, parse_cached
from failover.plan.store import plan_named

REMEMBERED_AT_MOST: Final = 128


@remembered
def _documents() -> dict[tuple[str, str], str]:
    """By plan and execution. What was kept never changes."""
    return {}


def keep_plan(book: Ledger, execution: Execution, document: str) -> Plan:
    """Keep the plan's document for the later steps of an execution; answers the plan it goes by: what was kept first.

    Raises:
        LedgerUnavailable
    """
    expires = {"expires": int(time.time()) + DRY_RUN_KEPT_S} if execution.dry_run else {}
    book.put_once(execution.plan, _sort(execution), {"document": document} | expires)
    return claimed_plan(book, execution)


def claimed_plan(book: Ledger, execution: Execution) -> Plan:
    """The plan of an execution; the deployed one if it claimed before plans were kept.

    Raises:
        LedgerUnavailable, and what `plan_named` raises.
    """
    documents, key = _documents(), (execution.plan, execution.name)
    if key not in documents:
        item = book.item(execution.plan, _sort(execution))
        if item is None:
            return plan_named(execution.plan)
        if len(documents) >= REMEMBERED_AT_MOST:
            documents.clear()
        documents[key] = item["document"]
    return parse_cached(documents[key], execution.plan)


def _sort(execution: Execution) -> str:
    return f"plan#{execution.name}"
