"""precheck_restore: before a restore changes anything, look whether the returned site is fit to become a mirror.

A topic is restored by its link, if that is bidirectional; else it is deleted and mirrored anew, if the start consents.

Both sites must answer, the name and the active site's gateways must lead to the active site, nobody may work on the
returned one: no member of a consumer group, no writer. What may pass is looked at again, until the last chance. Then
the topics to be restored are kept as an inventory: what the active site's mirrors once were, and both sites have.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from failover.decision.controllers import controller_regions, current_region, deferred_to
from failover.decision.doubts import doubts_of_fleets, doubts_of_name, doubts_of_sites, only_unanswered
from failover.detection.probes import probe_sites
from failover.documents.steps import RestorePrechecked
from failover.errors import LinkNotFound
from failover.execution.inventory import Inventory, Listed, save_inventory
from failover.execution.step import Report, Request, done, ledger, step, waiting
from failover.kafka.factory import as_controller
from failover.kafka.groups import GroupStates, group_states
from failover.kafka.offsets import Offsets, Spot, in_words, log_ends
from failover.ledger.approvals import approval
from failover.link import STOPPED, ClusterRest, Mirror, MirrorLink, Topic, by_status, is_bidirectional
from failover.link.factory import cluster_at, links_at
from failover.link.schemas import UNKNOWN
from failover.plan.model import FENCED, Plan

NAMED: Final = 20
ASK_AGAIN_S: Final = 3
QUIET_S: Final = 0.5
"""Between the two looks at where the returned site's logs end."""
IDLE: Final = frozenset({"EMPTY", "DEAD"})
"""The states of a group that nobody works in; of one whose state is not told nobody knows."""


class PrecheckRequest(Request):
    """`last_chance`: what is in doubt by now stands down; what only did not answer is waited for. `delete_topics`: the
    start consents to that, of topics whose link is not bidirectional."""

    last_chance: bool = False
    delete_topics: bool = False


def precheck(request: PrecheckRequest, plan: Plan) -> Report:
    """Look, and decide: `proceed`, `ask` a second person, or `stand-down`."""
    execution = request.execution
    returned, active = execution.from_site, execution.to_site
    if plan.policy.by_hand == "refuse" and not execution.dry_run:
        return done(verdict="stand-down", why="the plan's policy refuses what is started by hand")
    if turn := deferred_to(plan, returned, current_region(), controller_regions()):
        return done(verdict="stand-down", why=turn)
    with ThreadPoolExecutor(max_workers=6) as pool:
        view = pool.submit(probe_sites, plan)
        topics = {site: pool.submit(cluster_at(plan, site).topics) for site in (returned, active)}
        name = pool.submit(doubts_of_name, plan, active)
        fleets = pool.submit(doubts_of_fleets, plan, _expected_targets(plan, active))
        here = {topic.name: topic for topic in topics[returned].result()}
        stopped, there = _mirrors(plan, active), _links_there(plan, returned)
        anew = {link.name for link in there.one_way if request.delete_topics}
        restorable = _restorable(stopped, here, topics[active].result(), anew=anew)
        groups = pool.submit(_doubts_of_groups, plan, returned, restorable)
        doubts = [
            *doubts_of_sites(view.result()),
            *_doubts_of_links(plan, returned, there, delete_topics=request.delete_topics),
            *_doubts_of_mirrors(plan.other(returned), returned, stopped),
            *_doubts_of_writers(plan, returned, restorable, here),
            *groups.result(),
            *fleets.result(),
            *name.result(),
        ]
    deleted = sorted({mirror.topic for of in stopped.values() for mirror in of} - restorable.keys())
    observed: RestorePrechecked = {
        "doubts": doubts[:NAMED],
        "doubts_count": len(doubts),
        "by_status": by_status(mirror for of_link in there.mirrors.values() for mirror in of_link),
        "topics": len(restorable),
        "to_be_deleted": sum(entry.link in anew and topic in here for topic, entry in restorable.items()),
        "deleted": deleted[:NAMED],
        "deleted_count": len(deleted),
    }
    if doubts:
        why = f"{_so_far(request, plan)}: {'; '.join(doubts[:NAMED])}"
        if not request.last_chance or only_unanswered(doubts):
            return waiting(ASK_AGAIN_S, **observed, why=why)
        return done(**observed, verdict="stand-down", why=why)
    save_inventory(ledger(), execution, restorable)
    if plan.policy.by_hand == "approve" and not execution.dry_run:
        answer = approval(ledger(), plan.name, execution.name)
        if answer and answer["answer"] == "approve":
            return done(**observed, verdict="proceed", why=f"{answer['by']} approved it, before it stopped")
        return done(**observed, verdict="ask", why="the plan's policy is to ask a second person")
    return done(**observed, verdict="proceed", why="started by hand, and nothing is in doubt")


def _so_far(request: PrecheckRequest, plan: Plan) -> str:
    """What was changed by now: a redrive looks again, and may have truncated something before it stopped."""
    truncated = ledger().state(plan.name, plan.home).no_return == request.execution.name
    return "what was restored so far stays, and nothing more was changed" if truncated else "nothing was changed"


def _expected_targets(plan: Plan, active: str) -> dict[str, set[str]]:
    """By location, where its fleets may lead: those of the active site to it. Others that clients come through
    may have missed the failover, and are led over before anything is truncated."""
    return {
        where: {active} if where == active else {active, plan.other(active), FENCED} for where in plan.carrying(active)
    }


@dataclass(frozen=True, kw_only=True)
class _LinksThere:
    """The plan's links at the returned site."""

    mirrors: dict[MirrorLink, list[Mirror]]
    one_way: list[MirrorLink]
    """Those that lead there only: their topics can't be truncated to be mirrors again."""
    missing: list[str]


def _mirrors(plan: Plan, site: str) -> dict[MirrorLink, list[Mirror]]:
    return {link: link.mirrors() for link in links_at(plan, site)}


def _links_there(plan: Plan, returned: str) -> _LinksThere:
    mirrors: dict[MirrorLink, list[Mirror]] = {}
    missing: list[str] = []
    for link in links_at(plan, returned):
        try:
            mirrors[link] = link.mirrors()
        except LinkNotFound:
            missing.append(link.name)
    one_way = [link for link in mirrors if not is_bidirectional(link)]
    return _LinksThere(mirrors=mirrors, one_way=one_way, missing=missing)


def _restorable(
    stopped: Mapping[MirrorLink, Sequence[Mirror]],
    here: Mapping[str, Topic],
    there: Sequence[Topic],
    *,
    anew: Collection[str],
) -> Inventory:
    """What the active site's mirrors were, and both sites have; a topic that one of them deleted is no mirror again.
    `anew`: the links whose topics are mirrored anew, so that the returned site need not have them any more."""
    active = {topic.name: topic for topic in there}
    return {
        mirror.topic: Listed(
            link.name, mirror.status, dict.fromkeys(range(here.get(mirror.topic, active[mirror.topic]).partitions))
        )
        for link, of_link in stopped.items()
        for mirror in of_link
        if mirror.status == STOPPED and mirror.topic in active and (mirror.topic in here or link.name in anew)
    }


def _doubts_of_links(plan: Plan, returned: str, there: _LinksThere, *, delete_topics: bool) -> Iterator[str]:
    """A link leads both ways; or there is one that leads from the active site, and the start consents to the rest."""
    active = plan.other(returned)
    for name in there.missing:
        yield (
            f"there is no link {name} at {returned}: make one that leads there from {active}, and start with"
            ' "delete_topics": true'
        )
    for link in there.one_way:
        if not delete_topics:
            yield (
                f"link {link.name} at {returned} is not bidirectional: no topic can be truncated to be a mirror again;"
                ' to have them deleted, once all is saved, and mirrored anew, start with "delete_topics": true'
            )
        elif link.facts().remote_cluster_id not in (None, plan.site(active).kafka.cluster_id):
            yield f"link {link.name} at {returned} does not lead there from {active}: nothing could be mirrored anew"


def _doubts_of_mirrors(active: str, returned: str, stopped: Mapping[MirrorLink, Sequence[Mirror]]) -> Iterator[str]:
    """The active site's mirrors must all be STOPPED: one that is not still waits for records of the returned site."""
    mirrors = [mirror for of_link in stopped.values() for mirror in of_link]
    if not any(mirror.status == STOPPED for mirror in mirrors):
        yield f"{active} took over no mirror from {returned}: there is nothing to restore"
    for mirror in mirrors:
        if mirror.status != STOPPED:
            yield f"mirror {mirror.topic} on {active} is {mirror.status}, not STOPPED"


def _doubts_of_groups(plan: Plan, site: str, topics: Collection[str]) -> list[str]:
    """Of consumer groups with members on the returned site; of one whose topics are not told, whatever it reads. Where
    the REST API does not tell a group's state, its coordinator is asked."""
    cluster = cluster_at(plan, site)
    groups = {group.name: group.state for group in cluster.groups() if group.state not in IDLE}
    reading = [name for name in groups if _reads(cluster, name, topics)]
    untold = [name for name in reading if groups[name] == UNKNOWN]
    described = GroupStates({}, {})
    if untold:
        described = as_controller(plan, site, lambda settings: group_states(settings, untold))
    states = {name: described.states.get(name, groups[name]) for name in reading}
    return [
        _doubt_of_group(name, state, site, described.unknown.get(name))
        for name, state in states.items()
        if state not in IDLE
    ]


def _doubt_of_group(name: str, state: str, site: str, why_unknown: str | None) -> str:
    if state == UNKNOWN:
        return (
            f"whether anybody works in consumer group {name} on {site} is not told: stop its members there, and if that"
            f" does not help, delete it, which Kafka refuses while it has any ({why_unknown})"
        )
    return f"consumer group {name} is {state} on {site}: stop its members there"


def _reads(cluster: ClusterRest, group: str, topics: Collection[str]) -> bool:
    """Whether a group has committed offsets for any of the topics, as far as that is told."""
    offsets = cluster.group_offsets(group)
    return offsets is None or any(offset.topic in topics for offset in offsets)


def _doubts_of_writers(plan: Plan, site: str, restorable: Inventory, here: Mapping[str, Topic]) -> Iterator[str]:
    """Of topics that grow between two looks, but for those that are mirrors again by now."""
    listed = _links_there(plan, site).mirrors.values()
    mirrored = {mirror.topic for of_link in listed for mirror in of_link if mirror.status != STOPPED}
    present = [name for name in restorable if name not in mirrored and name in here]
    spots = [(name, n) for name in present for n in range(here[name].partitions)]
    earlier = _ends(plan, site, spots)
    time.sleep(QUIET_S)
    later = _ends(plan, site, spots)
    grown = {spot[0] for spot, end in later.by_partition.items() if end != earlier.by_partition.get(spot, end)}
    for topic in sorted(grown):
        yield f"somebody writes to {topic} on {site}: stop that writer, or lead it through a gateway"
    untold = earlier.unknown | earlier.refused | later.unknown | later.refused
    for spot, why in sorted(untold.items()):
        yield f"where {in_words(spot)} ends on {site} is not known: {why}"


def _ends(plan: Plan, site: str, spots: Sequence[Spot]) -> Offsets:
    return as_controller(plan, site, lambda settings: log_ends(settings, spots))


handler = step("precheck", PrecheckRequest, precheck)
