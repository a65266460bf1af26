"""Changes of Route 53's records take their time: PENDING until every name server answers them, INSYNC from then on
(https://docs.aws.amazon.com/Route53/latest/APIReference/API_GetChange.html). moto has each in sync at once, and gives
all of them one id."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from moto.core.responses import ActionResult
from moto.route53.models import route53_backends
from moto.route53.responses import Route53

Key = tuple[str, str, str | None]
"""Name, type and set identifier of a record set."""
RecordSets = dict[Key, dict[str, Any]]
_FIELDS = {
    "Name": "name",
    "Type": "type",
    "TTL": "ttl",
    "ResourceRecords": "resource_records",
    "SetIdentifier": "set_identifier",
    "Weight": "weight",
    "Region": "region",
    "HealthCheckId": "health_check_id",
    "Failover": "failover",
    "AliasTarget": "alias_target",
}
"""Of a record set, as Route 53 calls it and as moto does."""


@dataclass(frozen=True, kw_only=True)
class NameChange:
    """A change, when it was made, in seconds since 1970, and how long it takes."""

    made_at: float
    takes_s: float
    before: dict[Key, dict[str, Any] | None]
    """What it changed, as it was; None: it was not there."""

    def is_pending(self, now: float) -> bool:
        return now < self.made_at + self.takes_s


class NameChanges:
    """Every change of an account's records, and what name servers answer meanwhile: what was, until it is in sync.

    `in_sync_s`: between so many and so many seconds, drawn for each change. `clock`: seconds since 1970.
    """

    def __init__(
        self,
        account: str,
        in_sync_s: tuple[float, float] = (0.0, 0.0),
        *,
        seed: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._account = account
        self._in_sync_s = in_sync_s
        self._random = random.Random(seed)
        self._clock = clock
        self._changes: dict[str, NameChange] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def install(self) -> None:
        """Take the place of moto's answers."""
        changes, change, look_up = self, Route53.change_resource_record_sets, Route53.get_change

        def change_resource_record_sets(self: Route53) -> ActionResult:
            with changes._lock:
                before = changes.record_sets()
                answer = change(self)
                by_function = "app/" in self.headers.get("User-Agent", "")
                return changes.made(answer, before, changes.record_sets(), at_once=not by_function)

        def get_change(self: Route53) -> ActionResult:
            return changes.answer(look_up(self))

        Route53.change_resource_record_sets = change_resource_record_sets  # type: ignore[method-assign]
        Route53.get_change = get_change  # type: ignore[method-assign]

    def start(self) -> None:
        """Nothing acts by itself."""

    def made(
        self, answer: ActionResult, before: RecordSets, after: RecordSets, *, at_once: bool = False
    ) -> ActionResult:
        """moto's answer to a change that was made now, with an id of its own. What the drill sets up for itself is in
        sync `at_once`."""
        changed = {key: before.get(key) for key in before | after if before.get(key) != after.get(key)}
        identity = f"C{next(self._numbers):013}"
        takes_s = 0.0 if at_once else self._random.uniform(*self._in_sync_s)
        self._changes[identity] = NameChange(made_at=self._clock(), takes_s=takes_s, before=changed)
        return self.answer(answer, identity)

    def answer(self, answer: ActionResult, identity: str | None = None) -> ActionResult:
        """moto's answer, with the state that the change has now. `identity`: the change's, where it is not in it."""
        result: Any = answer.result
        info = dict(result["ChangeInfo"])
        if identity is not None:
            info["Id"] = f"/change/{identity}"
        change = self._changes.get(info["Id"].rpartition("/")[2])
        pending = change is not None and change.is_pending(self._clock())
        return ActionResult({**result, "ChangeInfo": info | {"Status": "PENDING" if pending else "INSYNC"}})

    def answered(self) -> list[dict[str, Any]]:
        """The record sets of every zone as name servers answer them now."""
        with self._lock:
            now, record_sets = self._clock(), self.record_sets()
            for change in reversed(list(self._changes.values())):
                if change.is_pending(now):
                    record_sets |= {key: was for key, was in change.before.items() if was is not None}
                    for key in (key for key, was in change.before.items() if was is None):
                        record_sets.pop(key, None)
            return list(record_sets.values())

    def durations(self) -> list[dict[str, Any]]:
        """When each change was made, how long it takes, and of which names it is."""
        with self._lock:
            return [
                {
                    "at": change.made_at,
                    "seconds": change.takes_s,
                    "names": sorted({name.rstrip(".") for name, _, _ in change.before}),
                }
                for change in self._changes.values()
            ]

    def record_sets(self) -> RecordSets:
        """Those of every zone as the API tells them."""
        zones = [zone for backend in route53_backends[self._account].values() for zone in list(backend.zones.values())]
        return {_key(record): _described(record) for zone in zones for record in zone.rrsets}


def _key(record_set: Any) -> Key:
    return record_set.name, record_set.type, record_set.set_identifier


def _described(record_set: Any) -> dict[str, Any]:
    fields = {name: getattr(record_set, attribute) for name, attribute in _FIELDS.items()}
    return {name: value for name, value in fields.items() if value is not None}
