"""The part of a link that moves records: one cycle of looking at both clusters, and copying what was agreed."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable
from dataclasses import replace

from drill.confluent import transitions
from drill.confluent.link_state import LinkBook
from drill.confluent.mirrors import Link, Mirror, Partition
from drill.confluent.read_only import Guard, GuardUnreachable
from drill.confluent.replication import AppendFailed, DataPath, Hurry, MirrorDiverged, Spot, plan_cycle

log = logging.getLogger(__name__)

LOOK_AT_ENDS_EVERY_S = 2.0


class Wire:
    """The wire between the clusters of one link. Used by the link's thread.

    A cycle reads the source's high watermarks and the mirrors' log ends over the wire, and copies up to the high
    watermarks of the cycle before.
    """

    def __init__(self, book: LinkBook, path: DataPath, guard: Guard) -> None:
        self._book = book
        self._path = path
        self._guard = guard
        self._agreed: dict[Spot, int] = {}
        self._ends: dict[Spot, int] = {}
        self._look_at_ends = 0.0

    def cycle(self, hurry: Hurry) -> None:
        """Look at both clusters and copy what the last cycle agreed."""
        book = self._book
        everything = spots(wired(book.link.mirrors.values()))
        at = book.clock()
        was_there = book.link.unreached_since is None and bool(self._agreed)
        high = {} if book.path_cut else self._path.high_watermarks(everything, hurry, was_there=was_there)
        if not high and hurry():
            return  # the look was broken off, which says nothing about the source
        if not high and not self._source_is_empty():
            self._agreed = {}
            book.change(lambda link: transitions.unreached(link, book.clock()))
            return
        copied = spots(wired(book.link.copied()))
        log_ends = self._log_ends(copied)
        plan = plan_cycle(self._agreed, high, log_ends, copied)
        broken = dict(plan.broken)
        appended: dict[Spot, int] = {}
        try:
            appended = self._path.copy(plan.ranges, hurry)
        except MirrorDiverged as error:
            log.error("%s", error)
            broken[error.topic] = "ILLEGAL_STATE"
            self._ends = {}
        except AppendFailed as error:
            log.warning("%s", error)
            self._ends = {}
        self._ends |= appended
        fetched = {spot for spot, end in appended.items() if end > plan.ranges[spot].start}
        self._agreed = high
        book.change(lambda link: _after(link, at, high=high, log_ends={**log_ends, **appended}, fetched=fetched))
        for topic, error_name in broken.items():
            self._fail(topic, error_name)

    def _log_ends(self, copied: set[Spot]) -> dict[Spot, int]:
        """The mirrors' log ends. Nobody but this link moves them, so they are read anew only now and then."""
        if not copied <= self._ends.keys() or time.monotonic() >= self._look_at_ends:
            self._ends = self._path.log_ends(copied)
            self._look_at_ends = time.monotonic() + LOOK_AT_ENDS_EVERY_S
        self._ends = {spot: end for spot, end in self._ends.items() if spot in copied}
        return dict(self._ends)

    def _source_is_empty(self) -> bool:
        """Whether the source answers but has none of the topics: asked only as long as none of them was ever seen."""
        partitions = (p for mirror in wired(self._book.link.mirrors.values()) for p in mirror.partitions)
        never = all(partition.source_high_watermark is None for partition in partitions)
        return never and not self._book.path_cut and self._path.source_answers()

    def _fail(self, topic: str, error: str) -> None:
        log.error("mirror topic %s failed: %s", topic, error)
        self._book.change(lambda link: transitions.fail(link, topic, error, self._book.clock()))

    def open(self, stopping: Collection[Mirror]) -> dict[str, list[int]]:
        """Open mirrors for writes; the log ends of those that are open now. Nothing may be being copied."""
        ends_by_spot = self._path.log_ends(spots(stopping))
        ends = {
            m.topic: [ends_by_spot.get(Spot(m.topic, number)) for number in range(len(m.partitions))] for m in stopping
        }
        complete = {topic: [end for end in row if end is not None] for topic, row in ends.items() if None not in row}
        if not complete:
            log.warning("log ends of %s could not be read: they stay PENDING_STOPPED", sorted(ends))
            return {}
        try:
            self._guard.open(complete)
        except GuardUnreachable as error:
            log.warning("%s stay PENDING_STOPPED: %s", sorted(complete), error)
            return {}
        return complete


def wired(of: Iterable[Mirror]) -> list[Mirror]:
    """Those that exist on the wire."""
    return [mirror for mirror in of if mirror.wired]


def spots(of: Iterable[Mirror]) -> set[Spot]:
    """Every partition of these mirrors."""
    return {Spot(mirror.topic, number) for mirror in of for number in range(len(mirror.partitions))}


def _after(link: Link, at: float, high: dict[Spot, int], log_ends: dict[Spot, int], fetched: set[Spot]) -> Link:
    """The link after a cycle that saw these high watermarks at `at` and left the mirrors with these log ends."""
    changed: dict[str, list[Partition]] = {}
    for mirror in wired(link.mirrors.values()):
        partitions = [
            _partition_after(partition, Spot(mirror.topic, number), high=high, log_ends=log_ends, fetched=fetched)
            for number, partition in enumerate(mirror.partitions)
        ]
        if any(new is not old for new, old in zip(partitions, mirror.partitions, strict=True)):
            changed[mirror.topic] = partitions
    return transitions.reached(link, at, changed)


def _partition_after(
    partition: Partition, spot: Spot, high: dict[Spot, int], log_ends: dict[Spot, int], fetched: set[Spot]
) -> Partition:
    log_end = log_ends.get(spot, partition.log_end)
    high_watermark = high.get(spot, partition.source_high_watermark)
    was_fetched = partition.fetched or spot in fetched
    if (log_end, high_watermark, was_fetched) == (
        partition.log_end,
        partition.source_high_watermark,
        partition.fetched,
    ):
        return partition
    return replace(partition, log_end=log_end, source_high_watermark=high_watermark, fetched=was_fetched)
