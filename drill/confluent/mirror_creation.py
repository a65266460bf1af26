"""A mirror topic that is asked for in the API. What is refused, and how: Confluent's CLI and Terraform provider."""

from __future__ import annotations

from pydantic import BaseModel

from drill.confluent.endpoints import ApiError
from drill.confluent.kafka_topics import REPLICATION_FACTOR
from drill.confluent.link_configs import SOURCE
from drill.confluent.link_state import LinkBook
from drill.confluent.local_cluster import LocalCluster
from drill.confluent.mirroring import Mirroring
from drill.confluent.source import Source, SourceTopic, SourceUnreachable


class _Config(BaseModel):
    name: str
    value: str | None = None


class NewMirror(BaseModel):
    """The body of createKafkaMirrorTopic."""

    source_topic_name: str
    mirror_topic_name: str | None = None
    replication_factor: int | None = None
    configs: list[_Config] = []


class MirrorCreation:
    """Creates mirror topics; `settle_s`: how long a new link does not know itself yet."""

    def __init__(self, cluster: LocalCluster, mirroring: Mirroring, settle_s: float, default_partitions: int) -> None:
        self._cluster = cluster
        self._mirroring = mirroring
        self._settle_s = settle_s
        self._default_partitions = default_partitions

    def create(self, book: LinkBook, source: Source, new: NewMirror) -> None:
        """Create one; it begins as PENDING_MIRROR. Blocks.

        Raises:
            ApiError, TopicNotCreated, GuardUnreachable, KafkaException
        """
        mirror = book.link.prefix + new.source_topic_name
        self._check(book, mirror, new)
        topic = self._source_topic(source, new.source_topic_name)
        self._mirroring.create(book, {mirror: topic.partitions}, wired=topic.wired)
        configs = {row.name: row.value for row in new.configs if row.value is not None}
        self._cluster.configure_topic(mirror, {**topic.configs, **configs})

    def _check(self, book: LinkBook, mirror: str, new: NewMirror) -> None:
        if book.clock() < book.created + self._settle_s:  # the text was seen, the status is our choice
            raise ApiError(404, f"Unable to resolve cluster link information for {book.link.name}")
        if book.configs.mode == SOURCE:
            raise ApiError(400, f"Cluster link '{book.link.name}' is the source's side: mirrors are made at the other")
        if new.mirror_topic_name not in (None, mirror):
            raise ApiError(400, "Topic renaming for mirroring not yet supported", 40035)
        if new.replication_factor not in (None, REPLICATION_FACTOR):
            raise ApiError(400, "Topic replication factor must be 3", 40002)
        if self._cluster.topic(mirror) is not None:
            raise ApiError(400, f"Topic '{mirror}' already exists.", 40002)

    def _source_topic(self, source: Source, name: str) -> SourceTopic:
        try:
            topics = source.topics()
        except SourceUnreachable:
            raise ApiError(408, "The server received the request, but the operation timed out") from None
        if topics is None:  # a source that nobody knows has every topic
            return SourceTopic(self._default_partitions, False)
        if name not in topics:
            raise ApiError(404, "This server does not host this topic-partition.", 40403)
        return topics[name]
