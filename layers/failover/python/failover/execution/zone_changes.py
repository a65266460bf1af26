"""Changes of a DNS zone that many plans want at the same moment, as when a region is lost with all of them.

A zone takes one change at a time, of up to a thousand records, all or none
(https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html). So whoever wants one puts
it into the ledger, and whoever comes first sends what all want. Each plan's item is renewed by its own execution, at
every call; what is not renewed any more, or whose execution has lost its lease, is not sent. A batch that is refused is
halved, so that at last a bad change is refused alone.

Items: partition `zone#<zone>`; sort `change#<hostname>`, `sent#<change>` and `sender`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from failover.errors import DnsRejected
from failover.ledger.dynamodb import Item, ItemTable
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger

Records = list[dict[str, Any]]
RENEWED_WITHIN_S: Final = 15
"""A change that was asked for longer ago is of an execution that has ended, or of one that can't be called."""
SENDING_S: Final = 20
"""No function of a step runs for longer: whoever sends is gone by then, and another one may."""
BATCH: Final = 250
"""Changes in one request: Route 53 takes a thousand, and 32,000 characters of values."""
RETENTION_S: Final = 86_400
_READ_SIDE_BY_SIDE: Final = 16
_CHANGE: Final = "change#"


@dataclass(frozen=True, kw_only=True)
class NameRequest:
    """A change that is asked for: the records that lead a name to a site, and the zone's name servers."""

    site: str
    records: Records
    servers: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class NameChange:
    """What became of a change that an execution asked for. Times are in seconds since 1970."""

    site: str
    """Where it leads the name."""
    sent: str | None
    """The provider's id of what it was sent with; None: it is not sent yet."""
    sent_at: float
    servers: tuple[str, ...]
    """The zone's name servers."""


class ZoneChanges:
    """The changes of one zone. Every method raises `LedgerUnavailable`."""

    def __init__(self, items: ItemTable, book: Ledger, zone: str, upsert: Callable[[Records], str]) -> None:
        """`zone`: what tells it, and who changes it, from others; `upsert` sends records, and gives the change's id."""
        self._items = items
        self._book = book
        self._zone = zone
        self._upsert = upsert

    def find(self, execution: Execution, hostname: str) -> NameChange | None:
        """The change of a name that this execution asked for last, if it did.

        Raises:
            DnsRejected: the provider refused it. It is said once: whoever mends the cause and redrives asks anew.
        """
        item = self._items.get(self._zone, f"{_CHANGE}{hostname}")
        if item is None or _asker(item) != _claim(execution):
            return None
        if "refused" in item:
            over: Item = {"expires": 1}
            self._items.put(self._zone, f"{_CHANGE}{hostname}", over, condition="attribute_exists(refused)")
            raise DnsRejected(item["refused"])
        return NameChange(
            site=item["site"],
            sent=item.get("sent"),
            sent_at=item.get("sent_at", 0) / 1000,
            servers=tuple(json.loads(item["servers"])),
        )

    def ask(self, execution: Execution, hostname: str, request: NameRequest) -> None:
        """Ask for a change, in place of what was asked for the name before."""
        plan, name, epoch, controller = _claim(execution)
        item: Item = {"plan": plan, "execution": name, "epoch": epoch, "controller": controller, "site": request.site}
        item |= {"records": json.dumps(request.records), "servers": json.dumps(request.servers)}
        item |= {"at": _now(), "most": BATCH, "expires": int(time.time()) + RETENTION_S}
        newest = "attribute_not_exists(epoch) OR #plan <> :plan OR epoch <= :epoch"
        self._items.put(
            self._zone,
            f"{_CHANGE}{hostname}",
            values=item,
            condition=newest,
            placeholders={":plan": plan, ":epoch": epoch},
        )

    def renew(self, execution: Execution, hostname: str) -> None:
        """Still ask for it, where it is not sent yet."""
        self._set(hostname, {"at": _now()}, "#execution = :execution", {":execution": execution.name})

    def pending(self, sent: str) -> float | None:
        """When the provider last said that what was sent is not in sync, whoever asked; None if nobody did."""
        item = self._items.get(self._zone, f"sent#{sent}")
        return item["checked_at"] / 1000 if item else None

    def keep_pending(self, sent: str) -> None:
        """The provider was asked, and says that it is not in sync."""
        self._items.put(self._zone, f"sent#{sent}", {"checked_at": _now(), "expires": int(time.time()) + RETENTION_S})

    def send(self, execution: Execution) -> None:
        """Send what all ask for, unless somebody else does now.

        Raises:
            DnsUnavailable: the provider did not answer, throttled, or is busy with the change before.
        """
        by, now = f"{execution.plan}/{execution.name}", _now()
        free = "attribute_not_exists(pk) OR #until < :now"
        sender: Item = {"by": by, "until": now + SENDING_S * 1000, "expires": int(time.time()) + RETENTION_S}
        if not self._items.put(self._zone, "sender", values=sender, condition=free, placeholders={":now": now}):
            return
        try:
            if batch := self._next_batch():
                self._send(batch)
        finally:
            self._items.update(
                self._zone, "sender", "SET #until = :zero", {":zero": 0, ":by": by}, condition="#by = :by"
            )

    def _next_batch(self) -> list[Item]:
        """What may be sent together: those first of which none was in a batch that was refused."""
        oldest = _now() - RENEWED_WITHIN_S * 1000
        items = [item for item in self._items.query(self._zone, _CHANGE) if _is_due(item, oldest)]
        with ThreadPoolExecutor(max_workers=_READ_SIDE_BY_SIDE) as pool:
            leased = [item for item, holds in zip(items, pool.map(self._is_leased, items), strict=True) if holds]
        most = max((item["most"] for item in leased), default=0)
        return [item for item in leased if item["most"] == most][:most]

    def _is_leased(self, item: Item) -> bool:
        state = self._book.item(item["plan"], "state") or {}
        lease = item["plan"], state.get("holder"), state.get("epoch"), state.get("controller", "")
        return lease == _asker(item)

    def _send(self, batch: Sequence[Item]) -> None:
        try:
            sent = self._upsert([record for item in batch for record in json.loads(item["records"])])
        except DnsRejected as error:
            refused: Item = {"most": len(batch) // 2} if len(batch) > 1 else {"refused": str(error)}
            self._record(batch, refused)
        else:
            self._record(batch, {"sent": sent, "sent_at": _now()})

    def _record(self, batch: Sequence[Item], values: Item) -> None:
        def record(item: Item) -> None:
            self._set(item["sk"].removeprefix(_CHANGE), values, "#records = :records", {":records": item["records"]})

        with ThreadPoolExecutor(max_workers=_READ_SIDE_BY_SIDE) as pool:
            list(pool.map(record, batch))

    def _set(self, hostname: str, values: Item, condition: str, placeholders: Item) -> None:
        self._items.update(
            self._zone,
            f"{_CHANGE}{hostname}",
            expression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
            placeholders=placeholders | {f":{name}": value for name, value in values.items()},
            condition=condition,
        )


Claim = tuple[str, str, int, str]


def _claim(execution: Execution) -> Claim:
    return execution.plan, execution.name, execution.epoch, execution.controller


def _asker(item: Item) -> Claim:
    return item["plan"], item["execution"], item["epoch"], item["controller"]


def _is_due(item: Item, oldest: int) -> bool:
    return "sent" not in item and "refused" not in item and item["at"] >= oldest


def _now() -> int:
    """Milliseconds since 1970: the ledger keeps whole numbers."""
    return int(time.time() * 1000)
