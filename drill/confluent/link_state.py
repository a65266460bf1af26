"""The state of one cluster link: read by anyone, changed under a lock by pure transitions."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from types import MappingProxyType

from drill.confluent import mirror_operations, transitions
from drill.confluent.link_configs import LINK_PAUSED, Change, LinkConfigs
from drill.confluent.mirror_operations import Refusal
from drill.confluent.mirrors import Clock, Link, Mirror, Row, TransitionError, Verb


class LinkBook:
    """One link. `offsets_ahead`: how far beyond a mirror's log end the offsets of groups are synced at least, as if the
    records that they stand for had not arrived; `refused`: topics that every verb is refused for."""

    def __init__(
        self, link: Link, configs: LinkConfigs, cluster_id: str, remote_cluster_id: str | None, clock: Clock = time.time
    ) -> None:
        self.clock = clock
        self.wake = threading.Event()
        self.remote_cluster_id = remote_cluster_id
        # Both sides of a bidirectional link have the same id.
        ends = "/".join(sorted((cluster_id, remote_cluster_id or "")))
        self.link_id = uuid.uuid5(uuid.NAMESPACE_URL, f"{ends}/{link.name}")
        self.closed = threading.Event()
        self.created = clock()
        self.offsets_ahead = 0
        self.refused: Mapping[str, Refusal] = {}
        self.task_errors: dict[str, tuple[TransitionError, ...]] = {}
        self._lock = threading.Lock()
        self._link = link
        self._configs = configs
        self._path_cut = False

    @property
    def link(self) -> Link:
        return self._link

    @property
    def configs(self) -> LinkConfigs:
        return self._configs

    @property
    def path_cut(self) -> bool:
        """Whether the drill cut the way to the source, which itself may be well."""
        return self._path_cut

    def change(self, transition: Callable[[Link], Link]) -> Link:
        """Apply a transition; the link after it."""
        with self._lock:
            self._link = transition(self._link)
            return self._link

    def add(self, new: Iterable[Mirror]) -> None:
        """More mirror topics; one that is there already stays as it is."""
        self.change(lambda link: link.put(*(mirror for mirror in new if mirror.topic not in link.mirrors)))
        self.wake.set()

    def alter(
        self,
        verb: Verb,
        topics: Collection[str],
        *,
        refused: Mapping[str, Refusal] = MappingProxyType({}),
        validate_only: bool = False,
    ) -> tuple[Row, ...]:
        """Ask a verb of topics; with `validate_only` the answer is the same and nothing changes."""
        with self._lock:
            link, rows = mirror_operations.alter(
                self._link, verb, topics=topics, now=self.clock(), refused={**refused, **self.refused}
            )
            if not validate_only:
                self._link = link
        self.wake.set()
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
            self._link = transitions.pause_link(self._link, configs.flag(LINK_PAUSED), self.clock())
        self.wake.set()

    def cut_path(self, cut: bool) -> None:
        self._path_cut = cut
        self.wake.set()

    def close(self) -> None:
        """The link is no more: its thread ends."""
        self.closed.set()
        self.wake.set()
