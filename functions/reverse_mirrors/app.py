"""reverse_mirrors: source and mirror change places, without loss, until every mirror is STOPPED, that is writable.

The first reverse that a link accepts is the point of no return: before it is asked for, the ledger is told, and from
then on nothing can be aborted. Just before, every fence is looked at once more: a minute may have passed since it was
proven, and another tool may have led a gateway back. A link that is not bidirectional can't be reversed: its mirrors
are promoted, and the site that is left has no copy from then on. Accepted is not done; each call lists the mirrors and
asks by name, in batches, for those that are not on their way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from failover.documents.steps import Reversal
from failover.errors import FenceLifted, LinkRejected, LinkUnavailable, MirrorsNotReady
from failover.execution.inventory import Inventory, inventory
from failover.execution.step import Report, Request, done, ledger, pause_after, pause_of, step, waiting
from failover.execution.unfenced_fleets import unfenced_fleets
from failover.link import ACTIVE, STOPPED, Mirror, MirrorLink, by_status, is_bidirectional
from failover.link.batches import Answers, ask_in_batches
from failover.link.factory import links_at
from failover.plan.model import Plan

NAMED: Final = 20
_UNDER_WAY: Final = "PENDING_"


class ReverseRequest(Request):
    """`look_back`: only look whether the site that is left mirrors the other one by now."""

    look_back: bool = False

    @property
    def may_be_aborted(self) -> bool:
        """Looking back changes nothing, and comes after the point of no return."""
        return not self.look_back


def reverse(request: ReverseRequest, plan: Plan) -> Report:
    """Look at the mirrors; ask for those that are not on their way; done when all are STOPPED.

    Raises:
        MirrorsNotReady: no link accepted anything, or a mirror is in a state that is not reversed, and nothing is
            under way: it can still be given up.
        FenceLifted: nothing is under way yet, and a gateway is not fenced any more.
        FleetUnavailable, FleetRejected: nothing is under way yet, and whether a gateway is fenced is not known.
        AbortRequested: a person wants that, and is not too late.
    """
    execution = request.execution
    if request.look_back:
        return _look_back(request, plan)
    links, expected = links_at(plan, execution.to_site), inventory(ledger(), execution)
    try:
        mirrors = {link: [mirror for mirror in link.mirrors() if mirror.topic in expected] for link in links}
    except LinkUnavailable as error:
        return waiting(pause_after(error), unreachable=[str(error)])
    listed = [mirror for of_link in mirrors.values() for mirror in of_link]
    unstopped = {link: [mirror for mirror in of_link if mirror.status != STOPPED] for link, of_link in mirrors.items()}
    idle = {
        link: [mirror.topic for mirror in of_link if not mirror.status.startswith(_UNDER_WAY)]
        for link, of_link in unstopped.items()
    }
    facts: Reversal = {"mirrors": len(expected), "by_status": by_status(listed)}
    if execution.dry_run:
        return done(**facts, would_reverse=sum(map(len, idle.values())))
    begun = any(mirror.status == STOPPED or mirror.status.startswith(_UNDER_WAY) for mirror in listed)
    if not begun:
        _refuse_what_is_not_active(execution.to_site, listed, expected)
    if not any(unstopped.values()) and len(listed) == len(expected):
        return done(**facts, left=[])
    if not begun and (unfenced := unfenced_fleets(plan, execution.to_site)):
        raise FenceLifted(
            f"not fenced any more: {'; '.join(unfenced[:NAMED])}. Somebody else deployed what the switchover had"
            " fenced: hold that until it has ended"
        )
    both_ways = {link for link, topics in idle.items() if topics and is_bidirectional(link)}
    ledger().pass_no_return(execution)
    answers = ask_in_batches(
        idle, lambda link, topics: link.reverse_and_start(topics) if link in both_ways else link.promote(topics)
    )
    if answers.all_refused and not begun and not _anything_moved(mirrors):
        ledger().take_back_no_return(execution)
        raise MirrorsNotReady(
            f"no link of {execution.to_site} accepted to reverse a mirror:"
            f" {'; '.join(map(str, answers.rejected[:NAMED]))}"
        )
    facts.update(_still(unstopped, expected, listed))
    facts.update(_of(answers))
    return waiting(max(request.pause_s, pause_of(answers.retry_after)), **facts)


def _refuse_what_is_not_active(site: str, listed: Sequence[Mirror], expected: Inventory) -> None:
    gone = sorted(expected.keys() - {mirror.topic for mirror in listed})
    idle = [f"{mirror.topic} {mirror.status}" for mirror in listed if mirror.status != ACTIVE]
    if doubts := [*idle, *(f"{topic} is not listed any more" for topic in gone)]:
        raise MirrorsNotReady(f"{len(doubts)} mirrors on {site} are not ACTIVE: {'; '.join(doubts[:NAMED])}")


def _anything_moved(before: dict[MirrorLink, list[Mirror]]) -> bool:
    """Whether a mirror is in another state than before; so also where nobody can tell."""
    try:
        now = {mirror.topic: mirror.status for link in before for mirror in link.mirrors()}
    except (LinkUnavailable, LinkRejected):
        return True
    return any(now.get(mirror.topic) != mirror.status for of_link in before.values() for mirror in of_link)


def _look_back(request: ReverseRequest, plan: Plan) -> Report:
    execution, expected = request.execution, inventory(ledger(), request.execution)
    both_ways = {link.name for link in links_at(plan, execution.to_site) if is_bidirectional(link)}
    reversible = {topic for topic, entry in expected.items() if entry.link in both_ways}
    if execution.dry_run:
        return done(mirrors_back=0, would_look_at=len(reversible))
    there = [mirror for link in links_at(plan, execution.from_site) for mirror in link.mirrors()]
    back = {mirror.topic for mirror in there if mirror.status == ACTIVE} & reversible
    missing = sorted(reversible - back)
    observed: Reversal = {"mirrors_back": len(back), "not_back": missing[:NAMED], "not_back_count": len(missing)}
    return waiting(**observed) if missing else done(**observed)


def _still(unstopped: dict[MirrorLink, list[Mirror]], expected: Inventory, listed: Sequence[Mirror]) -> Reversal:
    gone = sorted(expected.keys() - {mirror.topic for mirror in listed})
    named = [f"{mirror.topic} {mirror.status}" for of_link in unstopped.values() for mirror in of_link]
    named += [f"{topic} is not listed any more" for topic in gone]
    return {"left": named[:NAMED], "left_count": len(named)}


def _of(answers: Answers) -> Reversal:
    return {"rejected": list(map(str, answers.rejected[:NAMED])), "unreachable": list(answers.unanswered[:NAMED])}


handler = step(lambda request: "look_back" if request.look_back else "reverse_mirrors", ReverseRequest, reverse)
