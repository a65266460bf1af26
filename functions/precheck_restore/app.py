"""precheck_restore: before a restore changes anything, look whether the returned site is fit to become a mirror.

Both sites must answer, the name and the active site's gateways must lead to the active site, nobody may work on the
returned one: no member of a consumer group, no writer. What may pass is looked at again, until the last chance. Then
the topics to be restored are kept as an inventory: what the active site's mirrors once were, and both sites have.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from failover.decision.controllers import controller_regions, current_region, deferred_to
from failover.decision.doubts import doubts_of_fleets, doubts_of_name, doubts_of_sites
from failover.detection.probes import probe_sites
from failover.documents.steps import RestorePrechecked
from failover.execution.inventory import Inventory, Listed, save_inventory
from failover.execution.step import Report, Request, done, ledger, step, waiting
from failover.kafka.factory import as_controller
from failover.kafka.offsets import Offsets, Spot, in_words, log_ends
from failover.link import STOPPED, ClusterRest, Mirror, MirrorLink, Topic, by_status, is_bidirectional
from failover.link.factory import cluster_at, links_at
from failover.plan.model import Plan

NAMED: Final = 20
ASK_AGAIN_S: Final = 3
QUIET_S: Final = 0.5
"""Between the two looks at where the returned site's logs end."""
IDLE: Final = frozenset({"EMPTY", "DEAD", "UNKNOWN"})
"""The states of a group that nobody works in."""


class PrecheckRequest(Request):
    """`last_chance`: waiting longer is no option, so what is in doubt by now stands down."""

    last_chance: bool = False


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
        fleets = pool.submit(doubts_of_fleets, plan, {active: {active}})
        here = {topic.name: topic for topic in topics[returned].result()}
        stopped, listed_there = _mirrors(plan, active), _mirrors(plan, returned)
        restorable = _restorable(stopped, here, topics[active].result())
        groups = pool.submit(_doubts_of_groups, cluster_at(plan, returned), returned, restorable)
        doubts = [
            *doubts_of_sites(view.result()),
            *_doubts_of_links(plan, returned, stopped, listed_there),
            *_doubts_of_writers(plan, returned, restorable, here),
            *groups.result(),
            *fleets.result(),
            *name.result(),
        ]
    deleted = sorted({mirror.topic for of in stopped.values() for mirror in of} - restorable.keys())
    observed: RestorePrechecked = {
        "doubts": doubts[:NAMED],
        "doubts_count": len(doubts),
        "by_status": by_status(mirror for of_link in listed_there.values() for mirror in of_link),
        "topics": len(restorable),
        "deleted": deleted[:NAMED],
        "deleted_count": len(deleted),
    }
    if doubts:
        if not request.last_chance:
            return waiting(ASK_AGAIN_S, **observed)
        return done(**observed, verdict="stand-down", why=f"nothing was changed: {'; '.join(doubts[:NAMED])}")
    save_inventory(ledger(), execution, restorable)
    if plan.policy.by_hand == "approve" and not execution.dry_run:
        return done(**observed, verdict="ask", why="the plan's policy is to ask a second person")
    return done(**observed, verdict="proceed", why="started by hand, and nothing is in doubt")


def _mirrors(plan: Plan, site: str) -> dict[MirrorLink, list[Mirror]]:
    return {link: link.mirrors() for link in links_at(plan, site)}


def _restorable(
    stopped: Mapping[MirrorLink, Sequence[Mirror]], here: Mapping[str, Topic], there: Sequence[Topic]
) -> Inventory:
    """What the active site's mirrors were, and both sites have; a topic that one of them deleted is no mirror again."""
    active = {topic.name: topic for topic in there}
    return {
        mirror.topic: Listed(link.name, mirror.status, dict.fromkeys(range(here[mirror.topic].partitions)))
        for link, of_link in stopped.items()
        for mirror in of_link
        if mirror.status == STOPPED and mirror.topic in here and mirror.topic in active
    }


def _doubts_of_links(
    plan: Plan,
    returned: str,
    stopped: Mapping[MirrorLink, Sequence[Mirror]],
    listed_there: Mapping[MirrorLink, Sequence[Mirror]],
) -> Iterator[str]:
    """The link must lead both ways, and the active site's mirrors must all be STOPPED: one that is not still waits for
    records of the returned site."""
    for link in listed_there:
        if not is_bidirectional(link):
            yield f"link {link.name} at {returned} is not bidirectional: no topic can be truncated to be a mirror again"
    mirrors = [mirror for of_link in stopped.values() for mirror in of_link]
    if not any(mirror.status == STOPPED for mirror in mirrors):
        yield f"{plan.other(returned)} took over no mirror from {returned}: there is nothing to restore"
    for mirror in mirrors:
        if mirror.status != STOPPED:
            yield f"mirror {mirror.topic} on {plan.other(returned)} is {mirror.status}, not STOPPED"


def _doubts_of_groups(cluster: ClusterRest, site: str, topics: Collection[str]) -> list[str]:
    """Of consumer groups with members on the returned site; of one whose topics are not told, whatever it reads."""
    doubts = []
    for group in cluster.groups():
        if group.state in IDLE:
            continue
        offsets = cluster.group_offsets(group.name)
        if offsets is None or any(offset.topic in topics for offset in offsets):
            doubts.append(f"consumer group {group.name} is {group.state} on {site}: stop its members there")
    return doubts


def _doubts_of_writers(plan: Plan, site: str, restorable: Inventory, here: Mapping[str, Topic]) -> Iterator[str]:
    """Of topics that grow between two looks, but for those that are mirrors again by now."""
    mirrored = {mirror.topic for of in _mirrors(plan, site).values() for mirror in of if mirror.status != STOPPED}
    spots = [(name, n) for name in restorable if name not in mirrored for n in range(here[name].partitions)]
    earlier = _ends(plan, site, spots)
    time.sleep(QUIET_S)
    later = _ends(plan, site, spots)
    grown = {spot[0] for spot, end in later.by_partition.items() if end != earlier.by_partition.get(spot, end)}
    for topic in sorted(grown):
        yield f"somebody writes to {topic} on {site}: stop that writer, or lead it through a gateway"
    for spot, why in sorted((later.unknown | later.refused).items()):
        yield f"where {in_words(spot)} ends on {site} is not known: {why}"


def _ends(plan: Plan, site: str, spots: Sequence[Spot]) -> Offsets:
    return as_controller(plan, site, lambda settings: log_ends(settings, spots))


handler = step("precheck", PrecheckRequest, precheck)
