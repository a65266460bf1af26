"""restore_mirrors: truncate the returned site's topics to where the active site took over, and have them mirror it.

What was stranded is gone from the topic then: so nothing is asked for before all of it is saved, or the start said
`discard`, and before every log is seen to end where it was measured. The first truncation that is asked for is the
point of no return. Accepted is not done: each call lists the mirrors, and is done when all are ACTIVE and their lag is
known. A topic whose link is not bidirectional can't be truncated: it is deleted, if the start consents, and asked to be
mirrored anew once it is gone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from failover.documents.steps import Restored
from failover.errors import LinkRejected, LinkUnavailable, RescueIncomplete, RestoreRejected, ReturnedSiteInUse
from failover.execution.inventory import Inventory, inventory
from failover.execution.step import Report, Request, done, ledger, pause_after, pause_of, step, waiting
from failover.kafka.factory import as_controller
from failover.kafka.offsets import in_words, log_ends
from failover.ledger.topic_tables import load_execution_table, save_execution_table
from failover.link import (
    ACTIVE,
    NO_CODE,
    STOPPED,
    Mirror,
    MirrorLink,
    Rejection,
    by_status,
    is_bidirectional,
    trailing,
)
from failover.link.batches import Answers, ask_in_batches
from failover.link.factory import cluster_at, links_at
from failover.loss.divergence import divergence
from failover.plan.model import Plan
from failover.rescue.record import load_progress, load_stranded
from failover.rescue.stranded import StrandedRange, refuse_unsaved, unsaved

NAMED: Final = 20
DELETING: Final = "deleting"
"""The table of the topics that this execution asked to be deleted."""


class RestoreRequest(Request):
    """`discard`: the start said so, of what nothing saves; `delete_topics`: and of topics whose link is not
    bidirectional."""

    discard: bool = False
    delete_topics: bool = False


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
        return waiting(pause_after(error), unreachable=[str(error)])
    idle = {
        link: [topic for topic, entry in expected.items() if entry.link == name and topic not in mirrors]
        for name, link in links.items()
    }
    facts: Restored = {"topics": len(expected), "by_status": by_status(mirrors.values()), "discarded": request.discard}
    anew = _to_be_mirrored_anew(request, plan, idle)
    if execution.dry_run:
        return done(**facts, would_restore=sum(map(len, idle.values())), would_delete=len(anew.present))
    if not any(idle.values()):
        facts["lag"] = trailing(mirrors.values()).total_records
        unready = [f"{topic} {mirror.status}" for topic, mirror in sorted(mirrors.items()) if not _is_ready(mirror)]
        return (
            waiting(**facts, unready=unready[:NAMED], unready_count=len(unready))
            if unready
            else done(**facts, unready=[])
        )
    over = mirrors.keys() | anew.deleted
    stranded = [entry for entry in divergence(ledger(), execution) if entry.topic not in over]
    _refuse_what_is_not_saved(request, plan)
    deleting = load_execution_table(ledger(), execution, DELETING) if anew.topics else {}
    _refuse_what_moved(plan, returned, stranded, deleting=deleting.keys())
    ledger().pass_no_return(execution)
    if anew.topics:
        save_execution_table(ledger(), execution, DELETING, dict.fromkeys(sorted(anew.topics)))
        idle = {link: [topic for topic in topics if topic not in anew.topics] for link, topics in idle.items()}
        facts["deleted"] = len(anew.present)
    answers = _together(ask_in_batches(idle, _ask), _mirror_anew(plan, returned, anew))
    if (
        answers.all_refused
        and not (anew.topics and _may_pass(answers))
        and not _anything_moved(links, expected, mirrors)
    ):
        raise RestoreRejected(
            f"no link of {returned} accepted to restore a topic: {'; '.join(map(str, answers.rejected[:NAMED]))}. Mend"
            " what it says, and redrive"
        )
    named = [f"{topic} is no mirror yet" for of_link in idle.values() for topic in of_link]
    return waiting(
        pause_of(answers.retry_after),
        **facts,
        unready=named[:NAMED],
        unready_count=len(named),
        rejected=list(map(str, answers.rejected[:NAMED])),
        unreachable=list(answers.unanswered[:NAMED]),
    )


@dataclass(frozen=True, kw_only=True)
class _Anew:
    """Topics that are deleted and mirrored anew, by their link."""

    topics: dict[str, MirrorLink]
    present: frozenset[str]
    """Of those, what the returned site has still."""

    @property
    def deleted(self) -> set[str]:
        """What it does not have any more."""
        return self.topics.keys() - self.present


def _to_be_mirrored_anew(request: RestoreRequest, plan: Plan, idle: Mapping[MirrorLink, Sequence[str]]) -> _Anew:
    one_way = [link for link, topics in idle.items() if topics and request.delete_topics and not is_bidirectional(link)]
    topics = {topic: link for link in one_way for topic in idle[link]}
    here = {topic.name for topic in cluster_at(plan, request.execution.from_site).topics()} if topics else set[str]()
    return _Anew(topics=topics, present=frozenset(here & topics.keys()))


def _mirror_anew(plan: Plan, site: str, anew: _Anew) -> Answers:
    """Ask for what is there to be deleted, and for what is not to be mirrored; a topic that is being deleted is refused
    as a mirror, and asked for again."""
    cluster = cluster_at(plan, site)
    by_link: dict[MirrorLink, list[str]] = {}
    for topic, link in sorted(anew.topics.items()):
        by_link.setdefault(link, []).append(topic)

    def ask(link: MirrorLink, topics: Sequence[str]) -> list[Rejection]:
        (topic,) = topics
        try:
            if topic in anew.present:
                cluster.delete_topic(topic)
            else:
                link.create_mirror(topic)
        except LinkRejected as error:
            return [Rejection(topic, error.code or error.status or NO_CODE, str(error))]
        return []

    return ask_in_batches(by_link, ask, batch_of=1)


def _may_pass(answers: Answers) -> bool:
    """Whether a refusal is of a topic that is being deleted, or of a link that does not know itself yet."""
    return not all(str(row.code)[:3] in ("401", "403") for row in answers.rejected)


def _together(first: Answers, second: Answers) -> Answers:
    return Answers(
        requested=first.requested + second.requested,
        rejected=first.rejected + second.rejected,
        unanswered=first.unanswered + second.unanswered,
        retry_after=max(first.retry_after, second.retry_after),
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


def _refuse_what_moved(plan: Plan, site: str, stranded: Sequence[StrandedRange], *, deleting: Collection[str]) -> None:
    """Whoever writes after it was measured loses what they write, and nobody would have counted it. `deleting`: what
    was asked to be deleted, and may have no end any more."""
    ends = as_controller(plan, site, lambda settings: log_ends(settings, [entry.spot for entry in stranded]))
    moved = [
        f"{in_words(entry.spot)} ends at {ends.by_partition.get(entry.spot, 'an unknown offset')}, not at {entry.end}"
        for entry in stranded
        if ends.by_partition.get(entry.spot) != entry.end
        and (entry.topic not in deleting or entry.spot in ends.by_partition)
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
