"""Changes of Route 53's records take their time: PENDING until every name server answers them, INSYNC from then on
(https://docs.aws.amazon.com/Route53/latest/APIReference/API_GetChange.html). moto has each in sync at once."""

from __future__ import annotations

import itertools
import time
from typing import Any

from moto.core.responses import ActionResult
from moto.route53.responses import Route53


class NameChanges:
    """When each change was made, and whether it is in sync by now."""

    def __init__(self, in_sync_s: float) -> None:
        self._in_sync_s = in_sync_s
        self._made_at: dict[str, float] = {}
        self._numbers = itertools.count(1)

    def install(self) -> None:
        """Take the place of moto's answers."""
        changes, change, look_up = self, Route53.change_resource_record_sets, Route53.get_change

        def change_resource_record_sets(self: Route53) -> ActionResult:
            return changes.answer(change(self), f"C{next(changes._numbers):013}")

        def get_change(self: Route53) -> ActionResult:
            return changes.answer(look_up(self))

        Route53.change_resource_record_sets = change_resource_record_sets  # type: ignore[method-assign]
        Route53.get_change = get_change  # type: ignore[method-assign]

    def start(self) -> None:
        """Nothing acts by itself."""

    def answer(self, answer: ActionResult, made: str | None = None) -> ActionResult:
        """moto's answer, with the state that the change has now. `made`: the id of a change that is made now."""
        result: Any = answer.result
        change = dict(result["ChangeInfo"])
        if made is not None:
            self._made_at[made] = time.monotonic()
            change["Id"] = f"/change/{made}"
        made_at = self._made_at.get(change["Id"].rpartition("/")[2])
        pending = made_at is not None and time.monotonic() < made_at + self._in_sync_s
        return ActionResult({**result, "ChangeInfo": change | {"Status": "PENDING" if pending else "INSYNC"}})
