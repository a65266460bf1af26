"""A cluster link at work: a thread that copies, syncs offsets and stops mirrors, in cycles; and the state it shares."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import replace

from drill.confluent import mirrors
from drill.confluent.link_configs import LINK_PAUSED, Change, LinkConfigs
from drill.confluent.mirrors import Clock, Link, Partition, Row, TransitionError, Verb
from drill.confluent.offset_sync import GroupOffsets
from drill.confluent.read_only import Guard, GuardUnreachable
from drill.confluent.replication import AppendFailed, DataPath, MirrorDiverged, Spot, plan_cycle

log = logging.getLogger(__name__)


class LinkBook:
    """The one link's state: read by anyone, changed under a lock by pure transitions."""

    def __init__(self, link: Link, configs: LinkConfigs, clock: Clock = time.time) -> None:
        self.clock = clock
        self.asked = threading.Event()
        self._lock = threading.Lock()
        self._link = link
        self._configs = configs
        self._task_errors: tuple[TransitionError, ...] = ()
        self._path_cut = False

    @property
    def link(self) -> Link:
        return self._link

    @property
    def configs(self) -> LinkConfigs:
        return self._configs

    @property
    def offset_sync_errors(self) -> tuple[TransitionError, ...]:
        return self._task_errors

    @property
    def path_cut(self) -> bool:
        """Whether the drill cut the way to the source, which itself may be well."""
        return self._path_cut

    def change(self, transition: Callable[[Link], Link]) -> Link:
        """Apply a transition; the link after it."""
        with self._lock:
            self._link = transition(self._link)
            return self._link

    def alter(self, verb: Verb, topics: Collection[str], *, validate_only: bool = False) -> tuple[Row, ...]:
        """Ask a verb of topics; with `validate_only` the answer is the same and nothing changes."""
        with self._lock:
            link, rows = mirrors.alter(self._link, verb, topics, self.clock())
            if not validate_only:
                self._link = link
        self.asked.set()
        return rows

    def configure(self, changes: Collection[Change], *, validate_only: bool = False) -> None:
        """Change link configurations, all or none.

        Raises:
            ConfigRefused
        """
        with self._lock:
            configs = self._configs.changed(changes)
            if validate_only:
                return
            self._configs = configs
            self._link = mirrors.pause_link(self._link, configs.flag(LINK_PAUSED), self.clock())
        self.asked.set()

    def cut_path(self, cut: bool) -> None:
        self._path_cut = cut

    def note_offset_sync(self, errors: tuple[TransitionError, ...]) -> None:
        self._task_errors = errors


class RunningLink:
    """The thread behind a link.

    A cycle reads the source's high watermarks and the mirrors' log ends over the wire, copies up to the high watermarks
    of the cycle before, and then stops the mirrors whose time has come: only between cycles, so with nothing in flight.
    """

    def __init__(
        self,
        book: LinkBook,
        path: DataPath,
        offsets: GroupOffsets,
        guard: Guard,
        groups: Collection[str],
        interval_s: float,
    ) -> None:
        self._book = book
        self._path = path
        self._offsets = offsets
        self._guard = guard
        self._groups = tuple(groups)
        self._interval_s = interval_s
        self._agreed: dict[Spot, int] = {}
        self._next_sync = 0.0
        self._held: frozenset[str] = frozenset()

    def start(self) -> None:
        threading.Thread(target=self._run, name="cluster-link", daemon=True).start()

    def _run(self) -> None:
        next_cycle = time.monotonic()
        while True:
            self._book.asked.clear()
            try:
                self.stop_mirrors()
                if time.monotonic() >= next_cycle:
                    next_cycle = max(next_cycle + self._interval_s, time.monotonic() + self._interval_s / 4)
                    self.cycle()
                    self.sync_offsets_if_due()
            except Exception:  # the link outlives whatever one round met; the next one looks anew
                log.exception("a cycle of the link failed")
                time.sleep(0.1)
            self._book.asked.wait(max(0.0, min(next_cycle - time.monotonic(), self._until_stop())))

    def _until_stop(self) -> float:
        """Seconds until the next mirror may be stopped."""
        now = self._book.clock()
        dues = [mirror.stopping.due - now for mirror in self._book.link.mirrors.values() if mirror.stopping]
        # One that is due already waits for the source, or for the guard: that is looked at once a cycle.
        return min((due for due in dues if due > 0), default=self._interval_s)

    def _hurry(self) -> bool:
        """Whether mirrors wait to be stopped. Those that could not be stopped just now wait for the next cycle."""
        ready = mirrors.ready_to_stop(self._book.link, self._book.clock())
        return self._book.asked.is_set() or not self._held.issuperset(ready)

    def cycle(self) -> None:
        """Look at both clusters and copy what the last cycle agreed."""
        book = self._book
        everything = _spots(book.link.mirrors.values())
        at = book.clock()
        high = {} if book.path_cut else self._path.high_watermarks(everything, self._hurry)
        if not high and self._hurry():
            return  # the look was broken off, which says nothing about the source
        if not high and not self._source_is_empty():
            self._agreed = {}
            book.change(lambda link: mirrors.unreached(link, book.clock()))
            return
        wanted = _spots(book.link.copied())
        log_ends = self._path.log_ends(wanted)
        plan = plan_cycle(self._agreed, high, log_ends, wanted)
        broken = dict(plan.broken)
        appended: dict[Spot, int] = {}
        try:
            appended = self._path.copy(plan.ranges, self._hurry)
        except MirrorDiverged as error:
            log.error("%s", error)
            broken[error.topic] = "ILLEGAL_STATE"
        except AppendFailed as error:
            log.warning("%s", error)
        fetched = {spot for spot, end in appended.items() if end > plan.ranges[spot].start}
        self._agreed = high
        book.change(lambda link: _after(link, at, high, {**log_ends, **appended}, fetched))
        for topic, error_name in broken.items():
            self._fail(topic, error_name)

    def _source_is_empty(self) -> bool:
        """Whether the source answers but has none of the topics: asked only as long as none of them was ever seen."""
        seen = (p.source_high_watermark for mirror in self._book.link.mirrors.values() for p in mirror.partitions)
        never = all(high_watermark is None for high_watermark in seen)
        return never and not self._book.path_cut and self._path.source_answers()

    def _fail(self, topic: str, error: str) -> None:
        log.error("mirror topic %s failed: %s", topic, error)
        self._book.change(lambda link: mirrors.fail(link, topic, error, self._book.clock()))

    def sync_offsets_if_due(self) -> None:
        """Run ConsumerOffsetSync, once in every `consumer.offset.sync.ms`, while the source is there."""
        link, configs = self._book.link, self._book.configs
        if time.monotonic() < self._next_sync or link.unreached_since is not None or self._book.path_cut:
            return
        self._next_sync = time.monotonic() + configs.offset_sync_s
        groups = configs.synced_groups(self._groups)
        self._book.note_offset_sync(self._offsets.sync(groups, _spots(link.copied()), self._hurry))

    def stop_mirrors(self) -> None:
        """Bring every mirror whose time has come to STOPPED, all in one go: nothing is being copied now, so read the
        log ends, open the topics for writes, and only then say so."""
        book = self._book
        self._held = frozenset()
        ready = mirrors.ready_to_stop(book.link, book.clock())
        if not ready:
            return
        self._held = frozenset(ready)
        stopping = [book.link.mirrors[topic] for topic in ready]
        promoting = [m for m in stopping if m.stopping is not None and m.stopping.verb is Verb.PROMOTE]
        if promoting:  # a promote syncs the groups' offsets a last time
            groups = book.configs.synced_groups(self._groups)
            self._offsets.sync(groups, _spots(promoting), lambda: False)
        ends = self._path.log_ends(_spots(stopping))
        complete = [mirror.topic for mirror in stopping if _spots([mirror]) <= set(ends)]
        if not complete:
            log.warning("log ends of %s could not be read: they stay PENDING_STOPPED", list(ready))
            return
        try:
            self._guard.refuse_writes_to(book.link.read_only() - set(complete))
        except GuardUnreachable as error:
            log.warning("%s stay PENDING_STOPPED: %s", complete, error)
            return
        for topic in complete:
            self._stopped(topic, [ends[spot] for spot in sorted(ends) if spot.topic == topic])

    def _stopped(self, topic: str, log_ends: list[int]) -> None:
        self._book.change(lambda link: mirrors.stopped(link, topic, log_ends, self._book.clock()))
        log.info("mirror topic %s is STOPPED at log ends %s", topic, log_ends)


def _spots(of: Collection[mirrors.Mirror]) -> set[Spot]:
    return {Spot(mirror.topic, number) for mirror in of for number in range(len(mirror.partitions))}


def _after(link: Link, at: float, high: dict[Spot, int], log_ends: dict[Spot, int], fetched: set[Spot]) -> Link:
    """The link after a cycle that saw these high watermarks at `at` and left the mirrors with these log ends."""
    seen: dict[str, list[Partition]] = {}
    for topic, mirror in link.mirrors.items():
        seen[topic] = [
            replace(
                partition,
                log_end=log_ends.get(Spot(topic, number), partition.log_end),
                source_high_watermark=high.get(Spot(topic, number), partition.source_high_watermark),
                fetched=partition.fetched or Spot(topic, number) in fetched,
            )
            for number, partition in enumerate(mirror.partitions)
        ]
    return mirrors.reached(link, at, seen)
