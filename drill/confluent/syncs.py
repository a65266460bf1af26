"""The tasks of a link beside copying records, each in its own interval: offsets, ACLs, topic configurations, and new
topics. What goes wrong is noted in the link's book, task by task."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Collection

from drill.confluent import link_configs, tasks
from drill.confluent.acls import Acl, AclTable
from drill.confluent.filters import synced_acls
from drill.confluent.link_state import LinkBook
from drill.confluent.local_cluster import LocalCluster
from drill.confluent.mirroring import Mirroring
from drill.confluent.mirrors import Mirror, TransitionError
from drill.confluent.offset_sync import IN_USE, GroupOffsets
from drill.confluent.peers import PeerRefused, PeerUnreachable
from drill.confluent.record_copier import spots, wired
from drill.confluent.replication import Hurry, Spot
from drill.confluent.source import Source, SourceUnreachable

log = logging.getLogger(__name__)

Errors = tuple[TransitionError, ...]
REMOTE_LINK_NOT_FOUND = "REMOTE_LINK_NOT_FOUND"


class Syncs:
    """The tasks of one link. Used by the link's thread."""

    def __init__(
        self,
        book: LinkBook,
        source: Source,
        cluster: LocalCluster,
        acls: AclTable,
        mirroring: Mirroring,
        offsets: GroupOffsets | None,
        auto_create_s: float,
    ) -> None:
        self._book = book
        self._source = source
        self._cluster = cluster
        self._acls = acls
        self._mirroring = mirroring
        self._offsets = offsets
        self._auto_create_s = auto_create_s
        self._next: dict[str, float] = {}

    def run_due(self, hurry: Hurry) -> None:
        """Run every task whose time has come, while the source is there."""
        configs, link = self._book.configs, self._book.link
        if link.unreached_since is not None or link.paused or self._book.path_cut:
            return
        due: list[tuple[str, float, Callable[[], Errors]]] = [
            (tasks.OFFSET_SYNC, configs.seconds(link_configs.OFFSET_SYNC_MS), lambda: self._sync_offsets(hurry)),
            (tasks.ACL_SYNC, configs.seconds(link_configs.ACL_SYNC_MS), self._sync_acls),
            (tasks.TOPIC_CONFIGS_SYNC, configs.seconds(link_configs.TOPIC_CONFIG_SYNC_MS), self._sync_topic_configs),
            (tasks.AUTO_CREATE, self._auto_create_s, self._create_mirrors),
        ]
        for task, every_s, run in due:
            if time.monotonic() >= self._next.get(task, 0.0):
                self._next[task] = time.monotonic() + every_s
                self._book.task_errors[task] = self._tried(task, run)

    def _tried(self, task: str, run: Callable[[], Errors]) -> Errors:
        try:
            return run()
        except (SourceUnreachable, PeerUnreachable, PeerRefused) as error:
            log.info("%s: %s", task, error)
            return (TransitionError("TIMEOUT_ERROR", "The source cluster cannot be reached"),)

    def sync_offsets_at_once(self, of: Collection[Mirror]) -> None:
        """The last sync before a promote completes."""
        self._offsets_of(of, lambda: False)

    def _sync_offsets(self, hurry: Hurry) -> Errors:
        if self._book.configs.mode == link_configs.BIDIRECTIONAL:
            peer = self._source.peer()
            if peer is not None and self._unpaired(peer.link_mode):
                name = self._book.link.name
                return (TransitionError(REMOTE_LINK_NOT_FOUND, f"The remote cluster has no link named '{name}'"),)
        return self._offsets_of(wired(self._book.link.copied()), hurry)

    def _unpaired(self, mode_of: Callable[[str], str | None]) -> bool:
        try:
            return mode_of(self._book.link.name) != link_configs.BIDIRECTIONAL
        except (PeerUnreachable, PeerRefused):
            return False  # what is not known is no reason not to sync

    def _offsets_of(self, of: Collection[Mirror], hurry: Hurry) -> Errors:
        book = self._book
        selected = book.configs.synced_groups(self._cluster.candidates())
        prefix = book.configs.prefix if book.configs.flag(link_configs.GROUP_PREFIX) else ""
        groups = {prefix + group: group for group in selected}
        active = self._cluster.forced_active(groups)
        beyond: dict[Spot, int] = {}
        if book.offsets_ahead:
            beyond = {
                Spot(mirror.topic, number): partition.log_end + book.offsets_ahead
                for mirror in of
                for number, partition in enumerate(mirror.partitions)
            }
        in_use = tuple(TransitionError(IN_USE, f"Consumer group '{group}' is active") for group in active)
        if self._offsets is None:
            return in_use
        free = {group: at_source for group, at_source in groups.items() if group not in active}
        return in_use + self._offsets.sync(free, spots(of), hurry, beyond)

    def _sync_acls(self) -> Errors:
        filters, peer = self._book.configs.synced_acls(), self._source.peer()
        if not filters or peer is None:
            return ()
        theirs = [Acl.model_validate(row) for row in peer.acls()]
        self._acls.change(lambda ours: synced_acls(ours, theirs, filters))
        return ()

    def _sync_topic_configs(self) -> Errors:
        if self._source.peer() is None:
            return ()
        link, theirs = self._book.link, self._source.topics() or {}
        for mirror in link.copied():
            topic = theirs.get(link.source_of(mirror.topic))
            if topic is not None and topic.configs != self._cluster.topic_configs(mirror.topic):
                self._cluster.configure_topic(mirror.topic, topic.configs)
        return ()

    def _create_mirrors(self) -> Errors:
        configs, link = self._book.configs, self._book.link
        if not configs.configured(link_configs.AUTO_CREATE):
            return ()
        theirs = self._source.topics() or {}
        selected = configs.auto_created(name for name in sorted(theirs) if not name.startswith("__"))
        new = [name for name in selected if link.prefix + name not in link.mirrors]
        existing = {topic.name for topic in self._cluster.topics()} if new else set()
        errors: list[TransitionError] = []
        for name in new:
            mirror, topic = link.prefix + name, theirs[name]
            if mirror in existing:
                errors.append(TransitionError("TOPIC_EXISTS_ERROR", f"Topic '{mirror}' already exists."))
                continue
            log.info("topic %s is mirrored from now on", json.dumps(mirror))
            self._mirroring.create(self._book, {mirror: topic.partitions}, wired=topic.wired)
        return tuple(errors)
