"""promote_mirrors: fail the mirrors over, until every one is STOPPED, that is writable. Accepted is not done.

Each call lists every link, and asks by name, in batches, for what is neither STOPPED nor on its way; also for what was
on its way before, by a planned promotion: without its source it would stay so for ever. It is done when a list says
that every mirror of the inventory, and every one that appeared since, is STOPPED. A mirror that gets nowhere holds no
other back: at the last chance it is named with its errors, and policy decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from failover.documents.steps import Promotion
from failover.errors import LinkUnavailable, PromotionRejected, StandbyChanged
from failover.execution.inventory import Inventory, inventory, listed, save_inventory
from failover.execution.step import Report, Request, done, ledger, pause_after, pause_of, step, waiting
from failover.link import PENDING_STOPPED, STOPPED, Mirror, MirrorLink, Rejection, by_status
from failover.link.batches import SIDE_BY_SIDE, Answers, ask_in_batches
from failover.link.factory import links_at
from failover.plan.model import Plan

NAMED = 20


class PromoteRequest(Request):
    """`last_chance`: waiting longer is no option, so what is not STOPPED by now is stuck."""

    last_chance: bool = False


@dataclass(frozen=True, kw_only=True)
class Unpromoted:
    """A mirror that is not STOPPED, on its link; `mirror` None: it was in the inventory and is listed no more."""

    topic: str
    link: MirrorLink | None
    mirror: Mirror | None
    was_pending: bool
    """It was PENDING_STOPPED when the failover was decided, by a promotion that ends never if its source is gone."""

    @property
    def idle(self) -> bool:
        return self.mirror is not None and (self.mirror.status != PENDING_STOPPED or self.was_pending)

    def __str__(self) -> str:
        return f"{self.topic} {self.mirror.status if self.mirror else 'is not listed any more'}"


def promote(request: PromoteRequest, plan: Plan) -> Report:
    """Look at the mirrors; ask for those that are not on their way; done when all are STOPPED."""
    execution = request.execution
    links = links_at(plan, execution.to_site)
    try:
        by_link = {link: link.mirrors() for link in links}
    except LinkUnavailable as error:
        if request.last_chance:
            raise
        return waiting(pause_after(error), unreachable=[str(error)])
    mirrors = [mirror for of_link in by_link.values() for mirror in of_link]
    expected = {} if execution.dry_run else _expected(request, by_link)
    unpromoted = _unpromoted(by_link, expected, ours_alone=execution.kind == "failover")
    facts: Promotion = {"mirrors": len(mirrors), "by_status": by_status(mirrors)}
    if not mirrors and not execution.leads_back:
        raise StandbyChanged(f"{execution.to_site} holds no mirror under {', '.join(link.name for link in links)}")
    if execution.dry_run:
        answers = _ask(unpromoted, validate_only=True)
        return done(
            **facts,
            would_promote=len(unpromoted),
            rejected=list(map(str, answers.rejected[:NAMED])),
            unreachable=list(answers.unanswered[:NAMED]),
        )
    if not unpromoted:
        return done(**facts, left_behind=[])
    answers = _ask(unpromoted, validate_only=False)
    if request.last_chance or _hopeless(unpromoted, answers.rejected):
        stuck = _explained(unpromoted, answers.rejected)
        if plan.policy.on_stuck_mirrors == "go-on" and len(unpromoted) < len(mirrors):
            return done(**facts, left_behind=stuck, left_behind_count=len(unpromoted))
        raise PromotionRejected(
            f"{len(unpromoted)} of {len(mirrors)} mirrors on {execution.to_site} are not STOPPED: {'; '.join(stuck)}."
            " Mend them and redrive, or set policy.on_stuck_mirrors to go-on and redrive to leave them behind"
        )
    return waiting(
        pause_of(answers.retry_after),
        **facts,
        left=[str(mirror) for mirror in unpromoted[:NAMED]],
        rejected=list(map(str, answers.rejected[:NAMED])),
        unreachable=list(answers.unanswered[:NAMED]),
    )


def _expected(request: PromoteRequest, by_link: dict[MirrorLink, list[Mirror]]) -> Inventory:
    """The inventory, with what appeared since it was taken."""
    recorded = inventory(ledger(), request.execution)
    appeared: Inventory = {}
    for link, mirrors in by_link.items():
        appeared |= listed(link.name, [mirror for mirror in mirrors if mirror.topic not in recorded])
    if appeared:
        save_inventory(ledger(), request.execution, recorded | appeared)
    return recorded | appeared


def _unpromoted(by_link: dict[MirrorLink, list[Mirror]], expected: Inventory, *, ours_alone: bool) -> list[Unpromoted]:
    """`ours_alone`: what is PENDING_STOPPED since the inventory was taken is so because it was failed over. A
    switchover had it reversed, and found that this does not end."""
    here = {mirror.topic for mirrors in by_link.values() for mirror in mirrors}
    pending = {topic for topic, entry in expected.items() if entry.status == PENDING_STOPPED or not ours_alone}
    unpromoted = [
        Unpromoted(topic=mirror.topic, link=link, mirror=mirror, was_pending=mirror.topic in pending)
        for link, mirrors in by_link.items()
        for mirror in mirrors
        if mirror.status != STOPPED
    ]
    gone = sorted(expected.keys() - here)
    return unpromoted + [
        Unpromoted(topic=topic, link=None, mirror=None, was_pending=topic in pending) for topic in gone
    ]


def _ask(unpromoted: list[Unpromoted], *, validate_only: bool) -> Answers:
    """Ask for the idle ones."""
    idle: dict[MirrorLink, list[str]] = {}
    for entry in unpromoted:
        if entry.link is not None and entry.idle:
            idle.setdefault(entry.link, []).append(entry.topic)
    return ask_in_batches(idle, lambda link, topics: link.fail_over(topics, validate_only=validate_only))


def _hopeless(unpromoted: list[Unpromoted], rejected: Sequence[Rejection]) -> bool:
    """Whether asking again is of no use for any of them: all gone, or refused and, looked at again, in a state that
    nothing leads out of by itself."""
    refused = {row.topic for row in rejected if not row.may_pass}
    if len(unpromoted) > NAMED or not all(entry.mirror is None or entry.topic in refused for entry in unpromoted):
        return False
    return all(entry.link is None or not _on_its_way(entry.link.mirror(entry.topic)) for entry in unpromoted)


def _on_its_way(mirror: Mirror) -> bool:
    return mirror.status == STOPPED or mirror.status.startswith("PENDING_")


def _explained(unpromoted: list[Unpromoted], rejected: Sequence[Rejection]) -> list[str]:
    """The first of them, each with what keeps it."""
    refused = {row.topic: f"refused: {row.code} {row.message}" for row in rejected}
    with ThreadPoolExecutor(max_workers=SIDE_BY_SIDE) as pool:
        errors = list(pool.map(_errors, unpromoted[:NAMED]))
    explanations = [
        ", ".join(filter(None, [str(entry), *quoted, refused.get(entry.topic)]))
        for entry, quoted in zip(unpromoted, errors, strict=False)
    ]
    more = len(unpromoted) - len(explanations)
    return [*explanations, f"and {more} more"] if more else explanations


def _errors(unpromoted: Unpromoted) -> tuple[str, ...]:
    if unpromoted.link is None:
        return ()
    try:
        mirror = unpromoted.link.mirror(unpromoted.topic)
    except LinkUnavailable as error:
        return (str(error),)
    return (*filter(None, [mirror.error]), *mirror.transition_errors)


handler = step("promote_mirrors", PromoteRequest, promote)
