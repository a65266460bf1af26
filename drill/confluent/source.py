"""The cluster at the other end of a link, as the link sees it."""

from __future__ import annotations

from dataclasses import dataclass, field

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from drill.confluent.link_state import LinkBook
from drill.confluent.peers import Peer, PeerRefused, Peers, PeerUnreachable


class SourceUnreachable(RuntimeError):
    """The link can't reach the other cluster."""


@dataclass(frozen=True)
class SourceTopic:
    """A topic there. One that is not `wired` exists in that cluster's API only."""

    partitions: int
    wired: bool
    configs: dict[str, str] = field(default_factory=dict)


class Source:
    """Over the wire, if there is an `admin` client; and what its stand-in knows, if that is known. Methods block."""

    def __init__(self, book: LinkBook, admin: AdminClient | None, peers: Peers, timeout_s: float = 2.0) -> None:
        self._book = book
        self.admin = admin
        self._peers = peers
        self._timeout_s = timeout_s

    def peer(self) -> Peer | None:
        """The other stand-in; None if it is not known.

        Raises:
            SourceUnreachable: if the way is cut.
        """
        if self._book.path_cut:
            raise SourceUnreachable("the way to the other cluster is cut")
        return self._peers.of(self._book.remote_cluster_id)

    def answers(self) -> bool:
        """Whether a source without a wire is there; one that nobody knows is."""
        try:
            peer = self.peer()
        except SourceUnreachable:
            return False
        return peer is None or peer.answers()

    def cluster_id(self) -> str | None:
        """What the other cluster says that its id is; None where there is no wire to ask over.

        Raises:
            SourceUnreachable
        """
        if self.admin is None:
            if not self.answers():
                raise SourceUnreachable("the other cluster does not answer")
            return None
        try:
            return str(self.admin.list_topics(timeout=self._timeout_s).cluster_id)
        except KafkaException as error:
            raise SourceUnreachable(str(error)) from error

    def topics(self) -> dict[str, SourceTopic] | None:
        """Every topic there; None if there is no way to know.

        Raises:
            SourceUnreachable
        """
        peer = self.peer()
        if peer is None and self.admin is None:
            return None
        topics: dict[str, SourceTopic] = {}
        if peer is not None:
            topics = self._from_peer(peer)
        if self.admin is not None:
            try:
                on_wire = self.admin.list_topics(timeout=self._timeout_s).topics
            except KafkaException as error:
                raise SourceUnreachable(str(error)) from error
            for name, row in on_wire.items():
                configs = topics[name].configs if name in topics else {}
                topics[name] = SourceTopic(len(row.partitions), True, configs)
        return topics

    def _from_peer(self, peer: Peer) -> dict[str, SourceTopic]:
        try:
            rows = peer.topics()
        except (PeerUnreachable, PeerRefused) as error:
            if self.admin is not None:
                return {}  # what is on the wire is there all the same
            raise SourceUnreachable(str(error)) from error
        return {name: SourceTopic(row["partitions"], False, row["configs"]) for name, row in rows.items()}
