"""Putting, changing and removing plans: what is deployed went through here, and was checked.

A plan that is refused changes nothing. What is put twice is one revision. While an execution holds the plan's lease,
what it works on stays: it goes by the plan it claimed, and its successor must find the same sites, links and name.
"""

from __future__ import annotations

import time
from typing import Final

from failover.errors import BadPlan, PlanChangeRefused, UnknownPlan
from failover.execution.runs import ended_holder
from failover.ledger.ledger import Ledger
from failover.plan.model import Plan, parse
from failover.plan.operators import check_operator
from failover.plan.store import Revision, current_revision, deployed_plans, replace_revision

CHANGEABLE_UNDER_WAY: Final = frozenset({"policy", "protect", "operators", "vantage_points", "anchors"})
"""What the execution that holds the lease does not touch."""


def put_plan(book: Ledger, text: str, *, by: str, origin: str = "") -> Revision:
    """Put a plan, or change the one of that name; answers the revision that is in force. The same text again from
    the same `origin` (what declares it, execution/declared_plans.py; empty: a person puts it): nothing.

    Raises:
        BadPlan: naming every wrong field by its path.
        NotAnOperator: the caller is no operator of the plan, as it is or as it would be.
        PlanChangeRefused: an execution works on it, the active site would be none of its sites, or another plan has
            its hostname; or it was changed meanwhile.
        LedgerUnavailable
    """
    plan = parse(text)
    before = current_revision(plan.name)
    check_operator(plan, by)
    plan_before = _plan_of(before)
    if plan_before is not None:
        check_operator(plan_before, by)
    if before is not None and (before.document, before.origin) == (text, origin):
        return before
    _check_hostname(plan)
    _check_state(book, plan, plan_before)
    return _replace(
        Revision(plan=plan.name, number=_next(before), document=text, by=by, at=time.time(), origin=origin), before
    )


def remove_plan(book: Ledger, name: str, *, by: str, origin: str = "") -> Revision:
    """Remove a plan; its ledger and its revisions stay, and a plan of that name goes on from there.

    Raises:
        UnknownPlan: there is none.
        NotAnOperator: the caller is no operator of it.
        PlanChangeRefused: an execution holds its lease; or it was changed meanwhile.
        LedgerUnavailable
    """
    before = current_revision(name)
    if before is None or before.document is None:
        raise UnknownPlan(f"no plan {name!r} is deployed")
    if (plan := _plan_of(before)) is not None:
        check_operator(plan, by)
    state = book.state(name, "")
    if state.holder is not None:
        raise PlanChangeRefused(
            f"{state.holder_in_words} holds the lease of plan {name!r}: let it end, and remove it then"
        )
    return _replace(
        Revision(plan=name, number=_next(before), document=None, by=by, at=time.time(), origin=origin), before
    )


def _plan_of(revision: Revision | None) -> Plan | None:
    """The plan of a revision, if it is a good one."""
    if revision is None or revision.document is None:
        return None
    try:
        return parse(revision.document)
    except BadPlan:
        return None


def _next(before: Revision | None) -> int:
    return 1 if before is None else before.number + 1


def _replace(revision: Revision, before: Revision | None) -> Revision:
    if not replace_revision(revision, before):
        # The SDK repeats a write whose answer is lost, and finds its own.
        now = current_revision(revision.plan)
        if now != revision:
            raise PlanChangeRefused(f"plan {revision.plan!r} was changed meanwhile: look at it, and say it again")
    return revision


def _check_hostname(plan: Plan) -> None:
    for name, other in deployed_plans().items():
        if name != plan.name and isinstance(other, Plan) and other.hostname == plan.hostname:
            raise PlanChangeRefused(
                f"plan {name!r} moves {plan.hostname} already: two plans would lead it to two places"
            )


def _check_state(book: Ledger, plan: Plan, before: Plan | None) -> None:
    state = book.state(plan.name, plan.home)
    if state.active not in plan.sites:
        raise PlanChangeRefused(
            f"{state.active} is the active site of plan {plan.name!r}, and none of {' and '.join(sorted(plan.sites))}"
        )
    if state.holder is None:
        return
    changed = {
        field for field in Plan.model_fields if before is None or getattr(plan, field) != getattr(before, field)
    } - CHANGEABLE_UNDER_WAY
    if changed and ended_holder(state) is None:
        raise PlanChangeRefused(
            f"{state.holder_in_words} works on plan {plan.name!r}: let it end, and change {', '.join(sorted(changed))}"
            " then"
        )
    if before is not None and set(plan.sites) != set(before.sites):
        raise PlanChangeRefused(
            f"{state.holder_in_words} holds the lease of plan {plan.name!r}: its sites stay"
            f" {' and '.join(sorted(before.sites))} until it ends or is superseded"
        )
