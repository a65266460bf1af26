"""switch_routes: route one gateway fleet to the standby's cluster, until every instance runs that route. One that lacks
an instance it must bear to lose may have clients; so may one that lacks more, rather than none at the last chance. One
that clients come to next is raised to the size of those they come from. One that clients go on to come through may be
left as it is only where it is fenced, or the name leads nobody to it."""

from __future__ import annotations

from failover.documents.steps import RouteSwitch
from failover.errors import FleetRejected, FleetUnavailable, PastNoReturn
from failover.execution.capacity import Matching
from failover.execution.out_of_service import out_of_service
from failover.execution.step import Report, Request, done, ledger, pause_after, step, waiting
from failover.fleets import REROUTE_LOOK_S, Fleet, FleetState, at_once_again, fleet_of, is_busy, look_in_time
from failover.plan.model import FENCED, Plan

ASK_AGAIN_S = 3
"""Between two looks at what the provider of a name says, which takes few questions a second."""


class SwitchRequest(Request):
    """Which fleet is to be routed to the standby's cluster, and what of that may be left undone."""

    site: str
    """Where the fleet stands: a site, or a place near the clients."""
    fleet: str
    best_effort: bool = False
    """No client comes through it afterwards: out of reach, it is reported and holds nothing up."""
    staying: bool = False
    """Clients come through it before and afterwards."""
    last_chance: bool = False
    """The time for it is over."""
    look_only: bool = False
    """Say how it is routed, before anything is changed."""
    back: bool = False
    """Where it is fenced, lead it back to the site that was to be left."""

    @property
    def may_be_aborted(self) -> bool:
        """Putting back is what an abort asks for."""
        return not self.back

    @property
    def target(self) -> str:
        """Where the fleet is to be routed."""
        return self.execution.from_site if self.back else self.execution.to_site


def look_or_switch(request: SwitchRequest, plan: Plan) -> Report:
    """Only look at the fleet, or switch it, too; or put it back where it was before a fence."""
    fleet = _fleet(request, plan)
    if request.look_only:
        return _would_route(at_once_again(fleet.look), request.target)
    if request.back:
        return put_back(request, plan, fleet)
    if request.staying:
        return lead_over(request, plan, fleet)
    return join(request, plan, fleet) if _joins(request, plan) else switch(request, fleet)


def join(request: SwitchRequest, plan: Plan, fleet: Fleet) -> Report:
    """Switch a fleet that clients come to next, and raise it to the size of those that they come from. What it lacks
    once the time for that is over is reported, and holds nobody up."""
    key, book = _key(request), ledger()
    matching = Matching(
        book=book,
        execution=request.execution,
        plan=plan,
        location=request.site,
        fleet=request.fleet,
        step=key,
        record=book.step(plan.name, request.execution.name, key),
        last_chance=request.last_chance,
    )
    state = matching.excused(at_once_again(fleet.look))
    report = route(request, fleet, state)
    return matching.matched(fleet, state, report) if state.routed_to(request.target) else matching.unmatched(report)


def lead_over(request: SwitchRequest, plan: Plan, fleet: Fleet) -> Report:
    """Switch a fleet that clients go on to come through. One that can't be reached or routed is waited for, until it is
    proven to be fenced, or the name leads nobody to it: as long as it may lead to the site that is left, clients may
    write there.

    Raises:
        FleetRejected: it can't be routed, and clients may come to it.
    """
    try:
        report = switch(request, fleet)
        if report.status == "done" or not request.last_chance:
            return report
        why = out_of_service(ledger(), request.execution, plan, location=request.site, fleet=request.fleet)
        return done(**report.observed, out_of_service=why) if why else report
    except (FleetUnavailable, FleetRejected) as error:
        why = out_of_service(ledger(), request.execution, plan, location=request.site, fleet=request.fleet)
        if not why and isinstance(error, FleetRejected):
            raise
        observed: RouteSwitch = {"target": request.target, "out_of_reach": str(error), "out_of_service": why}
        return done(**observed) if why else waiting(ASK_AGAIN_S, **observed)


def put_back(request: SwitchRequest, plan: Plan, fleet: Fleet) -> Report:
    """Lead a fleet that is fenced back to where it was; one that leads elsewhere was not fenced by this execution.

    Raises:
        PastNoReturn: nothing is put back any more.
    """
    if ledger().state(plan.name, plan.home).no_return == request.execution.name:
        raise PastNoReturn(f"{request.execution.name} is past its point of no return: it goes forward only")
    state = at_once_again(fleet.look)
    if state.target not in (request.target, FENCED):
        return done(routed_to=state.target, detail=state.detail)
    return switch(request, fleet)


def switch(request: SwitchRequest, fleet: Fleet) -> Report:
    """Look at the fleet; change its route if it is another; done when no instance of the previous revision is left."""
    try:
        hurried = request.best_effort or request.staying
        state = look_in_time(fleet.look, REROUTE_LOOK_S) if hurried else at_once_again(fleet.look)
    except (FleetUnavailable, FleetRejected) as error:
        if not request.best_effort:
            raise
        if isinstance(error, FleetRejected) or not (is_busy(error) or _was_fenced_and_not_yet_missed(request)):
            return done(out_of_reach=str(error))
        return waiting(pause_after(error), out_of_reach=str(error))
    return route(request, fleet, state)


def route(request: SwitchRequest, fleet: Fleet, state: FleetState) -> Report:
    """Change the route of a fleet that was looked at, if it is another, or say how far it is."""
    target = request.target
    try:
        if state.routed_to(target):
            return _progress(request, state, target)
        if request.execution.dry_run:
            return _would_route(state, target)
        ledger().hold(request.execution)
        fleet.route(target)
    except FleetRejected as error:
        if not request.best_effort:
            raise
        return done(out_of_reach=str(error))
    except FleetUnavailable as error:
        if not request.best_effort:
            raise
        return waiting(pause_after(error), target=target, routed_from=state.target, out_of_reach=str(error))
    return waiting(request.pause_s, target=target, routed_from=state.target)


def _fleet(request: SwitchRequest, plan: Plan) -> Fleet:
    location = plan.location(request.site)
    described = next((fleet for fleet in location.fleets if fleet.name == request.fleet), None)
    if described is None:
        raise FleetRejected(f"{request.site} of plan {plan.name!r} has no fleet {request.fleet!r}")
    return fleet_of(described, location.region, location.role)


def _joins(request: SwitchRequest, plan: Plan) -> bool:
    """Whether it is a fleet that no client came to before."""
    return request.site in plan.carrying_only(request.execution.to_site) and not request.best_effort


def _was_fenced_and_not_yet_missed(request: SwitchRequest) -> bool:
    """Whether this execution fenced the fleet, and reached it ever since: one look that nobody answers leaves no client
    with the fence."""
    plan, execution = request.execution.plan, request.execution.name
    fence, before = (ledger().step(plan, execution, name) for name in ("fence", _key(request)))
    fenced = fence is not None and str(fence.observed.get("fleets", {}).get(request.fleet, "")).startswith("fenc")
    return fenced and (before is None or "out_of_reach" not in before.observed)


def _would_route(state: FleetState, target: str) -> Report:
    return done(would_route_to=target, routed_to=state.target, detail=state.detail, tier=state.tier)


def _progress(request: SwitchRequest, state: FleetState, target: str) -> Report:
    """How far a fleet is that is routed there."""
    observed: RouteSwitch = {"target": target, "instances": len(state.instances), "unproven": state.unproven}
    if state.missing:
        observed["missing"] = state.missing
    enough = state.accepts_clients or (request.last_chance and bool(state.missing and state.instances))
    facts = {**observed, "detail": state.detail, "tier": state.tier}
    pause_s = state.look_again_s if state.look_again_s > 1 else request.pause_s
    return done(**facts) if enough else waiting(pause_s, **facts)


def _key(request: SwitchRequest) -> str:
    what = "look_at_fleet" if request.look_only else "put_back" if request.back else "switch_routes"
    return f"{what}:{request.fleet}"


handler = step(_key, SwitchRequest, look_or_switch)
