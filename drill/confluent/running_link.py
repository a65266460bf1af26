"""A cluster link at work: a thread that copies, syncs and stops mirrors, in cycles."""

from __future__ import annotations

import logging
import threading
import time

from drill.confluent import transitions, virtual_topics
from drill.confluent.link_state import LinkBook
from drill.confluent.mirrors import Mirror, Verb
from drill.confluent.peers import PeerRefused, PeerUnreachable
from drill.confluent.record_copier import Wire, wired
from drill.confluent.source import Source, SourceUnreachable
from drill.confluent.syncs import Syncs

log = logging.getLogger(__name__)

MADE_UP_EVERY_S = 1.0


class RunningLink:
    """The thread behind a link. It stops the mirrors whose time has come only between cycles, so with nothing in
    flight. Without a `wire` every topic is made up."""

    def __init__(
        self,
        book: LinkBook,
        source: Source,
        wire: Wire | None,
        syncs: Syncs,
        interval_s: float,
        records_per_s: float,
    ) -> None:
        self._book = book
        self._source = source
        self._wire = wire
        self._syncs = syncs
        self._interval_s = interval_s
        self._records_per_s = records_per_s
        self._made_up_at = time.monotonic()
        self._being_opened: frozenset[str] = frozenset()
        self._reversed: dict[bool, dict[str, list[int]]] = {True: {}, False: {}}

    def start(self) -> None:
        threading.Thread(target=self._run, name=f"cluster-link {self._book.link.name}", daemon=True).start()

    def _run(self) -> None:
        next_cycle = time.monotonic()
        while not self._book.closed.is_set():
            self._book.wake.clear()
            try:
                self.stop_mirrors()
                if time.monotonic() >= next_cycle:
                    next_cycle = max(next_cycle + self._interval_s, time.monotonic() + self._interval_s / 4)
                    self.cycle()
                    self._syncs.run_due(self._hurry)
                    self.reverse()
            except Exception:  # the link outlives whatever one round met; the next one looks anew
                log.exception("a cycle of the link failed")
                time.sleep(0.1)
            self._book.wake.wait(max(0.0, min(next_cycle - time.monotonic(), self._until_stop())))

    def _until_stop(self) -> float:
        """Seconds until the next mirror may be stopped."""
        link, now = self._book.link, self._book.clock()
        pending = (link.mirrors[topic].stopping for topic in link.pending)
        dues = [stopping.due - now for stopping in pending if stopping is not None]
        # One that is due already waits for the source, or for the guard: that is looked at once a cycle.
        return min((due for due in dues if due > 0), default=self._interval_s)

    def _hurry(self) -> bool:
        """Whether mirrors wait to be stopped. Those that could not be stopped just now wait for the next cycle."""
        ready = transitions.ready_to_stop(self._book.link, self._book.clock())
        return self._book.wake.is_set() or not self._being_opened.issuperset(ready)

    def cycle(self) -> None:
        """Look at the source, copy, and let mirrors go on to the states ahead of them."""
        book = self._book
        if self._wire is not None:
            self._wire.cycle(self._hurry)
        elif self._source.answers():
            book.change(lambda link: transitions.reached(link, book.clock(), {}))
        else:
            book.change(lambda link: transitions.unreached(link, book.clock()))
        self._move_what_is_made_up()
        book.change(lambda link: transitions.advanced(link, book.clock()))

    def _move_what_is_made_up(self) -> None:
        now, link = time.monotonic(), self._book.link
        if now < self._made_up_at + MADE_UP_EVERY_S and not link.pending:
            return
        records = int((now - self._made_up_at) * self._records_per_s)
        if link.unreached_since is not None:
            self._made_up_at = now
        elif records or link.pending:
            self._made_up_at = now
            moved = virtual_topics.moved(link, records)
            self._book.change(lambda link: transitions.reached(link, self._book.clock(), moved))

    def stop_mirrors(self) -> None:
        """Bring every mirror whose time has come to STOPPED, all in one go: nothing is being copied now, so read the
        log ends, open the topics for writes, and only then say so."""
        book = self._book
        self._being_opened = frozenset()
        ready = transitions.ready_to_stop(book.link, book.clock())
        if not ready:
            return
        self._being_opened = frozenset(ready)
        stopping = [book.link.mirrors[topic] for topic in ready]
        caught_up = [m for m in wired(stopping) if m.stopping is not None and m.stopping.verb is not Verb.FAILOVER]
        if caught_up:  # a promote syncs the groups' offsets a last time
            self._syncs.sync_offsets_at_once(caught_up)
        ends = {m.topic: [p.log_end for p in m.partitions] for m in stopping if not m.wired}
        on_wire = wired(stopping)
        if on_wire and self._wire is not None:
            ends |= self._wire.open(on_wire)
        if ends:
            book.change(lambda link: transitions.stopped(link, ends, book.clock()))
            self._note_reversed(stopping, ends)
            log.info("STOPPED at log ends %s", ends if len(ends) < 20 else f"({len(ends)} mirror topics)")

    def _note_reversed(self, stopping: list[Mirror], ends: dict[str, list[int]]) -> None:
        for mirror in stopping:
            if mirror.topic in ends and mirror.stopping is not None and mirror.stopping.verb.reverses:
                paused = mirror.stopping.verb is Verb.REVERSE_AND_PAUSE
                self._reversed[paused][mirror.topic] = ends[mirror.topic]

    def reverse(self) -> None:
        """Let the other cluster do its part of a reversal: refuse writes first, and become the mirror in the end."""
        book = self._book
        to_be_fenced = list(transitions.to_be_fenced(book.link))
        if not to_be_fenced and not any(self._reversed.values()):
            return
        try:
            peer = self._source.peer()
            if peer is None:
                return
            if to_be_fenced:
                peer.fence(book.link.name, to_be_fenced)
                book.change(lambda link: transitions.fenced(link, to_be_fenced, book.clock()))
            for paused, topics in self._reversed.items():
                if topics:
                    peer.mirror(book.link.name, topics, paused=paused)
                    topics.clear()
        except (SourceUnreachable, PeerUnreachable, PeerRefused) as error:
            log.warning("a reversal waits for the other cluster: %s", error)
