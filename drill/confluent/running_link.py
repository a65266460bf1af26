"""A cluster link at work: a thread that copies, syncs offsets and stops mirrors, in cycles."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection

from drill.confluent import mirrors, rest_only
from drill.confluent.link_book import LinkBook
from drill.confluent.mirrors import Verb
from drill.confluent.offset_sync import GroupOffsets
from drill.confluent.tasks import OFFSET_SYNC
from drill.confluent.wire import Wire, spots, wired

log = logging.getLogger(__name__)

MADE_UP_EVERY_S = 1.0


class RunningLink:
    """The thread behind a link. It stops the mirrors whose time has come only between cycles, so with nothing in
    flight. Without a `wire` every topic is made up."""

    def __init__(
        self,
        book: LinkBook,
        wire: Wire | None,
        offsets: GroupOffsets | None,
        groups: Collection[str],
        interval_s: float,
        records_per_s: float = 0.0,
    ) -> None:
        self._book = book
        self._wire = wire
        self._offsets = offsets
        self._groups = tuple(groups)
        self._interval_s = interval_s
        self._records_per_s = records_per_s
        self._made_up_at = time.monotonic()
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
        link, now = self._book.link, self._book.clock()
        pending = (link.mirrors[topic].stopping for topic in link.pending)
        dues = [stopping.due - now for stopping in pending if stopping is not None]
        # One that is due already waits for the source, or for the guard: that is looked at once a cycle.
        return min((due for due in dues if due > 0), default=self._interval_s)

    def _hurry(self) -> bool:
        """Whether mirrors wait to be stopped. Those that could not be stopped just now wait for the next cycle."""
        ready = mirrors.ready_to_stop(self._book.link, self._book.clock())
        return self._book.asked.is_set() or not self._held.issuperset(ready)

    def cycle(self) -> None:
        """Look at the source, and copy."""
        book = self._book
        if self._wire is not None:
            self._wire.cycle(self._hurry)
        elif book.path_cut:
            book.change(lambda link: mirrors.unreached(link, book.clock()))
        else:
            book.change(lambda link: mirrors.reached(link, book.clock(), {}))
        self._move_what_is_made_up()

    def _move_what_is_made_up(self) -> None:
        now = time.monotonic()
        link = self._book.link
        if now < self._made_up_at + MADE_UP_EVERY_S and not link.pending:
            return
        records = int((now - self._made_up_at) * self._records_per_s)
        if link.unreached_since is not None:
            self._made_up_at = now
        elif records or link.pending:
            self._made_up_at = now
            moved = rest_only.moved(link, records)
            self._book.change(lambda link: mirrors.reached(link, self._book.clock(), moved))

    def sync_offsets_if_due(self) -> None:
        """Run ConsumerOffsetSync, once in every `consumer.offset.sync.ms`, while the source is there."""
        link, configs = self._book.link, self._book.configs
        if time.monotonic() < self._next_sync or link.unreached_since is not None or self._book.path_cut:
            return
        self._next_sync = time.monotonic() + configs.offset_sync_s
        self._book.task_errors[OFFSET_SYNC] = self._synced(wired(link.copied()))

    def _synced(self, of: Collection[mirrors.Mirror], at_once: bool = False) -> tuple[mirrors.TransitionError, ...]:
        if self._offsets is None:
            return ()
        groups = self._book.configs.synced_groups(self._groups)
        return self._offsets.sync(groups, spots(of), (lambda: False) if at_once else self._hurry)

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
        promoting = [m for m in wired(stopping) if m.stopping is not None and m.stopping.verb is Verb.PROMOTE]
        if promoting:  # a promote syncs the groups' offsets a last time
            self._synced(promoting, at_once=True)
        ends = {m.topic: [p.log_end for p in m.partitions] for m in stopping if not m.wired}
        on_wire = wired(stopping)
        if on_wire and self._wire is not None:
            ends |= self._wire.open(on_wire)
        if ends:
            book.change(lambda link: mirrors.stopped(link, ends, book.clock()))
            log.info("STOPPED at log ends %s", ends if len(ends) < 20 else f"({len(ends)} mirror topics)")
