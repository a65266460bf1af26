"""What was known to be unready before the disaster: for the evidence of a decision, at the price of one read."""

from __future__ import annotations

import os
import time
from typing import Final

from failover.aws import client
from failover.errors import LedgerUnavailable
from failover.ledger import Ledger
from failover.plan import Plan
from failover.readiness.kept import kept

OLD_S: Final = 900.0
_SAID: Final = 3


def known_unready(plan: Plan) -> tuple[str, ...]:
    """A line for each check that was not ready when last looked at, with how long ago that was; a first line if nobody
    has looked for long, or ever. Never an error: a decision must not wait for it."""
    try:
        last = kept(Ledger(client("dynamodb"), os.environ["LEDGER_TABLE"]), plan.name)
    except LedgerUnavailable as error:
        return (f"what was known of readiness can't be read: {error}",)
    if last is None:
        return ("readiness was never checked",)
    age = time.time() - last.document["taken_at"]
    lines = [f"readiness was last checked {age:,.0f} s ago"] if age > OLD_S else []
    lines += [
        f"{each['name']} {each['status']} {age:,.0f} s ago: {'; '.join(each['evidence'][:_SAID])}"
        for each in last.document["checks"]
        if each["status"] in ("fail", "unknown")
    ]
    return tuple(lines)
