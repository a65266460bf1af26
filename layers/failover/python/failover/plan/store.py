"""The deployed plans: YAML documents in the ledger's table, each the last of its revisions.

Keys: partition `plans`, sort `deployed#<name>`, so that one query reads them all; revisions that were replaced are
among the plan's own items, as `revision#<number>`. A document is compressed, and one with 1,000 topics takes 4 KB of
the 400 KB of an item (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html).

Readers go on with what they last read while nobody answers, and say so. An execution goes by the plan it claimed
(execution/claimed_plan.py).
"""

from __future__ import annotations

import gzip
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from aws_lambda_powertools import Logger

from failover.aws.clients import client
from failover.container import remembered
from failover.errors import BadPlan, LedgerUnavailable, UnknownPlan
from failover.ledger.dynamodb import Item, ItemTable
from failover.plan.model import Plan, parse_cached

logger = Logger(service="failover")

PLAN_CACHED_S: Final = 30
LAST_READ_SERVES_S: Final = 86_400
PARTITION: Final = "plans"
DEPLOYED: Final = "deployed#"
REVISION_RETENTION_S: Final = 400 * 86_400
"""Of a revision from when it was replaced."""


@dataclass(frozen=True, kw_only=True)
class Revision:
    """One revision of a plan."""

    plan: str
    number: int
    """From 1 on, raised by every change and by a removal."""
    document: str | None
    """The YAML text; None: the plan was removed."""
    by: str
    """The ARN of who put it."""
    at: float
    """When, in seconds since 1970."""
    origin: str = ""
    """What declares the plan, in its own words: a stack's resource, or a configuration. Empty: a person put it."""

    def as_item(self) -> Item:
        """As the ledger keeps it."""
        document = {} if self.document is None else {"document": gzip.compress(self.document.encode(), mtime=0)}
        origin = {"origin": self.origin} if self.origin else {}
        return {"revision": self.number, "by": self.by, "at": str(self.at)} | origin | document


def plan_named(name: str) -> Plan:
    """The deployed plan of that name; while the ledger is silent, as this container last read it.

    Raises:
        UnknownPlan: if there is none.
        BadPlan: if its document has wrong fields, or another name than it is kept under.
        LedgerUnavailable: if the ledger does not answer.
    """
    return _checked(name, plan_document(name))


def plan_document(name: str) -> str:
    """The text of a deployed plan, as `plan_named` reads it."""
    revision: Revision | None = _or_last_read(name, lambda: current_revision(name))
    if revision is None or revision.document is None:
        raise UnknownPlan(f"no plan {name!r} is deployed: put it with `failover plans put`")
    return revision.document


def plan_names() -> list[str]:
    """The names of the deployed plans, bad ones among them; while the ledger is silent, as this container last read
    them.

    Raises:
        LedgerUnavailable: if the ledger does not answer.
    """
    return [revision.plan for revision in _deployed_revisions()]


def deployed_plans() -> dict[str, Plan | BadPlan]:
    """Every deployed plan by its name; a bad one as the error it gives, so that it does not hide the others. While the
    ledger is silent, as this container last read them.

    Raises:
        LedgerUnavailable: if the ledger does not answer.
    """
    plans: dict[str, Plan | BadPlan] = {}
    for revision in _deployed_revisions():
        text = revision.document or ""
        try:
            plans[revision.plan] = _checked(revision.plan, text)
        except BadPlan as error:
            error.document = text
            plans[revision.plan] = error
    return plans


def current_revision(name: str) -> Revision | None:
    """The last revision of a plan, which may be its removal; None if there never was one. Nothing is remembered.

    Raises:
        LedgerUnavailable
    """
    item = _in_some_region(lambda table: table.get(PARTITION, f"{DEPLOYED}{name}"))
    return None if item is None else _revision(name, item)


def replaced_revisions(name: str) -> list[Revision]:
    """The revisions of a plan that are not in force any more, the last first; the oldest may have been forgotten.

    Raises:
        LedgerUnavailable
    """
    items = _in_some_region(lambda table: list(table.query(f"plan#{name}", "revision#")))
    return [_revision(name, item) for item in reversed(items)]


def replace_revision(revision: Revision, before: Revision | None) -> bool:
    """Put a revision in place of the one that was the last; says whether it still was. The replaced one is kept first,
    so that whoever ends in between has lost nothing.

    Raises:
        LedgerUnavailable
    """
    (table, *_) = _tables()
    if before is not None:
        replaced = before.as_item() | {"expires": int(revision.at) + REVISION_RETENTION_S}
        table.put(f"plan#{revision.plan}", f"revision#{before.number:06}", replaced)
    condition = "attribute_not_exists(pk)" if before is None else "revision = :before"
    placeholders = None if before is None else {":before": before.number}
    put = table.put(
        PARTITION,
        f"{DEPLOYED}{revision.plan}",
        revision.as_item(),
        condition=condition,
        placeholders=placeholders,
    )
    if put:
        _last_reads().clear()
    return put


def _revision(name: str, item: Item) -> Revision:
    document = item.get("document")
    return Revision(
        plan=name,
        number=item["revision"],
        document=None if document is None else gzip.decompress(document).decode(),
        by=item.get("by", ""),
        at=float(item.get("at", "0")),
        origin=item.get("origin", ""),
    )


def _deployed_revisions() -> list[Revision]:
    def query(table: ItemTable) -> list[Revision]:
        return [_revision(item["sk"].removeprefix(DEPLOYED), item) for item in table.query(PARTITION, DEPLOYED)]

    revisions: list[Revision] = _or_last_read("", lambda: _in_some_region(query))
    return [revision for revision in revisions if revision.document is not None]


@remembered
def _tables() -> list[ItemTable]:
    """The ledger's, as each controller's region has it: this region's alone, if it has one."""
    regions = [region for region in os.environ.get("CONTROLLER_REGIONS", "").split(",") if region]
    here = os.environ.get("AWS_REGION")
    if not regions or here in regions:
        return [ItemTable(client("dynamodb"), os.environ["LEDGER_TABLE"], prefix="")]
    return [
        ItemTable(client("dynamodb", region, attempts=1), os.environ["LEDGER_TABLE"], prefix="") for region in regions
    ]


def _in_some_region(read: Callable[[ItemTable], Any]) -> Any:
    """What the first table says that answers."""
    *others, last = _tables()
    for table in others:
        try:
            return read(table)
        except LedgerUnavailable as error:
            logger.warning("the ledger of a region does not answer: asking another's", why=str(error))
    return read(last)


@dataclass
class _LastRead:
    """What the ledger answered last; from `again_at` on it is asked again. Times: seconds since 1970."""

    value: Any
    at: float
    again_at: float


@remembered
def _last_reads() -> dict[str, _LastRead]:
    return {}


def _or_last_read(key: str, read: Callable[[], Any]) -> Any:
    """What is read, at most once in a while; while nobody answers, what was read last. That nothing is there is not
    remembered: a plan that was put a moment ago is found."""
    last, now = _last_reads().get(key), time.time()
    if last is not None and now < last.again_at:
        return last.value
    try:
        value = read()
    except LedgerUnavailable as error:
        if last is None or now - last.at > LAST_READ_SERVES_S:
            raise
        last.again_at = now + PLAN_CACHED_S
        logger.warning("going on with the plan last read", plan=key or "all", at=last.at, why=str(error))
        return last.value
    if value:
        _last_reads()[key] = _LastRead(value, now, now + PLAN_CACHED_S)
    else:
        _last_reads().pop(key, None)
    return value


def _checked(name: str, text: str) -> Plan:
    plan = parse_cached(text, name)
    if plan.name != name:
        raise BadPlan(name, [("name", f"is {plan.name!r}, but it is kept as {name!r}")])
    return plan
