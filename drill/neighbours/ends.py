"""How every plan of a lost region ended, the drill's own among them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drill.ledger_reader import Execution
from drill.report.model import Plans

NEVER_STARTED = "no execution was started"


@dataclass(frozen=True, kw_only=True)
class PlanEnd:
    """One plan. Times in seconds since 1970, None: it did not get so far."""

    plan: str
    hostname: str
    execution: Execution | None

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens by itself: who stood down begins anew as soon as the votes suffice again."""
        return self.execution is not None and self.execution.status not in ("running", "stood-down")

    @property
    def failed_over(self) -> bool:
        return self.execution is not None and self.execution.status == "succeeded"

    @property
    def trouble(self) -> str:
        """Why it did not fail over, in words."""
        if self.execution is None:
            return NEVER_STARTED
        why = self.execution.document.get("why")
        return f"{self.execution.status}: {why}" if why else self.execution.status


def plans_of(ends: Sequence[PlanEnd], changes: Iterable[Mapping[str, Any]], killed_at: float) -> Plans:
    """All of them together. `changes`: of names since the loss, each with `at`, its `names`, and the `seconds` until it
    is in sync."""
    changed: dict[str, float] = {}
    in_sync: dict[str, float] = {}
    for change in changes:
        for name in change["names"]:
            changed[name], in_sync[name] = change["at"], change["at"] + change["seconds"]
    return Plans(
        count=len(ends),
        failed_over=sum(end.failed_over for end in ends),
        stopped={end.plan: end.trouble for end in ends if not end.failed_over},
        last_judged=_last((end.execution.started if end.execution else None for end in ends), killed_at),
        last_changed=_last((changed.get(end.hostname) for end in ends), killed_at),
        last_in_sync=_last((in_sync.get(end.hostname) for end in ends), killed_at),
    )


def _last(times: Iterable[float | None], killed_at: float) -> float | None:
    """Seconds from the loss to the last of them; None if one of them never came."""
    moments = list(times)
    complete = [at for at in moments if at is not None]
    return round(max(complete) - killed_at, 3) if complete and len(complete) == len(moments) else None
