"""precheck: before a switchover changes anything, look at everything that it needs, and say of each doubt what it is.

Both sites must be up, every topic mirrored and every mirror ACTIVE, each link must say that it would reverse its
mirrors, each gateway and the name must lead where they are expected to. What may pass is looked at again, until the
last chance. Then the mirrors are kept as an inventory.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from failover.decision.controllers import controller_regions, current_region, deferred_to
from failover.decision.doubts import (
    Unanswered,
    doubts_of_fleets,
    doubts_of_name,
    doubts_of_sites,
    only_unanswered,
)
from failover.detection.probes import probe_sites
from failover.documents.steps import Prechecked
from failover.execution.inventory import Inventory, listed, save_inventory
from failover.execution.practice import approved_there
from failover.execution.step import Report, Request, done, ledger, step, waiting
from failover.ledger.execution import Execution
from failover.ledger.topic_tables import load_plan_table
from failover.link import ACTIVE, STOPPED, Mirror, MirrorLink, Rejection, Topic, by_status, is_bidirectional, trailing
from failover.link.batches import Answers, ask_in_batches
from failover.link.factory import cluster_at, links_at
from failover.loss.samples import SourceLiveness
from failover.plan.model import Plan
from failover.readiness.mirrors import required

NAMED: Final = 20
ASK_AGAIN_S: Final = 3


class PrecheckRequest(Request):
    """`last_chance`: what is in doubt by now stands down. What only did not answer is waited for."""

    last_chance: bool = False


def precheck(request: PrecheckRequest, plan: Plan) -> Report:
    """Look, and decide: `proceed`, `ask` a second person, or `stand-down`."""
    execution = request.execution
    if plan.policy.by_hand == "refuse" and not execution.dry_run:
        return done(verdict="stand-down", why="the plan's policy refuses what is started by hand")
    if turn := deferred_to(plan, execution.from_site, current_region(), controller_regions()):
        return done(verdict="stand-down", why=turn)
    with ThreadPoolExecutor(max_workers=5) as pool:
        view = pool.submit(probe_sites, plan)
        topics = pool.submit(lambda: cluster_at(plan, execution.from_site).topics())
        name = pool.submit(doubts_of_name, plan, execution.from_site)
        fleets = pool.submit(doubts_of_fleets, plan, _expected_targets(plan, execution))
        mirrors = {link: link.mirrors() for link in links_at(plan, execution.to_site)}
        answers = _validate(mirrors)
        doubts = [
            *doubts_of_sites(view.result()),
            *_doubts_of_mirrors(plan, topics.result(), mirrors),
            *_doubts_of_links(answers),
            *_doubts_of_failback(plan, execution, mirrors),
            *fleets.result(),
            *name.result(),
        ]
    every = [mirror for of_link in mirrors.values() for mirror in of_link]
    observed: Prechecked = {
        "doubts": doubts[:NAMED],
        "doubts_count": len(doubts),
        "by_status": by_status(every),
        "lag": trailing(mirror for mirror in every if mirror.status == ACTIVE).total_records,
    }
    if doubts:
        why = f"nothing was changed: {'; '.join(doubts[:NAMED])}"
        if not request.last_chance or only_unanswered(doubts):
            return waiting(ASK_AGAIN_S, **observed, why=why)
        return done(**observed, verdict="stand-down", why=why)
    save_inventory(ledger(), execution, _inventory(mirrors))
    if plan.policy.by_hand == "approve" and not execution.dry_run:
        if who := approved_there(ledger(), execution):
            return done(**observed, verdict="proceed", why=f"the way back of a practice that {who} approved")
        return done(**observed, verdict="ask", why="the plan's policy is to ask a second person")
    return done(**observed, verdict="proceed", why="started by hand, and nothing is in doubt")


def _expected_targets(plan: Plan, execution: Execution) -> dict[str, set[str]]:
    """By location, where its fleets may lead: to the site that is left; those of the other site, through which no
    client comes, to that one, too."""
    carrying = plan.carrying(execution.from_site)
    return {
        where: {execution.from_site} if where in carrying else {execution.from_site, where} for where in plan.locations
    }


def _inventory(mirrors: Mapping[MirrorLink, Sequence[Mirror]]) -> Inventory:
    """The mirrors that change places; one that is STOPPED is a mirror no more."""
    return {
        topic: entry
        for link, of_link in mirrors.items()
        for topic, entry in listed(link.name, [mirror for mirror in of_link if mirror.status != STOPPED]).items()
    }


def _validate(mirrors: Mapping[MirrorLink, Sequence[Mirror]]) -> Answers:
    """Whether each link says that it would take the verb; nothing is changed by asking."""
    both_ways: dict[MirrorLink, bool] = {}

    def ask(link: MirrorLink, topics: Sequence[str]) -> list[Rejection]:
        if link not in both_ways:
            both_ways[link] = is_bidirectional(link)
        if both_ways[link]:
            return link.reverse_and_start(topics, validate_only=True)
        return link.promote(topics, validate_only=True)

    active = {
        link: [mirror.topic for mirror in of_link if mirror.status == ACTIVE] for link, of_link in mirrors.items()
    }
    return ask_in_batches(active, ask)


def _doubts_of_mirrors(
    plan: Plan, topics: Sequence[Topic], mirrors: Mapping[MirrorLink, Sequence[Mirror]]
) -> Iterator[str]:
    """Also of topics without a mirror: their clients would be led to a cluster that does not have them."""
    here = {topic.name for topic in topics}
    every = [mirror for of_link in mirrors.values() for mirror in of_link]
    covered = {
        mirror.topic for mirror in every if mirror.status == ACTIVE and mirror.source_topic in (None, mirror.topic)
    }
    for name, partitions in sorted(required(plan, topics).items()):
        if partitions is not None and name not in covered:
            yield f"topic {name} has no ACTIVE mirror of its name"
    for mirror in every:
        idle = mirror.status not in (ACTIVE, STOPPED) or (mirror.status == STOPPED and mirror.topic in here - covered)
        if idle:
            yield f"mirror {mirror.topic} is {mirror.status}{f' ({mirror.error})' if mirror.error else ''}"
        elif mirror.status == ACTIVE and mirror.source_topic not in (None, mirror.topic):
            yield f"mirror {mirror.topic} has another name than its source {mirror.source_topic}"
    if not covered:
        yield "there is no ACTIVE mirror under the plan's links"


def _doubts_of_failback(
    plan: Plan, execution: Execution, mirrors: Mapping[MirrorLink, Sequence[Mirror]]
) -> Iterator[str]:
    """Home only once its mirrors trail by little, and have done so for as long as policy wants."""
    if execution.to_site != plan.home:
        return
    limit, seconds = plan.policy.failback_lag_records, plan.policy.failback_after_seconds
    lag = trailing(mirror for of_link in mirrors.values() for mirror in of_link if mirror.status == ACTIVE)
    if lag.unknown_partitions or lag.records > limit:
        unknown = f", {lag.unknown_partitions} partitions unknown" if lag.unknown_partitions else ""
        yield f"the mirrors at {plan.home} trail by {lag.records:,} records{unknown}; policy wants {limit:,} at most"
        return
    looks = SourceLiveness(**load_plan_table(ledger(), plan.name, "watch").get(execution.from_site, {}))
    low_for = 0.0 if looks.low_since is None else time.time() - looks.low_since
    if low_for < seconds:
        yield (
            f"the mirrors at {plan.home} are known to trail by {limit:,} records at most for {low_for:,.0f} s only;"
            f" policy wants {seconds:,} s"
        )


def _doubts_of_links(answers: Answers) -> Iterator[str]:
    yield from map(Unanswered, answers.unanswered)
    for row in answers.rejected:
        yield f"mirror {row.topic} would not be reversed: {row.code} {row.message}"


handler = step("precheck", PrecheckRequest, precheck)
