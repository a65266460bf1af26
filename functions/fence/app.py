"""fence: stop writes to the site that is left. Of a lost one through every gateway that clients come through and that
can be reached, its own and those near the clients: best effort, and reported as such. Of one that is well through every
gateway that leads to it, wherever it stands: all of them.
Where clients are led back they may come through the gateways of either site: of both, as far as they can be reached.

A failover that began by itself has seen that the active site is lost. Its clients wait for the standby, and not for a
fence: it is asked for beside the promotion (`beside`), and not waited for.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final

from failover.errors import FleetRejected, FleetUnavailable
from failover.execution.step import Report, Request, done, ledger, step, waiting
from failover.fleets import FENCE_LOOK_S, Fleet, FleetState, at_once_again, fleets_of, is_busy, look_in_time
from failover.ledger.execution import Execution
from failover.plan.model import FENCED, Plan

FENCING: Final = "fencing"
VACATED: Final = "fenced: no instance of before is left, those of the fence are on their way"


class FenceRequest(Request):
    """What to fence, and how long to see to it."""

    everywhere: bool = False
    """Every gateway that leads to the site that is left, wherever it stands, none of them best effort."""
    beside: bool = False
    """Other steps go on meanwhile: each gateway is asked once, and no fence is waited for."""


def fence(request: FenceRequest, plan: Plan) -> Report:
    """Fence every fleet that carries clients; done when each is fenced, out of reach, or not to be fenced at all; with
    `beside` as soon as each was asked. With `everywhere` done when no gateway leads to the site any more: clients stand
    still from then on, whether they are refused by the fence or its instances are on their way yet.

    Raises:
        FleetRejected: one can't be fenced, of `everywhere`.
    """
    all_of_them = request.everywhere or request.execution.leads_back
    locations = plan.locations if all_of_them else plan.carrying(request.execution.from_site)
    fleets = [named for location in locations.values() for named in fleets_of(location)]
    fence_one = _fence_surely if request.everywhere else _fence
    with ThreadPoolExecutor(max_workers=len(fleets)) as pool:
        states = list(pool.map(lambda named: fence_one(request.execution, named[1]), fleets))
    reached = {name: state for (name, _), (state, _) in zip(fleets, states, strict=True)}
    finished = request.beside or all(finished for _, finished in states)
    return done(fleets=reached) if finished else waiting(request.pause_s, fleets=reached)


def _fence(execution: Execution, fleet: Fleet) -> tuple[str, bool]:
    """What there is to say of a fleet, and whether that is all that can be done."""
    try:
        state = look_in_time(fleet.look, FENCE_LOOK_S)
    except FleetUnavailable as error:
        return f"out of reach: {error}", not is_busy(error)
    except FleetRejected as error:
        return f"out of reach: {error}", True
    if execution.leads_back and state.target == execution.to_site:
        return f"leads to {execution.to_site}", True
    try:
        return _route_to_fence(execution, fleet, state)
    except FleetUnavailable as error:
        return f"{FENCING}, not known to be under way: {error}", False
    except FleetRejected as error:
        return f"out of reach: {error}", True


def _fence_surely(execution: Execution, fleet: Fleet) -> tuple[str, bool]:
    """As `_fence` has it, of a fleet that must be fenced: one that can't be raises, one out of reach is waited for."""
    try:
        state = at_once_again(fleet.look)
        if state.target == execution.to_site:
            return f"leads to {execution.to_site}", True
        return _route_to_fence(execution, fleet, state)
    except FleetUnavailable as error:
        return f"out of reach: {error}", False


def _route_to_fence(execution: Execution, fleet: Fleet, state: FleetState) -> tuple[str, bool]:
    if state.routed_to(FENCED):
        how = "" if state.fence_kind in (None, "route") else f": {state.fence_kind}"
        if state.settled:
            return f"fenced{how}", True
        return (VACATED, True) if state.fence_holds else (FENCING, False)
    if execution.dry_run:
        return f"would be fenced: {state.detail}", True
    ledger().hold(execution)
    fleet.route(FENCED)
    return FENCING, False


handler = step("fence", FenceRequest, fence)
