"""What the ledger keeps, as plain records: whoever decides or reports reads them without any I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from failover.ledger.execution import Execution

Outcome = Literal["succeeded", "stood-down", "failed"]


@dataclass(frozen=True)
class PlanState:
    """Where a plan stands. `holder` is the execution that holds the lease, under `epoch`; `controller`: the region it
    runs in, since each of two controllers may run one of that name. `paused`: by whom and why. `failovers`: when those
    of the last day succeeded. Times: seconds since 1970."""

    active: str
    epoch: int
    holder: str | None = None
    changed_at: float | None = None
    paused: str | None = None
    failovers: tuple[float, ...] = ()
    controller: str = ""

    def held_by(self, execution: Execution) -> bool:
        """Whether that very execution holds the lease."""
        wanted = (execution.name, execution.epoch, execution.controller)
        return (self.holder, self.epoch, self.controller) == wanted


@dataclass(frozen=True)
class StepRecord:
    """What one step of an execution last reported, and how often it was called."""

    step: str
    status: str
    calls: int
    started_at: float
    reported_at: float
    observed: dict[str, Any]


@dataclass(frozen=True)
class ExecutionRecord:
    """What the ledger keeps of an execution."""

    name: str
    epoch: int
    kind: str
    status: str
    started_at: float
    from_site: str
    to_site: str
    document: dict[str, Any]
