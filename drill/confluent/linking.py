"""How links and mirror topics come into being on this cluster."""

from __future__ import annotations

import time
from collections.abc import Iterable

from confluent_kafka.admin import AdminClient

from drill.confluent import link_configs, rest_only
from drill.confluent.config import Config, LinkConfig
from drill.confluent.kafka_topics import ensure_topics
from drill.confluent.link_book import LinkBook
from drill.confluent.links import Links
from drill.confluent.local_cluster import LocalCluster, Topic
from drill.confluent.mirrors import Link, Mirror, Partition, Status
from drill.confluent.offset_sync import GroupOffsets
from drill.confluent.read_only import Guard
from drill.confluent.replication import DataPath, Spot, admin_client, end_offsets
from drill.confluent.running_link import RunningLink
from drill.confluent.wire import Wire


class Linking:
    """Makes links and mirror topics. With no `local` there are no brokers, and every topic is made up."""

    def __init__(self, config: Config, local: AdminClient | None, cluster: LocalCluster, links: Links) -> None:
        self._config = config
        self._local = local
        self._cluster = cluster
        self._links = links
        self._guard = Guard(config.admin)

    def open(self, link: LinkConfig) -> LinkBook:
        """The link with the mirrors of the configuration, at work. The source need not be there.

        Raises:
            TopicNotCreated, GuardUnreachable, KafkaException
        """
        config, now = self._config, time.time()
        mirrors = {mirror.topic: mirror for mirror in self._wired(config.mirrors)}
        mirrors |= rest_only.mirrors(config.rest_only_mirrors, now)
        self._cluster.make_up(Topic(m.topic, len(m.partitions)) for m in mirrors.values() if not m.wired)
        self._cluster.know_groups(link.groups)
        book = LinkBook(
            Link(link.name, {}, config.timings(link)).put(*mirrors.values()),
            link_configs.initial(link.groups, link.offset_sync_s),
            config.cluster_id,
            link.remote_cluster_id,
        )
        wire, offsets = None, None
        if self._local is not None and link.remote_raw_bootstrap:
            source = admin_client(link.remote_raw_bootstrap)
            path = DataPath(source, self._local, link.remote_raw_bootstrap, config.raw_bootstrap)
            wire, offsets = Wire(book, path, self._guard), GroupOffsets(source, self._local)
        records_per_s = config.rest_only_mirrors.records_per_s
        RunningLink(book, wire, offsets, link.groups, link.interval_s, records_per_s).start()
        self._links.add(book)
        return book

    def add_mirrors(self, book: LinkBook, topics: Iterable[str]) -> list[str]:
        """More mirror topics, on the wire; those that are new.

        Raises:
            TopicNotCreated, GuardUnreachable, KafkaException
        """
        new = [topic for topic in topics if topic not in book.link.mirrors]
        book.add(self._wired(new))
        return new

    def make_up_mirrors(self, book: LinkBook, topics: Iterable[str], partitions: int, status: Status) -> list[str]:
        """More mirror topics, in the API only; those that are new."""
        new = [topic for topic in topics if topic not in book.link.mirrors]
        self._cluster.make_up(Topic(topic, partitions) for topic in new)
        now = book.clock()
        book.add(Mirror(topic, (Partition(),) * partitions, now, status, wired=False) for topic in new)
        return new

    def _wired(self, topics: Iterable[str]) -> list[Mirror]:
        """Topics that exist here, and refuse writes."""
        if self._local is None:
            return []
        counts = ensure_topics(self._local, topics)
        self._guard.close(counts)
        spots = {Spot(topic, number) for topic, count in counts.items() for number in range(count)}
        ends = end_offsets(self._local, spots, 5.0, lambda: False)
        now = time.time()
        return [
            Mirror(topic, tuple(Partition(ends.get(Spot(topic, number), 0)) for number in range(count)), now)
            for topic, count in counts.items()
        ]
