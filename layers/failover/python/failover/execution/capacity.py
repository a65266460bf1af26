"""A fleet that clients come to next is made as large as those that they come from: by what those had when they were
last well, or have now, where their control plane answers.

What was decided is in the step's record before anything is asked, so that whoever comes after a crash knows how large
the fleet was. It is raised once: who sets it back is somebody else, whom a failover does not fight. And it holds nobody
up for longer than the plan says: then the instances that were there before have to do.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

from failover.documents.steps import Capacity
from failover.errors import FleetRejected, FleetUnavailable
from failover.execution.fleet_sizes import SavedSize, load_fleet_sizes
from failover.execution.step import Report, done, pause_after, waiting
from failover.fleets import SPARE_INSTANCES, Fleet, FleetState, fleets_of, look_in_time
from failover.fleets.size import Size, needed_by, zones_of
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.ledger.records import StepRecord
from failover.plan.model import Plan

LOOKS_AT_ONCE: Final = 16
LEAVING_LOOK_S: Final = 0.4
"""At fleets that clients come from: clients wait for it, their region may be lost with its control plane, and what they
had when they were well is known without it."""


@dataclass(frozen=True, kw_only=True)
class Matching:
    """What a step does to match the size of one fleet. Its methods raise `LeaseLost` and `LedgerUnavailable`."""

    book: Ledger
    execution: Execution
    plan: Plan
    location: str
    fleet: str
    step: str
    """Its key in the ledger."""
    record: StepRecord | None
    """What it has reported before."""
    last_chance: bool

    @property
    def before(self) -> Capacity | None:
        """What was decided and done before, if anything."""
        capacity: Capacity | None = self.record.observed.get("capacity") if self.record is not None else None
        return capacity

    @property
    def is_over(self) -> bool:
        """Whether clients have waited for it for as long as they shall."""
        started = self.record.started_at if self.record is not None else time.time()
        return self.last_chance or time.time() > started + self.plan.policy.capacity_timeout_seconds

    def excused(self, state: FleetState) -> FleetState:
        """The fleet as it counts: what came of raising one that was ready before is no obstacle."""
        capacity = self.before
        if capacity is not None and capacity.get("ready_before") and _is_as_before(state, capacity):
            return replace(state, refused_because=None, stalled_because=None)
        return state

    def matched(self, fleet: Fleet, state: FleetState, report: Report) -> Report:
        """The report on a fleet that is routed where it has to be: it is not done before the fleet is large enough, or
        the time for that is over."""
        if self.plan.policy.on_smaller_fleet == "go-on" or state.size is None:
            return report
        capacity = self.before or self._decided(state)
        needed, size = capacity["needed"], capacity.get("before") or 0
        if needed is None or size >= needed:
            return _with(report, capacity)
        if self.execution.dry_run:
            return _with(report, {**capacity, "would_raise_to": needed})
        if "raised_to" in capacity or "short_because" in capacity or state.size >= needed:
            return self._progress(state, capacity, report, needed=needed)
        return self._raise(fleet, capacity, report, needed=needed)

    def unmatched(self, report: Report) -> Report:
        """The report on a fleet that is not routed there yet, with what was decided before."""
        return report if self.before is None else _with(report, self.before)

    def _decided(self, state: FleetState) -> Capacity:
        leaving, basis = self._leaving()
        joining = frozenset(fleet.name for fleet in self.plan.location(self.location).fleets)
        zones = zones_of(state.instances, otherwise=max((size.zones for size in leaving.values()), default=0))
        is_ready = state.accepts_clients or state.missing > 0
        return {
            "needed": needed_by(self.fleet, zones, joining, leaving),
            "basis": basis,
            "before": state.size,
            "ready_before": len(state.instances) if is_ready else 0,
        }

    def _leaving(self) -> tuple[dict[str, Size], str]:
        """How large each fleet is that clients come from, as far as that is known, and by what."""
        leaving = self.plan.carrying_only(self.execution.from_site)
        fleets = [(where, *it) for where, at in leaving.items() for it in fleets_of(at)]
        saved = load_fleet_sizes(self.book, self.plan.name, [(where, name) for where, name, _ in fleets])
        with ThreadPoolExecutor(max_workers=LOOKS_AT_ONCE) as pool:
            present = list(pool.map(_size_now, [fleet for _, _, fleet in fleets]))
        sizes, words = {}, []
        for (_, name, _), now in zip(fleets, present, strict=True):
            last = saved.get(name)
            if counts := [count for count in (last.size.instances if last else None, now) if count]:
                sizes[name] = Size(instances=max(counts), zones=last.size.zones if last else 0)
            words.append(f"{name} {_in_words(last, now)}")
        return sizes, "; ".join(words)

    def _raise(self, fleet: Fleet, capacity: Capacity, report: Report, *, needed: int) -> Report:
        self.book.hold(self.execution)
        if self.before is None:
            decided = _with(report, capacity).observed
            self.book.record_step(self.execution, self.step, status="waiting", observed=decided, started=time.time())
        try:
            fleet.raise_to(needed)
        except FleetRejected as error:
            return _with(report, {**capacity, "short_because": f"it could not be raised: {error}"})
        except FleetUnavailable as error:
            if self.is_over:
                return _with(report, {**capacity, "short_because": f"it could not be raised in time: {error}"})
            return waiting(pause_after(error), **_with(report, capacity).observed)
        return waiting(report.retry_after, **_with(report, {**capacity, "raised_to": needed}).observed)

    def _progress(self, state: FleetState, capacity: Capacity, report: Report, *, needed: int) -> Report:
        """How far a fleet is that was raised, or that could not be."""
        there, short = len(state.instances), capacity.get("short_because", "")
        raised: Capacity = capacity if short else {**capacity, "raised_to": needed}
        if report.status == "done" and there >= needed - SPARE_INSTANCES:
            return _with(report, raised)
        if not short and state.size is not None and state.size < needed:
            short = f"it was raised to {needed}, and somebody else has set it to {state.size}"
        if not (short or self.is_over):
            return waiting(report.retry_after, **_with(report, raised).observed)
        if report.status == "waiting" and not _is_as_before(state, capacity):
            return _with(report, raised)
        within = f"within {self.plan.policy.capacity_timeout_seconds} s"
        why = short or f"{there} of {needed} instances were there {within}: {state.detail}"
        return done(**_with(report, {**raised, "short_because": why}).observed)


def _is_as_before(state: FleetState, capacity: Capacity) -> bool:
    """Whether the instances that were there before it was raised are there, but for the one it must bear to lose."""
    ready = capacity.get("ready_before")
    before = ready or capacity.get("before") or 0
    return (
        len(state.instances) >= max(1, before - SPARE_INSTANCES)
        and not state.unproven
        and (bool(ready) or state.missing > 0)
    )


def _size_now(fleet: Fleet) -> int | None:
    """How many instances a fleet is asked to have; None where its control plane is silent, or does not tell."""
    try:
        return look_in_time(fleet.size, LEAVING_LOOK_S)
    except (FleetUnavailable, FleetRejected):
        return None


def _in_words(last: SavedSize | None, now: int | None) -> str:
    saved = f"had {last.size.instances} {time.time() - last.at:,.0f} s ago" if last else "was never seen well"
    return f"{saved}, and {'does not tell now' if now is None else f'has {now} now'}"


def _with(report: Report, capacity: Capacity) -> Report:
    return report.model_copy(update={"observed": report.observed | {"capacity": capacity}})
