"""Which fleets are not fenced, though all have to be."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from failover.fleets import at_once_again, fleets_of
from failover.plan.model import FENCED, Plan


def unfenced_fleets(plan: Plan, to_site: str) -> list[str]:
    """The fleets of all locations that are neither fenced nor lead to the site that takes over: clients may write to
    the other one through them.

    Raises:
        FleetUnavailable, FleetRejected: a fleet can't be looked at.
    """
    fleets = [named for location in plan.locations.values() for named in fleets_of(location)]
    with ThreadPoolExecutor(max_workers=len(fleets)) as pool:
        states = list(pool.map(lambda named: at_once_again(named[1].look), fleets))
    return [
        f"{name} leads to {state.target or 'no site of the plan'}"
        for (name, _), state in zip(fleets, states, strict=True)
        if state.target not in (FENCED, to_site)
    ]
