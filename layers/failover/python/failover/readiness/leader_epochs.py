"""Leader epochs of the standby beside the active cluster's: a client ignores metadata whose epoch is lower than the one
it knows. Whether Cluster Linking keeps them at or above the source's is not documented, so it is looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from failover.errors import FailoverError
from failover.kafka.factory import as_controller
from failover.kafka.offsets import Spot, in_words, leader_epochs
from failover.readiness import Finding, listed, ok, unreadable, warn
from failover.readiness.snapshot import PlanSnapshot

COMPARED_AT_MOST: Final = 1000
"""Partitions. What is true of these is true of the others: one link made them all."""


def epochs(snapshot: PlanSnapshot) -> Iterator[Finding]:
    """Whether clients that come over meet lower epochs."""
    at_source: dict[Spot, Spot] = {
        (mirror.topic, number): (mirror.source_topic or mirror.topic, number)
        for mirror in snapshot.mirrors()
        for number in range(len(mirror.lags))
    }
    sources = dict(list(at_source.items())[:COMPARED_AT_MOST])
    try:
        standby = as_controller(
            snapshot.plan, snapshot.standby, lambda settings: leader_epochs(settings, sources.keys())
        )
        active = as_controller(
            snapshot.plan, snapshot.active, lambda settings: leader_epochs(settings, sources.values())
        )
    except FailoverError as error:
        yield unreadable(error)
        return
    yield compared(standby, {spot: active[source] for spot, source in sources.items() if source in active})


def compared(standby: Mapping[Spot, int], active: Mapping[Spot, int]) -> Finding:
    """What the epochs of the same partitions, by their names on the standby, mean for clients."""
    both = standby.keys() & active.keys()
    if not both:
        return warn(
            "the clusters do not tell their leader epochs",
            "rehearse a failover with every kind of client: old ones may stop where epochs go back",
        )
    lower = [spot for spot in sorted(both) if standby[spot] < active[spot]]
    if not lower:
        return ok(f"leader epochs on the standby are not below the active site's, for {len(both):,} partitions")
    named = [f"{in_words(spot)} {standby[spot]} < {active[spot]}" for spot in lower]
    return warn(
        f"leader epochs on the standby are lower for {len(lower):,} of {len(both):,} partitions: {listed(named)}",
        "have readers use librdkafka 2.12 or later, or Java: consumers of librdkafka 2.3 to 2.11 read nothing after a"
        " failover, and those that use assign() start again by auto.offset.reset (docs/clients.md)",
    )
