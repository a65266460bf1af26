"""A measured number and the limit it must keep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


class NotMeasured(Exception):
    """A number could not be taken; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """`limit` is the most that is allowed, or with `at_least` the least; None: for information."""

    name: str
    value: float | None  # None: not measured, which is never right
    unit: str
    limit: float | None
    at_least: bool = False

    @property
    def ok(self) -> bool:
        if self.value is None:
            return False
        if self.limit is None:
            return True
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def as_json(self) -> dict[str, Any]:
        """What `results.json` holds of it."""
        return {"value": self.value, "unit": self.unit, "limit": self.limit, "ok": self.ok}


Benchmark = Callable[[], Sequence[Result]]
