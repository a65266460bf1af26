"""promote_mirrors: fail the mirrors over, until every one is STOPPED, that is writable. Accepted is not done.

With a batch: the mirrors of that batch of the inventory. Without: a sweep of the whole link, which also finds mirrors
that appeared meanwhile.
"""

from __future__ import annotations

from failover.errors import StandbyChanged
from failover.link import PENDING_STOPPED, STOPPED, Mirror, Rejection, by_status
from failover.link.of_plan import links_at
from failover.plan import Plan
from failover.step import Report, Request, done, ledger, step, waiting

NAMED = 20


class PromoteRequest(Request):
    """`batch`: its number in the inventory; None sweeps the link."""

    batch: int | None = None


def promote(request: PromoteRequest, plan: Plan) -> Report:
    """Look at the mirrors; ask for those that are not on their way; done when all are STOPPED."""
    execution = request.execution
    links = links_at(plan, execution.to_site)
    listed = {link: link.mirrors() for link in links}
    mirrors = _of_batch([mirror for found in listed.values() for mirror in found], request)
    left = [mirror for mirror in mirrors if mirror.status != STOPPED]
    if not mirrors and request.batch is None:
        names = ", ".join(link.name for link in links)
        raise StandbyChanged(f"no link of {names} holds a mirror on {execution.to_site} any more")
    if not left:
        return done(mirrors=len(mirrors), by_status=by_status(mirrors))
    idle = {mirror.topic for mirror in left if mirror.status != PENDING_STOPPED}
    rejected: list[Rejection] = []
    for link, found in listed.items():
        if asked := [mirror.topic for mirror in found if mirror.topic in idle]:
            rejected += link.fail_over(asked, validate_only=execution.dry_run)
    if execution.dry_run:
        return done(would_promote=len(idle), by_status=by_status(mirrors), rejected=_named(rejected))
    return waiting(
        mirrors=len(mirrors),
        left=[f"{mirror.topic} {mirror.status}" for mirror in left[:NAMED]],
        by_status=by_status(mirrors),
        rejected=_named(rejected),
    )


def _of_batch(mirrors: list[Mirror], request: PromoteRequest) -> list[Mirror]:
    if request.batch is None or request.execution.dry_run:
        return mirrors
    names = set(ledger().inventory(request.execution, request.batch))
    return [mirror for mirror in mirrors if mirror.topic in names]


def _named(rejected: list[Rejection]) -> list[str]:
    return [f"{row.topic}: {row.code} {row.message}" for row in rejected[:NAMED]]


def _key(request: PromoteRequest) -> str:
    return "promote_mirrors" + (":sweep" if request.batch is None else f":{request.batch}")


handler = step(_key, PromoteRequest, promote)
