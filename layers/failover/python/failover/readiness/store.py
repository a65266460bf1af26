"""The last readiness of a plan in the ledger, and the changes that came with it until they are told.

Items: `readiness` is the last one; `readiness-change#<when>` is kept of each that changed something, for some weeks.
A round replaces the last one only if that still is the one it was compared with, so of two rounds at a time each change
is found by one; and a change stays in the item until it is told, so a round that dies in between loses none.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from failover.aws.clients import client
from failover.documents.readiness import ReadinessChange, Status
from failover.errors import LedgerUnavailable
from failover.ledger.ledger import Ledger
from failover.plan.model import Plan

HISTORY_RETENTION_S: Final = 30 * 86_400
OLD_S: Final = 3600.0
"""Twice as long as a plan waits for its turn."""
_EVIDENCE_AT_MOST: Final = 3
_SORT: Final = "readiness"
_UNTOLD_AT_MOST: Final = 200
_WEIGHT: Final[Mapping[Status | None, int]] = {None: 0, "pass": 0, "warn": 1, "unknown": 2, "fail": 3}


@dataclass(frozen=True, kw_only=True)
class Change:
    """A check whose status changed."""

    plan: str
    check: str
    before: Status | None
    """None: it was never checked."""
    after: Status
    revision: int
    """The round that found it."""
    at: float
    """Seconds since 1970."""
    evidence: tuple[str, ...]
    remedy: str

    @property
    def key(self) -> str:
        """What it is told by, once."""
        return f"readiness:{self.plan}:{self.revision}:{self.check}"

    @property
    def worse(self) -> bool:
        """Whether less can be counted on than before."""
        return self.weight > _WEIGHT[self.before]

    @property
    def weight(self) -> int:
        """How little can be counted on now: a failure more than what is unknown, and that more than a warning."""
        return _WEIGHT[self.after]

    def as_detail(self) -> ReadinessChange:
        """The form it has in an event and a message."""
        return {
            "version": 1,
            "plan": self.plan,
            "check": self.check,
            "before": self.before,
            "after": self.after,
            "revision": self.revision,
            "at": self.at,
            "evidence": list(self.evidence),
            "remedy": self.remedy,
        }


@dataclass(frozen=True)
class SavedReadiness:
    """The last readiness. `untold`: changes, of any round, that are not known to be told."""

    revision: int
    document: dict[str, Any]
    untold: tuple[Change, ...] = ()


def load(book: Ledger, plan: str) -> SavedReadiness | None:
    """The last readiness that was kept, or None.

    Raises:
        LedgerUnavailable
    """
    item = book.item(plan, _SORT)
    if item is None:
        return None
    untold = tuple(Change(**change | {"evidence": tuple(change["evidence"])}) for change in json.loads(item["untold"]))
    return SavedReadiness(item["revision"], json.loads(item["document"]), untold)


def save(book: Ledger, document: Mapping[str, Any]) -> SavedReadiness:
    """Keep a round's document as the last one, and what it changed; gives what is kept now, which is another's if that
    was taken later.

    Raises:
        LedgerUnavailable
    """
    plan = document["plan"]
    while True:
        before = load(book, plan)
        if before is not None and before.document["taken_at"] >= document["taken_at"]:
            return before
        revision = before.revision if before else 0
        changes = diff(before.document if before else None, document, revision + 1)
        untold = (*(before.untold if before else ()), *changes)[-_UNTOLD_AT_MOST:]
        if not book.compare_and_swap(plan, _SORT, _item(document, untold), revision):
            continue
        if changes:
            _keep_history(book, document, changes)
        return SavedReadiness(revision + 1, dict(document), untold)


def mark_published(book: Ledger, plan: str, saved: SavedReadiness) -> None:
    """Forget that changes are to be told; if another round was kept meanwhile it tells them, or finds them told.

    Raises:
        LedgerUnavailable
    """
    if saved.untold:
        book.compare_and_swap(plan, _SORT, _item(saved.document, ()), saved.revision)


def diff(before: Mapping[str, Any] | None, after: Mapping[str, Any], revision: int) -> tuple[Change, ...]:
    """What changed from one document to the next. A check that was never made before is no news if it passes."""
    statuses: dict[str, Status] = {check["name"]: check["status"] for check in before["checks"]} if before else {}
    return tuple(
        Change(
            plan=after["plan"],
            check=check["name"],
            before=statuses.get(check["name"]),
            after=check["status"],
            revision=revision,
            at=after["taken_at"],
            evidence=tuple(check["evidence"]),
            remedy=check["remedy"],
        )
        for check in after["checks"]
        if statuses.get(check["name"], "pass") != check["status"]
    )


def last_unready(plan: Plan) -> tuple[str, ...]:
    """A line for each check that was not ready when last looked at, with how long ago that was; a first line if nobody
    has looked for long, or ever. Never an error: a decision must not wait for it."""
    try:
        last = load(Ledger(client("dynamodb"), os.environ["LEDGER_TABLE"]), plan.name)
    except LedgerUnavailable as error:
        return (f"what was known of readiness can't be read: {error}",)
    if last is None:
        return ("readiness was never checked",)
    age = time.time() - last.document["taken_at"]
    lines = [f"readiness was last checked {age:,.0f} s ago"] if age > OLD_S else []
    lines += [
        f"{check['name']} {check['status']} {age:,.0f} s ago: {'; '.join(check['evidence'][:_EVIDENCE_AT_MOST])}"
        for check in last.document["checks"]
        if check["status"] in ("fail", "unknown")
    ]
    return tuple(lines)


def _item(document: Mapping[str, Any], untold: tuple[Change, ...]) -> dict[str, Any]:
    return {"document": json.dumps(document), "untold": json.dumps([asdict(change) for change in untold])}


def _keep_history(book: Ledger, document: Mapping[str, Any], changes: tuple[Change, ...]) -> None:
    at = document["taken_at"]
    entry = {
        "document": json.dumps(document),
        "changes": json.dumps([f"{change.check}: {change.before} -> {change.after}" for change in changes]),
        "expires": int(at) + HISTORY_RETENTION_S,
    }
    book.put(document["plan"], f"{_SORT}-change#{at:018.6f}", entry)
