"""The last look at a plan's readiness, with what the ledger has learnt of its dry run since."""

from __future__ import annotations

import math
from typing import Any, Final

from failover.ledger.ledger import Ledger
from failover.readiness import check
from failover.readiness.controller import last_dry_run
from failover.readiness.dry_run import load_dry_run
from failover.readiness.store import load

DRY_RUN: Final = "dry-run"
"""The check that says whether a failover was walked through."""


def last_look(book: Ledger, plan: str, *, standby: str, now: float) -> dict[str, Any] | None:
    """The last readiness that was kept, or None. A dry run that ended after that look has its say: its record is all
    that the check goes by.

    Raises:
        LedgerUnavailable
    """
    saved = load(book, plan)
    if saved is None:
        return None
    run = load_dry_run(book, plan)
    if run is None or run.ended_at <= saved.document["taken_at"]:
        return saved.document
    judged = check(DRY_RUN, last_dry_run(plan, run, standby=standby, max_age_s=math.inf, now=now)).as_document()
    checks = [judged if one["name"] == DRY_RUN else one for one in saved.document["checks"]]
    return saved.document | {"checks": checks}
