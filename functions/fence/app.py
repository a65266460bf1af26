"""fence: stop writes to the site that is left. Of a lost one through every gateway of it that can be reached: best
effort, and reported as such. Of one that is well through every gateway that leads to it, on both sites: all of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final

from failover.errors import FleetRejected, FleetUnavailable
from failover.execution.step import Report, Request, done, ledger, step, waiting
from failover.fleets import Fleet, at_once_again, fleets_of, is_busy, look_in_time
from failover.ledger.execution import Execution
from failover.plan.model import FENCED, Plan

FENCING: Final = "fencing"


class FenceRequest(Request):
    """`everywhere`: every gateway of both sites that leads to the site that is left, none of them best effort."""

    everywhere: bool = False


def fence(request: FenceRequest, plan: Plan) -> Report:
    """Fence every fleet of the lost site; done when each is fenced, out of reach, or not to be fenced at all.

    Raises:
        FleetRejected: one can't be fenced, of `everywhere`.
    """
    if request.everywhere:
        return _fence_everywhere(request, plan)
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


def _fence_everywhere(request: FenceRequest, plan: Plan) -> Report:
    """Done when no gateway leads to the site any more, and each that did is proven to be fenced."""
    fleets = [named for site in plan.sites.values() for named in fleets_of(site)]
    execution = request.execution
    with ThreadPoolExecutor(max_workers=len(fleets)) as pool:
        states = list(pool.map(lambda named: _fence_surely(named[1], execution), fleets))
    reached = {name: state for (name, _), (state, _) in zip(fleets, states, strict=True)}
    return (done if all(finished for _, finished in states) else waiting)(fleets=reached)


def _fence_surely(fleet: Fleet, execution: Execution) -> tuple[str, bool]:
    try:
        state = at_once_again(fleet.look)
        if state.target == execution.to_site:
            return f"leads to {execution.to_site}", True
        if state.routed_to(FENCED):
            return ("fenced", True) if state.settled else (FENCING, False)
        if execution.dry_run:
            return f"would be fenced: {state.detail}", True
        fleet.route(FENCED)
    except FleetUnavailable as error:
        return f"out of reach: {error}", False
    return FENCING, False


handler = step("fence", FenceRequest, fence)
