"""restore_mirrors: truncate the returned site's topics to where the active site took over, and have them mirror it.

What was stranded is gone from the topic then: so nothing is asked for before all of it is saved, or the start said
`discard`, and before every log is seen to end where it was measured. The first truncation that is asked for is the
point of no return. Accepted is not done: each call lists the mirrors, and is done when all are ACTIVE and their lag is
known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from failover.documents.steps import Restored
from failover.errors import LinkUnavailable, RescueIncomplete, RestoreRejected, ReturnedSiteInUse
from failover.execution.inventory import Inventory, inventory
from failover.execution.step import Report, Request, done, ledger, step, waiting
from failover.kafka.factory import as_controller
from failover.kafka.offsets import in_words, log_ends
from failover.link import ACTIVE, STOPPED, Mirror, MirrorLink, Rejection, by_status, trailing
from failover.link.batches import ask_in_batches
from failover.link.factory import links_at
from failover.loss.divergence import divergence
from failover.plan.model import Plan
from failover.rescue.record import load_progress, load_stranded
from failover.rescue.stranded import StrandedRange, refuse_unsaved, unsaved

NAMED: Final = 20


class RestoreRequest(Request):
    """`discard`: the start said so, of what nothing saves."""

    discard: bool = False


def restore(request: RestoreRequest, plan: Plan) -> Report:
    """Look at the mirrors; ask for the topics that are none yet; done when all are ACTIVE and their lag is known.

    Raises:
        RescueIncomplete: records are stranded that are not saved.
        ReturnedSiteInUse: a log ends elsewhere than it was measured.
        RestoreRejected: no link accepts what is left, and nothing is under way.
        AbortRequested: a person wants that, and is not too late.
    """
    execution, returned = request.execution, request.execution.from_site
    expected = inventory(ledger(), execution)
    links = {link.name: link for link in links_at(plan, returned)}
    try:
        mirrors = _mirrors(links, expected)
    except LinkUnavailable as error:
        return waiting(unreachable=[str(error)])
    idle = {
        link: [topic for topic, entry in expected.items() if entry.link == name and topic not in mirrors]
        for name, link in links.items()
    }
    facts: Restored = {"topics": len(expected), "by_status": by_status(mirrors.values()), "discarded": request.discard}
    if execution.dry_run:
        return done(**facts, would_restore=sum(map(len, idle.values())))
    if not any(idle.values()):
        facts["lag"] = trailing(mirrors.values()).records
        unready = [f"{topic} {mirror.status}" for topic, mirror in sorted(mirrors.items()) if not _is_ready(mirror)]
        return (
            waiting(**facts, unready=unready[:NAMED], unready_count=len(unready))
            if unready
            else done(**facts, unready=[])
        )
    stranded = [entry for entry in divergence(ledger(), execution) if entry.topic not in mirrors]
    _refuse_what_is_not_saved(request, plan)
    _refuse_what_moved(plan, returned, stranded)
    ledger().pass_no_return(execution)
    answers = ask_in_batches(idle, _ask)
    if answers.all_refused and not _anything_moved(links, expected, mirrors):
        raise RestoreRejected(
            f"no link of {returned} accepted to restore a topic: {'; '.join(map(str, answers.rejected[:NAMED]))}. Mend"
            " what it says, and redrive"
        )
    named = [f"{topic} is no mirror yet" for of_link in idle.values() for topic in of_link]
    return waiting(
        **facts,
        unready=named[:NAMED],
        unready_count=len(named),
        rejected=list(map(str, answers.rejected[:NAMED])),
        unreachable=list(answers.unanswered[:NAMED]),
    )


def _mirrors(links: Mapping[str, MirrorLink], expected: Inventory) -> dict[str, Mirror]:
    """What the returned site mirrors, or is about to; a row that is STOPPED is of an earlier time."""
    return {
        mirror.topic: mirror
        for link in links.values()
        for mirror in link.mirrors()
        if mirror.topic in expected and mirror.status != STOPPED
    }


def _is_ready(mirror: Mirror) -> bool:
    return mirror.status == ACTIVE and all(lag.records is not None for lag in mirror.lags)


def _ask(link: MirrorLink, topics: Sequence[str]) -> list[Rejection]:
    return [answer.rejection for answer in link.truncate_and_restore(topics) if answer.rejection]


def _refuse_what_is_not_saved(request: RestoreRequest, plan: Plan) -> None:
    """Every stranded offset must be accounted for, but by the plain word of who started it."""
    if request.discard:
        return
    stranded = load_stranded(ledger(), request.execution)
    if stranded is None:
        raise RescueIncomplete("what is stranded was not measured, or is being measured anew: nothing was truncated")
    without_gone = plan.rescue is not None and plan.rescue.on_gone == "go-on"
    refuse_unsaved(unsaved(stranded, load_progress(ledger(), request.execution), without_gone=without_gone))


def _refuse_what_moved(plan: Plan, site: str, stranded: Sequence[StrandedRange]) -> None:
    """Whoever writes after it was measured loses what they write, and nobody would have counted it."""
    ends = as_controller(plan, site, lambda settings: log_ends(settings, [entry.spot for entry in stranded]))
    moved = [
        f"{in_words(entry.spot)} ends at {ends.by_partition.get(entry.spot, 'an unknown offset')}, not at {entry.end}"
        for entry in stranded
        if ends.by_partition.get(entry.spot) != entry.end
    ]
    if moved:
        raise ReturnedSiteInUse(
            f"{len(moved)} partitions on {site} do not end where it was measured: {'; '.join(moved[:NAMED])}. Stop who"
            " writes there, and redrive: it is measured again"
        )


def _anything_moved(links: Mapping[str, MirrorLink], expected: Inventory, before: Mapping[str, Mirror]) -> bool:
    """Whether a topic is a mirror that was none before; so also where nobody can tell."""
    try:
        return bool(_mirrors(links, expected).keys() - before.keys())
    except LinkUnavailable:
        return True


handler = step("restore_mirrors", RestoreRequest, restore)
