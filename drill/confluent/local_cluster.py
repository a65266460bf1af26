"""What the REST API reads of its own cluster over the Kafka protocol: topics, log ends, committed offsets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from confluent_kafka.admin import AdminClient, TopicMetadata  # type: ignore[attr-defined]

from drill.confluent.offset_sync import committed
from drill.confluent.replication import Spot, end_offsets


@dataclass(frozen=True)
class Topic:
    """A topic of the cluster."""

    name: str
    partitions: int
    replication_factor: int


@dataclass(frozen=True)
class GroupLag:
    """A group's committed offset in a partition, beside its log end. The lag is negative if the offset is beyond it."""

    spot: Spot
    current_offset: int
    log_end_offset: int


class LocalCluster:
    """Blocking reads. May be used by several threads.

    Every method raises `KafkaException` if the cluster does not answer.
    """

    def __init__(self, admin: AdminClient, timeout_s: float = 3.0) -> None:
        self._admin = admin
        self._timeout_s = timeout_s

    def topics(self) -> list[Topic]:
        """Every topic, by name."""
        found = self._admin.list_topics(timeout=self._timeout_s).topics
        return [_topic(name, metadata) for name, metadata in sorted(found.items())]

    def group_lags(self, group: str) -> list[GroupLag]:
        """A row for every partition the group has committed an offset for, active or not."""
        spots = [Spot(topic.name, number) for topic in self.topics() for number in range(topic.partitions)]
        offsets = committed(self._admin, group, spots, self._timeout_s)
        ends = end_offsets(self._admin, list(offsets), self._timeout_s, lambda: False)
        return [GroupLag(spot, offset, ends[spot]) for spot, offset in sorted(offsets.items()) if spot in ends]

    def known_groups(self, names: Iterable[str]) -> list[str]:
        """Those of `names` that have committed offsets: librdkafka's mock cluster can't list its groups."""
        return [name for name in names if self.group_lags(name)]


def _topic(name: str, metadata: TopicMetadata) -> Topic:
    replicas = max((len(partition.replicas) for partition in metadata.partitions.values()), default=1)
    return Topic(name, len(metadata.partitions), replicas)
