"""flip_dns: point the client hostname at the standby's fleet, until it is in sync and name servers answer it. A name
that leads to every location at all times is not flipped: it is seen to lead to the plan's and nowhere else."""

from __future__ import annotations

from typing import Final

from failover.dns import NameState, client_name_of, targets_of
from failover.dns.answers import ask_resolvers
from failover.documents.steps import NameFlip
from failover.execution.name_in_zone import in_turn
from failover.execution.predecessors import LOOK_AT_NAME
from failover.execution.step import Report, Request, done, ledger, step, waiting
from failover.plan.model import Plan

QUEUED_S: Final = 2
"""Until it is asked again whether other plans' changes of the zone are through."""


class FlipRequest(Request):
    """`look_only`: say where the name leads, before anything is changed."""

    look_only: bool = False


def flip(request: FlipRequest, plan: Plan) -> Report:
    """Look at record and answers; change the record if it is another and no change is under way; done when every name
    server that is asked answers it."""
    site, name = request.execution.to_site, client_name_of(plan)
    if name is None:
        return done(hostname=plan.hostname, why="the plan has no name to flip")
    if plan.dns.answers_every_location:
        return _see_answers(plan, name.look(None))
    target = targets_of(plan)[site]
    looking = request.look_only or request.execution.dry_run
    if not looking:
        name = in_turn(name, plan, request.execution, ledger())
    change = _change_under_way(request)
    state = name.look(change)
    if not looking and state.record != target and state.in_sync:
        ledger().hold(request.execution)
        change = name.point_to(site) or None
        state = name.look(change)
    observed: NameFlip = {
        "hostname": plan.hostname,
        "record": state.record,
        "answers": state.answers,
        "change": state.change or change,
        "unreached": list(state.unreached),
        "failed": list(state.failed),
    }
    if looking:
        return done(**observed, would_point_at=target)
    if not (state.leads_to(target) and state.in_sync):
        return waiting(1 if observed["change"] else QUEUED_S, **observed)
    return done(**observed, resolvers=ask_resolvers(plan))


def _see_answers(plan: Plan, state: NameState) -> Report:
    """Clients are led to the plan's locations; which of them are dead is the provider's to know."""
    observed: NameFlip = {
        "hostname": plan.hostname,
        "why": "it leads to every location at all times: nothing is flipped",
        "answers": state.answers,
        "unreached": list(state.unreached),
    }
    if not state.answers_one_of(targets_of(plan).values()):
        return waiting(**observed)
    return done(**observed, resolvers=ask_resolvers(plan))


def _change_under_way(request: FlipRequest) -> str | None:
    """The id of this execution's own change. Only a hint to ask GetChange with: the record itself is looked at."""
    last = ledger().step(request.execution.plan, request.execution.name, "flip_dns")
    return last.observed.get("change") if last else None


handler = step(lambda request: LOOK_AT_NAME if request.look_only else "flip_dns", FlipRequest, flip)
