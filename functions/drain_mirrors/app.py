"""drain_mirrors: wait, behind the fence, until the mirrors have everything that the site holds which is to be left.

Told by both logs, not by a link's lag, which is of its last fetch: every partition ends at the same offset on both
clusters, and the source's end did not move between two looks. A writer that goes round the gateways is found by log
ends that go on growing behind the fence; then there is nothing to wait for, and its topics are named.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from failover.documents.steps import Drained
from failover.errors import FenceBypassed
from failover.execution.inventory import inventory
from failover.execution.step import Report, Request, done, ledger, step, waiting
from failover.kafka.factory import as_controller
from failover.kafka.offsets import Offsets, Spot, in_words, log_ends
from failover.ledger.topic_tables import load_execution_table, save_execution_table
from failover.loss.divergence import SOURCE_ENDS
from failover.plan.model import Plan

QUIET_S: Final = 0.5
"""Between the two looks of a call."""
GROWTHS: Final = 4
"""How often a topic is seen to grow until a writer goes round the fence: what a gateway had let through before it was
fenced, or a marker of a transaction that times out, grows once or twice."""
NAMED: Final = 20


def drain(request: Request, plan: Plan) -> Report:
    """Look twice at where the source ends, and once at the mirrors; done when all three are the same.

    Raises:
        FenceBypassed: topics go on growing.
    """
    execution = request.execution
    spots = [
        (topic, partition) for topic, mirror in inventory(ledger(), execution).items() for partition in mirror.lags
    ]
    if execution.dry_run:
        return done(would_drain=len(spots))
    earlier = _ends(plan, execution.from_site, spots)
    time.sleep(QUIET_S)
    with ThreadPoolExecutor(max_workers=2) as pool:
        source = pool.submit(_ends, plan, execution.from_site, spots)
        mirrors = pool.submit(_ends, plan, execution.to_site, spots)
        later, here = source.result(), mirrors.result()
    growths = _count_growths(request, earlier, later)
    if bypassed := sorted(topic for topic, count in growths.items() if count >= GROWTHS):
        raise FenceBypassed(
            f"{len(bypassed)} topics of {execution.from_site} go on growing behind the fence of every gateway:"
            f" {', '.join(bypassed[:NAMED])}. Somebody writes to the cluster itself: lead that client through a"
            " gateway, or stop it"
        )
    growing = {spot for spot, end in later.by_partition.items() if end != earlier.by_partition.get(spot)}
    behind = {
        spot: end - here.by_partition[spot]
        for spot, end in later.by_partition.items()
        if spot in here.by_partition and end != here.by_partition[spot]
    }
    unknown = [*_reasons(execution.from_site, later), *_reasons(execution.to_site, here)]
    observed: Drained = {
        "partitions": len(spots),
        "behind": len(behind),
        "behind_by": sum(behind.values()),
        "not_drained": [f"{in_words(spot)} by {count:,}" for spot, count in sorted(behind.items())[:NAMED]],
        "growing": [in_words(spot) for spot in sorted(growing)[:NAMED]],
        "not_told": unknown[:NAMED],
    }
    drained = bool(spots) and not (behind or growing or unknown)
    return done(**observed) if drained else waiting(**observed)


def _ends(plan: Plan, site: str, spots: Iterable[Spot]) -> Offsets:
    return as_controller(plan, site, lambda settings: log_ends(settings, spots))


def _count_growths(request: Request, earlier: Offsets, later: Offsets) -> dict[str, int]:
    """How often each topic was seen to grow, in this call and in those before."""
    rows = load_execution_table(ledger(), request.execution, SOURCE_ENDS)
    recorded = {(topic, partition): end for topic, row in rows.items() for partition, end in row["ends"]}
    growths = {topic: int(row["growths"]) for topic, row in rows.items()}
    for before, after in ((recorded, earlier.by_partition), (earlier.by_partition, later.by_partition)):
        grown = {spot[0] for spot, end in after.items() if end > before.get(spot, end)}
        growths |= {topic: growths.get(topic, 0) + 1 for topic in grown}
    ends: dict[str, list[tuple[int, int]]] = {}
    for (topic, partition), end in sorted(later.by_partition.items()):
        ends.setdefault(topic, []).append((partition, end))
    table = {topic: {"ends": of_topic, "growths": growths.get(topic, 0)} for topic, of_topic in ends.items()}
    save_execution_table(ledger(), request.execution, SOURCE_ENDS, table)
    return growths


def _reasons(site: str, offsets: Offsets) -> list[str]:
    return [f"{site} {in_words(spot)}: {why}" for spot, why in sorted((offsets.unknown | offsets.refused).items())]


handler = step("drain_mirrors", Request, drain)
