"""How links come into being on this cluster, and go."""

from __future__ import annotations

import time
from collections.abc import Iterable

from confluent_kafka.admin import AdminClient

from drill.confluent import link_configs, virtual_topics
from drill.confluent.acls import AclTable
from drill.confluent.config import Config, LinkConfig
from drill.confluent.groups import GroupAdmin
from drill.confluent.link_configs import LinkConfigs
from drill.confluent.link_state import LinkBook
from drill.confluent.links import Links
from drill.confluent.local_cluster import LocalCluster, Topic
from drill.confluent.mirroring import Mirroring
from drill.confluent.mirrors import Link, Mirror
from drill.confluent.offset_sync import GroupOffsets
from drill.confluent.peers import Peers
from drill.confluent.read_only import Guard
from drill.confluent.record_copier import Wire
from drill.confluent.replication import DataPath, admin_client
from drill.confluent.running_link import RunningLink
from drill.confluent.source import Source
from drill.confluent.syncs import Syncs


class Linking:
    """Makes links. With no `local` there are no brokers, and every topic is made up."""

    def __init__(
        self,
        config: Config,
        local: AdminClient | None,
        cluster: LocalCluster,
        acls: AclTable,
        links: Links,
        peers: Peers,
    ) -> None:
        self._config = config
        self._local = local
        self._cluster = cluster
        self._acls = acls
        self._links = links
        self._peers = peers
        self._guard = Guard(config.admin)
        self.mirroring = Mirroring(local, cluster, self._guard)

    def open(self, link: LinkConfig) -> LinkBook:
        """The link of the process's configuration, with its mirrors, at work. The source need not be there.

        Raises:
            TopicNotCreated, GuardUnreachable, KafkaException, ConfigRefused
        """
        configs = link_configs.initial(link.groups, link.offset_sync_s, link.configs)
        mirrors = {mirror.topic: mirror for mirror in self.mirroring.existing(self._config.mirrors)}
        mirrors |= virtual_topics.mirrors(self._config.rest_only_mirrors, time.time())
        self._cluster.make_up(
            Topic(name=m.topic, partitions=len(m.partitions)) for m in mirrors.values() if not m.wired
        )
        return self._start(link, configs, mirrors.values(), self._config.rest_only_mirrors.records_per_s)

    def prepare(self, name: str, remote_cluster_id: str, configs: LinkConfigs) -> tuple[LinkBook, Source]:
        """A link that was asked for in the API, not yet at work, and its source."""
        return self._prepared(self._link_config(name, remote_cluster_id, configs), configs, ())

    def create(self, name: str, remote_cluster_id: str, configs: LinkConfigs) -> LinkBook:
        """A link that was asked for in the API, at work."""
        return self._start(self._link_config(name, remote_cluster_id, configs), configs, (), 0.0)

    def delete(self, book: LinkBook) -> None:
        """The link is no more; its mirrors are topics like others.

        Raises:
            GuardUnreachable
        """
        self._guard.open(book.link.read_only())
        book.close()
        self._links.remove(book)

    def _link_config(self, name: str, remote_cluster_id: str, configs: LinkConfigs) -> LinkConfig:
        like = self._config.link or LinkConfig(name=name, remote_cluster_id=remote_cluster_id)
        changed = {
            "name": name,
            "remote_cluster_id": remote_cluster_id,
            "remote_raw_bootstrap": configs.value(link_configs.BOOTSTRAP),
            "groups": [],
        }
        return like.model_copy(update=changed)

    def _prepared(self, link: LinkConfig, configs: LinkConfigs, mirrors: Iterable[Mirror]) -> tuple[LinkBook, Source]:
        timings, unverified = self._config.timings(link), self._config.unverified()
        state = Link(name=link.name, mirrors={}, timings=timings, unverified=unverified, prefix=configs.prefix).put(
            *mirrors
        )
        book = LinkBook(state, configs, self._config.cluster_id, link.remote_cluster_id)
        has_wire = self._local is not None and bool(link.remote_raw_bootstrap)
        admin = admin_client(link.remote_raw_bootstrap) if has_wire else None
        return book, Source(book, admin, self._peers)

    def _start(
        self, link: LinkConfig, configs: LinkConfigs, mirrors: Iterable[Mirror], records_per_s: float
    ) -> LinkBook:
        self._cluster.know_groups(link.groups)
        book, source = self._prepared(link, configs, mirrors)
        wire, offsets = None, None
        if self._local is not None and source.admin is not None:
            raw, prefix = link.remote_raw_bootstrap, configs.prefix
            path = DataPath(
                self._local, source_bootstrap=raw, local_bootstrap=self._config.raw_bootstrap, prefix=prefix
            )
            wire = Wire(book, path, self._guard)
            offsets = GroupOffsets(GroupAdmin(raw), GroupAdmin(self._config.raw_bootstrap), prefix)
        syncs = Syncs(
            book,
            source,
            cluster=self._cluster,
            acls=self._acls,
            mirroring=self.mirroring,
            offsets=offsets,
            auto_create_s=self._config.auto_create_s,
        )
        self._links.add(book, source)
        RunningLink(
            book, source, wire=wire, syncs=syncs, interval_s=link.interval_s, records_per_s=records_per_s
        ).start()
        return book
