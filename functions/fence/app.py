"""fence: stop writes to the lost site through every gateway that can be reached. Best effort, and reported as such."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final

from failover.errors import FleetRejected, FleetUnavailable
from failover.execution.step import Report, Request, done, ledger, step, waiting
from failover.fleets import Fleet, fleets_of, is_busy, look_in_time
from failover.ledger.execution import Execution
from failover.plan.model import FENCED, Plan

FENCING: Final = "fencing"


def fence(request: Request, plan: Plan) -> Report:
    """Fence every fleet of the lost site; done when each is fenced, out of reach, or not to be fenced at all."""
    fleets = fleets_of(plan.site(request.execution.from_site))
    with ThreadPoolExecutor(max_workers=len(fleets)) as pool:
        states = list(pool.map(lambda named: _fence(request.execution, named[1]), fleets))
    reached = {name: state for (name, _), (state, _) in zip(fleets, states, strict=True)}
    return (done if all(finished for _, finished in states) else waiting)(fleets=reached)


def _fence(execution: Execution, fleet: Fleet) -> tuple[str, bool]:
    """What there is to say of a fleet, and whether that is all that can be done."""
    try:
        state = look_in_time(fleet.look)
    except FleetUnavailable as error:
        return f"out of reach: {error}", not is_busy(error)
    except FleetRejected as error:
        return f"out of reach: {error}", True
    try:
        if state.routed_to(FENCED):
            how = "" if state.fence_kind in (None, "route") else f": {state.fence_kind}"
            return (f"fenced{how}", True) if state.settled else (FENCING, False)
        if execution.dry_run:
            return f"would be fenced: {state.detail}", True
        ledger().hold(execution)
        fleet.route(FENCED)
    except FleetUnavailable as error:
        return f"{FENCING}, not known to be under way: {error}", False
    except FleetRejected as error:
        return f"out of reach: {error}", True
    return FENCING, False


handler = step("fence", Request, fence)
