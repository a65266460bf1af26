"""fence: stop writes to the lost site through every gateway that can be reached. Best effort, and reported as such."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final

from failover.errors import FleetRejected, FleetUnavailable
from failover.execution.step import Report, Request, done, step, waiting
from failover.fleets import Fleet, fleets_of
from failover.plan.model import FENCED, Plan

FENCING: Final = "fencing"


def fence(request: Request, plan: Plan) -> Report:
    """Fence every fleet of the lost site; done when each is fenced or out of reach."""
    fleets = fleets_of(plan.site(request.execution.from_site))
    with ThreadPoolExecutor(max_workers=len(fleets)) as pool:
        reached = dict(
            zip(
                (name for name, _ in fleets),
                pool.map(lambda each: _fence(each[1], dry_run=request.execution.dry_run), fleets),
                strict=True,
            )
        )
    if any(state == FENCING for state in reached.values()):
        return waiting(fleets=reached)
    return done(fleets=reached)


def _fence(fleet: Fleet, *, dry_run: bool) -> str:
    try:
        state = fleet.look()
        if state.routed_to(FENCED):
            how = "" if state.fence_kind in (None, "route") else f": {state.fence_kind}"
            return f"fenced{how}" if state.settled else FENCING
        if dry_run:
            return f"would be fenced: {state.detail}"
        fleet.route(FENCED)
    except (FleetUnavailable, FleetRejected) as error:
        return f"out of reach: {error}"
    return FENCING


handler = step("fence", Request, fence)
