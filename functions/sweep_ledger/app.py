"""sweep_ledger: once a day, delete what has expired from a ledger that two controllers share.

Such a table, a global one with strong consistency, has no TTL that would. Readers ignore what has expired meanwhile.
"""

from __future__ import annotations

import time
from typing import Any, Final

from failover.execution.step import ledger, logger

SPARE_S: Final = 10.0
"""Left of the function's time when it ends of itself; the next day goes on."""


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Delete, page by page; answers how many items, and whether that was all.

    Raises:
        LedgerUnavailable: DynamoDB did not answer; the next day goes on.
    """
    stop_at = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - SPARE_S
    deleted, done = 0, True
    for page in ledger().delete_expired(time.time()):
        deleted += page
        if time.monotonic() > stop_at:
            done = False
            break
    logger.info("swept", deleted=deleted, done=done)
    return {"deleted": deleted, "done": done}
