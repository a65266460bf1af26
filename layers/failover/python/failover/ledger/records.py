"""What the ledger keeps, as plain records: whoever decides or reports reads them without any I/O.

Times are seconds since 1970.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from failover.ledger.execution import Execution

Outcome = Literal["succeeded", "stood-down", "failed"]


@dataclass(frozen=True, kw_only=True)
class Denial:
    """A no to failing over from a site. It stands until a person resumes the plan, or the site is seen well again."""

    site: str
    why: str
    execution: str
    at: float

    def as_json(self) -> str:
        """The form it has in the ledger, by which it is also removed: of two denials only the one that was read."""
        return json.dumps(asdict(self), sort_keys=True)


@dataclass(frozen=True, kw_only=True)
class AbortWish:
    """A person's wish that an execution put back what it changed. It is heard until the point of no return."""

    execution: str
    by: str
    why: str
    at: float

    def as_json(self) -> str:
        """The form it has in the ledger."""
        return json.dumps(asdict(self), sort_keys=True)


@dataclass(frozen=True, kw_only=True)
class PlanState:
    """Where a plan stands."""

    active: str
    epoch: int
    holder: str | None = None
    """The execution that holds the lease, under `epoch`."""
    controller: str = ""
    """The region that the holder runs in: each of two controllers may run one of that name."""
    holder_arn: str = ""
    """Where to ask whether the holder still runs."""
    changed_at: float | None = None
    paused: str | None = None
    """By whom and why."""
    failovers: tuple[float, ...] = ()
    """When those of the last day succeeded."""
    denial: Denial | None = None
    superseded: str | None = None
    """From whom the holder took the lease, if it did."""
    abort_wish: AbortWish | None = None
    no_return: str | None = None
    """The execution that is past its point of no return: it goes forward only."""
    unannounced: frozenset[str] = frozenset()
    """Executions whose end is in the ledger, and that are not known to have been told of."""
    last_execution: str | None = None
    """Who claimed it last; None also where that was before it was kept."""

    def leased_to(self, execution: Execution) -> bool:
        """Whether that very execution holds the lease."""
        claim = (execution.name, execution.epoch, execution.controller)
        return (self.holder, self.epoch, self.controller) == claim

    def aborts(self, execution: Execution) -> AbortWish | None:
        """The wish that this execution has to follow, if there is one."""
        wish = self.abort_wish
        return wish if wish and wish.execution == execution.name != self.no_return else None

    @property
    def holder_in_words(self) -> str:
        """The holder, and where it runs."""
        return f"{self.holder} in {self.controller}" if self.controller else str(self.holder)


@dataclass(frozen=True, kw_only=True)
class StepRecord:
    """What one step of an execution last reported."""

    step: str
    status: str
    calls: int
    """How often it was called."""
    started_at: float
    """When it was first called."""
    reported_at: float
    """When it last reported; of one that is done, when it first was."""
    observed: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What a step raised last."""

    step: str
    error: str
    """The name of its class."""
    why: str
    cluster: str
    """The cluster that refused it; empty: none did."""
    status: int | None
    """HTTP's, of that refusal."""
    at: float


@dataclass(frozen=True, kw_only=True)
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
    """Its report, once it has ended."""
    supersedes: str | None = None
    """From whom it took the lease, if it did."""
    ended_at: float | None = None
    superseded_by: str | None = None
    """Who took the lease from it, if somebody did; its report, if it had ended, stands."""


def plan_state(item: Mapping[str, Any] | None, home: str) -> PlanState:
    """Where a plan stands by its item; one that was never claimed is active at `home`."""
    if item is None:
        return PlanState(active=home, epoch=0)
    changed, denial, wish = item.get("changed_at"), item.get("denial"), item.get("abort_wish")
    return PlanState(
        active=item.get("active", home),
        epoch=int(item.get("epoch", 0)),
        holder=item.get("holder"),
        controller=item.get("controller", ""),
        holder_arn=item.get("holder_arn", ""),
        changed_at=float(changed) if changed else None,
        paused=item.get("paused"),
        failovers=tuple(json.loads(item.get("failovers", "[]"))),
        denial=Denial(**json.loads(denial)) if denial else None,
        superseded=item.get("superseded"),
        abort_wish=AbortWish(**json.loads(wish)) if wish else None,
        no_return=item.get("no_return"),
        unannounced=item.get("unannounced", frozenset()),
        last_execution=item.get("last_execution"),
    )


def step_record(item: Mapping[str, Any]) -> StepRecord:
    """What a step reported, by its item."""
    return StepRecord(
        step=item["step"],
        status=item["status"],
        calls=int(item["calls"]),
        started_at=float(item["started_at"]),
        reported_at=float(item["reported_at"]),
        observed=json.loads(item["observed"]),
    )


def execution_record(item: Mapping[str, Any]) -> ExecutionRecord:
    """What is kept of an execution, by its item."""
    return ExecutionRecord(
        name=item["name"],
        epoch=int(item["epoch"]),
        kind=item["kind"],
        status=item["status"],
        started_at=float(item["started_at"]),
        from_site=item["from"],
        to_site=item["to"],
        document=json.loads(item.get("document", "{}")),
        supersedes=item.get("supersedes"),
        ended_at=float(item["ended_at"]) if "ended_at" in item else None,
        superseded_by=item.get("superseded_by"),
    )
