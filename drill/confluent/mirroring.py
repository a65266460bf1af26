"""How mirror topics come into being on this cluster."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping

from confluent_kafka.admin import AdminClient

from drill.confluent import mirror_operations
from drill.confluent.kafka_topics import ensure_topics
from drill.confluent.link_state import LinkBook
from drill.confluent.local_cluster import LocalCluster, Topic
from drill.confluent.mirrors import Mirror, Partition, Status
from drill.confluent.read_only import Guard
from drill.confluent.replication import Spot, end_offsets


class Mirroring:
    """Makes mirror topics. With no `local` there are no brokers, and every topic is made up.

    Methods block, and raise `TopicNotCreated`, `GuardUnreachable` or `KafkaException`.
    """

    def __init__(self, local: AdminClient | None, cluster: LocalCluster, guard: Guard) -> None:
        self._local = local
        self._cluster = cluster
        self._guard = guard

    def existing(self, topics: Iterable[str]) -> list[Mirror]:
        """Mirrors on the wire that are ACTIVE at once, as at the start of the drill."""
        now = time.time()
        return [
            Mirror(topic=topic, partitions=parts, since=now)
            for topic, parts in self._on_wire(dict.fromkeys(topics, None)).items()
        ]

    def create(self, book: LinkBook, partitions: Mapping[str, int], *, wired: bool, at_once: bool = False) -> list[str]:
        """Mirrors of these names, with so many partitions; those that are new. They begin as PENDING_MIRROR, or are
        ACTIVE `at_once`."""
        new = {topic: count for topic, count in partitions.items() if topic not in book.link.mirrors}
        if wired and self._local is not None:
            made = self._on_wire(new)
        else:
            wired = False
            self._cluster.make_up(Topic(name=topic, partitions=count) for topic, count in new.items())
            made = {topic: (Partition(),) * count for topic, count in new.items()}
        now = book.clock()
        status, ahead = (Status.ACTIVE, ()) if at_once else (Status.PENDING_MIRROR, (Status.ACTIVE,))
        book.add(
            Mirror(topic=topic, partitions=parts, since=now, status=status, wired=wired, ahead=ahead)
            for topic, parts in made.items()
        )
        return list(new)

    def close(self, topics: Collection[str]) -> None:
        """Let topics refuse writes from now on."""
        self._guard.close([topic for topic in topics if self.is_on_wire(topic)])

    def reverse(self, book: LinkBook, log_ends: Mapping[str, list[int]], paused: bool) -> None:
        """Mirrors of topics that were the sources of mirrors at the other end, which are stopped at these log ends. On
        the wire a topic is copied only if it holds the same."""
        self.close(log_ends)
        here = self._cluster.log_ends([topic for topic in log_ends if self.is_on_wire(topic)])

        now = book.clock()
        mirrors = [
            mirror_operations.new_mirror(
                topic,
                [Partition(end, end, fetched=end > 0) for end in ends],
                now,
                paused=paused,
                wired=here.get(topic) == ends,
            )
            for topic, ends in log_ends.items()
        ]
        book.change(lambda link: link.put(*mirrors))
        book.wake.set()

    def is_on_wire(self, topic: str) -> bool:
        """Whether a topic exists here on the wire, and not only in the API."""
        return self._local is not None and not self._cluster.is_made_up(topic)

    def _on_wire(self, counts: Mapping[str, int | None]) -> dict[str, tuple[Partition, ...]]:
        """Topics that exist here and refuse writes, with their log ends."""
        if self._local is None or not counts:
            return {}
        partition_counts = ensure_topics(self._local, counts)
        self._guard.close(partition_counts)
        spots = {Spot(topic, number) for topic, count in partition_counts.items() for number in range(count)}
        ends = end_offsets(self._local, spots, 5.0, lambda: False)
        return {
            topic: tuple(Partition(ends.get(Spot(topic, number), 0)) for number in range(count))
            for topic, count in partition_counts.items()
        }
