"""Verbs that concern both clusters of a bidirectional link: reversing a mirror, and restoring one after a failover.

Codes and texts of the refusals are our choice; that these are the reasons is documented.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from drill.confluent import mirror_operations
from drill.confluent.link_configs import BIDIRECTIONAL
from drill.confluent.link_state import LinkBook
from drill.confluent.local_cluster import LocalCluster
from drill.confluent.mirror_operations import Refusal
from drill.confluent.mirroring import Mirroring
from drill.confluent.mirrors import Cut, Row, Status, Verb
from drill.confluent.peers import PeerRefused, PeerUnreachable
from drill.confluent.source import Source, SourceUnreachable
from drill.confluent.truncation import LogTruncation


@dataclass(frozen=True)
class _Remote:
    """The mirrors that are stopped at the other end, or why nobody knows."""

    stopped: dict[str, list[int]]
    refusal: Refusal | None = None


class BothSides:
    """May be used by several threads; methods block."""

    def __init__(self, cluster: LocalCluster, mirroring: Mirroring, truncation: LogTruncation | None = None) -> None:
        self._cluster = cluster
        self._mirroring = mirroring
        self._truncation = truncation
        self._restoring = threading.Lock()

    def reverse(
        self, book: LinkBook, source: Source, verb: Verb, topics: Collection[str], *, validate_only: bool
    ) -> tuple[Row, ...]:
        """Ask for mirrors to become the source of what is their source now. Both clusters must be up."""
        refusal = self._remote(book, source).refusal
        refused = dict.fromkeys(topics, refusal) if refusal else {}
        return book.alter(verb, topics, refused=refused, validate_only=validate_only)

    def truncate_and_restore(
        self, book: LinkBook, source: Source, topics: Iterable[str], *, validate_only: bool
    ) -> tuple[Row, ...]:
        """Ask for writable topics to become mirrors of those that were failed over from them, each truncated to where
        its remote mirror stopped. Where the brokers can't truncate, a topic of which something is cut off is a mirror
        in the API from then on, and no records are copied to it.

        Raises:
            KafkaException, GuardUnreachable, NotTruncated
        """
        with self._restoring:
            return self._truncate_and_restore(book, source, list(dict.fromkeys(topics)), validate_only)

    def _truncate_and_restore(
        self, book: LinkBook, source: Source, names: list[str], validate_only: bool
    ) -> tuple[Row, ...]:
        remote, here = self._remote(book, source), self._cluster.log_ends(names)
        in_use = self._groups_in_use()
        rows = {
            topic: self._restored(book, topic, remote=remote, here=here.get(topic), in_use=in_use) for topic in names
        }
        cuts = {topic: row.cuts for topic, row in rows.items() if row.code is None and row.cuts is not None}
        if cuts and not validate_only:
            self._mirroring.close(cuts)
            if self._truncation is not None:
                self._truncation.truncate(
                    {topic: parts for topic, parts in cuts.items() if self._mirroring.is_on_wire(topic)}
                )
            whole = {
                topic
                for topic, parts in cuts.items()
                if self._truncation is not None or not sum(cut.messages for cut in parts)
            }
            wired = frozenset(topic for topic in whole if self._mirroring.is_on_wire(topic))
            book.change(lambda link: mirror_operations.restored(link, cuts, book.clock(), wired=wired))
            book.wake.set()
        mirrors = book.link.mirrors
        return tuple(
            Row(topic=t, mirror=mirrors.get(t), code=row.code, message=row.message, cuts=row.cuts)
            for t, row in rows.items()
        )

    def _restored(
        self, book: LinkBook, topic: str, remote: _Remote, here: list[int] | None, in_use: dict[str, set[str]]
    ) -> Row:
        mirror = book.link.mirrors.get(topic)
        groups = sorted(group for group, its in in_use.items() if topic in its)
        if here is None:
            return Row(topic=topic, mirror=None, code=404, message=f"Topic '{topic}' does not exist")
        if mirror is not None and mirror.status is not Status.STOPPED:
            return Row(
                topic=topic,
                mirror=mirror,
                code=400,
                message=f"Topic '{topic}' is a mirror topic already, in state {mirror.status}",
            )
        if remote.refusal is not None:
            return Row(topic=topic, mirror=mirror, code=remote.refusal.code, message=remote.refusal.message)
        if topic not in remote.stopped:
            return Row(
                topic=topic,
                mirror=mirror,
                code=400,
                message=f"The remote mirror of topic '{topic}' is not in state STOPPED",
            )
        if groups:
            return Row(
                topic=topic,
                mirror=mirror,
                code=400,
                message=f"Topic '{topic}' has active consumer groups: {', '.join(groups)}",
            )
        ends = remote.stopped[topic]
        cuts = tuple(
            Cut(number, min(end, stopped), max(0, end - stopped))
            for number, (end, stopped) in enumerate(zip(here, ends, strict=False))
        )
        return Row(topic=topic, mirror=mirror, cuts=cuts)

    def _groups_in_use(self) -> dict[str, set[str]]:
        """Active groups, and the topics that they have committed offsets for."""
        active = self._cluster.active(self._cluster.group_names())
        return {group: {lag.spot.topic for lag in self._cluster.group_lags(group)} for group in active}

    def _remote(self, book: LinkBook, source: Source) -> _Remote:
        name, configs = book.link.name, book.configs
        if configs.mode != BIDIRECTIONAL:
            return _Remote({}, Refusal(400, f"Cluster link '{name}' is not bidirectional"))
        if configs.prefix:
            return _Remote({}, Refusal(400, f"Cluster link '{name}' has a prefix"))
        try:
            peer = source.peer()
            if peer is None:
                return _Remote({}, Refusal(408, "The remote cluster can't be reached"))
            if peer.link_mode(name) != BIDIRECTIONAL:
                return _Remote({}, Refusal(400, f"The remote cluster has no bidirectional link named '{name}'"))
            return _Remote(peer.stopped(name))
        except (SourceUnreachable, PeerUnreachable, PeerRefused) as error:
            return _Remote({}, Refusal(408, f"The remote cluster can't be reached: {type(error).__name__}"))
