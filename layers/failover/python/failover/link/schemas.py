"""What Confluent's Kafka REST v3 answers, as far as it is needed.

Every field that the wire was seen to leave out or to null, or that only some versions have, is optional; enumerations
are open (spec: `x-extensible-enum`). What a fact can't be without is not: a row without its name is no answer, since a
mirror that is left out would pass for one that is done. Plain dataclasses, which pydantic fills from JSON several times
faster than models, for lists of ten thousand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from failover.link import (
    NO_CODE,
    Acl,
    Group,
    GroupOffset,
    LinkFacts,
    Mirror,
    PartitionLag,
    Rejection,
    Task,
    Topic,
    Truncation,
)

UNKNOWN = "UNKNOWN"
_NO_ERROR = (None, "", "NO_ERROR", "NOT_SET")
_Count = Annotated[int, Field(ge=0, le=1_000_000)]
"""Of partitions; beyond any cluster, so that a wild number is an unreadable answer and not a full memory."""


@dataclass(slots=True)
class Cluster:
    """getKafkaCluster."""

    cluster_id: str


@dataclass(slots=True)
class CodedError:
    """A row of `errors` of a task or of a mirror's transition."""

    error_code: str | int | None = None
    error_message: str | None = None

    def text(self) -> str:
        return f"{self.error_code or ''} {self.error_message or ''}".strip()


@dataclass(slots=True)
class LagRow:
    """One partition's lag. Unknown is lag 0 with offset -1 on Confluent Cloud, -1 and -1 on Confluent Platform."""

    partition: int
    lag: int | None = None
    last_source_fetch_offset: int | None = None

    def read(self) -> PartitionLag:
        fetched_to = self.last_source_fetch_offset
        if fetched_to is None or fetched_to < 0 or self.lag is None or self.lag < 0:
            return PartitionLag(self.partition, None)
        return PartitionLag(self.partition, self.lag, fetched_to)


@dataclass(slots=True, kw_only=True)
class MirrorRow:
    """A mirror topic. Partitions come in any order."""

    mirror_topic_name: str
    source_topic_name: str | None = None
    mirror_status: str | None = None
    mirror_topic_error: str | None = None
    num_partitions: _Count | None = None
    mirror_lags: list[LagRow] | None = None
    mirror_state_transition_errors: list[CodedError] | None = None

    def read(self) -> Mirror:
        return Mirror(
            topic=self.mirror_topic_name,
            status=self.mirror_status or UNKNOWN,
            lags=self._lags(),
            error=None if self.mirror_topic_error in _NO_ERROR else self.mirror_topic_error,
            source_topic=self.source_topic_name,
            transition_errors=tuple(row.text() for row in self.mirror_state_transition_errors or ()),
        )

    def _lags(self) -> tuple[PartitionLag, ...]:
        """One of each partition, in order; a partition that no row speaks of is unknown, not without lag."""
        reported = {row.partition: row.read() for row in self.mirror_lags or ()}
        numbers = reported.keys() | range(self.num_partitions or 0)
        return tuple(reported.get(number, PartitionLag(number, None)) for number in sorted(numbers))


@dataclass(slots=True)
class PartitionTruncation:
    """Where truncate-and-restore cuts one partition."""

    partition_id: int
    offset_truncated_to: int | None = None
    messages_truncated: int | None = None

    def read(self) -> tuple[int, int, int]:
        offset, messages = self.offset_truncated_to, self.messages_truncated
        return self.partition_id, -1 if offset is None else offset, -1 if messages is None else messages


@dataclass(slots=True, kw_only=True)
class AlteredRow:
    """What a verb answers for one topic. The truncation fields are missing from recorded answers of 2024."""

    mirror_topic_name: str
    error_code: int | None = None
    error_message: str | None = None
    messages_truncated: int | None = None
    partition_level_truncation_data: list[PartitionTruncation] | None = None

    def rejection(self) -> Rejection | None:
        """None: accepted. Both fields are null then; one that is not is taken for a refusal."""
        if not self.error_code and not self.error_message:
            return None
        return Rejection(self.mirror_topic_name, self.error_code or NO_CODE, self.error_message or "")

    def truncation(self) -> Truncation:
        return Truncation(
            topic=self.mirror_topic_name,
            messages=self.messages_truncated,
            partitions=tuple(sorted(row.read() for row in self.partition_level_truncation_data or ())),
            rejection=self.rejection(),
        )


@dataclass(slots=True)
class TaskRow:
    """A task of a link."""

    task_name: str
    state: str | None = None
    errors: list[CodedError] | None = None

    def read(self) -> Task:
        return Task(self.task_name, self.state or UNKNOWN, tuple(row.text() for row in self.errors or ()))


@dataclass(slots=True, kw_only=True)
class LinkRow:
    """A link. Older answers have no `link_state`; what is left of a link that its source deleted has no name."""

    link_name: str | None = None
    cluster_link_id: str | None = None
    link_state: str | None = None
    link_error: str | None = None
    link_error_message: str | None = None
    remote_cluster_id: str | None = None
    source_cluster_id: str | None = None
    destination_cluster_id: str | None = None
    tasks: list[TaskRow] | None = None

    def read(self) -> LinkFacts:
        error = None
        if self.link_error not in _NO_ERROR:
            error = f"{self.link_error} {self.link_error_message or ''}".strip()
        return LinkFacts(
            name=self.link_name or "",
            state=self.link_state,
            error=error,
            remote_cluster_id=self.remote_cluster_id or self.source_cluster_id or self.destination_cluster_id,
            tasks=tuple(task.read() for task in self.tasks or ()),
            id=self.cluster_link_id,
        )


@dataclass(slots=True)
class ConfigRow:
    """One configuration of a link; sensitive values read as null."""

    name: str
    value: str | None = None


@dataclass(slots=True)
class TopicRow:
    """A topic."""

    topic_name: str
    partitions_count: _Count | None = None
    is_internal: bool | None = None

    def read(self) -> Topic:
        return Topic(self.topic_name, self.partitions_count or 0, bool(self.is_internal))


@dataclass(slots=True)
class GroupRow:
    """A consumer group."""

    consumer_group_id: str
    state: str | None = None

    def read(self) -> Group:
        return Group(self.consumer_group_id, self.state or UNKNOWN)


@dataclass(slots=True, kw_only=True)
class GroupLagRow:
    """A group's committed offset for one partition; the log end is that of READ_COMMITTED."""

    topic_name: str
    partition_id: int
    log_end_offset: int
    current_offset: int | None = None

    def read(self) -> GroupOffset | None:
        """None: nothing is committed there."""
        if self.current_offset is None or self.current_offset < 0:
            return None
        return GroupOffset(
            topic=self.topic_name,
            partition=self.partition_id,
            committed=self.current_offset,
            log_end=self.log_end_offset,
        )


@dataclass(slots=True, kw_only=True)
class AclRow:
    """An ACL binding."""

    resource_type: str
    resource_name: str
    pattern_type: str
    principal: str
    operation: str
    permission: str
    host: str | None = None

    def read(self) -> Acl:
        return Acl(
            resource_type=self.resource_type,
            resource_name=self.resource_name,
            pattern_type=self.pattern_type,
            principal=self.principal,
            host=self.host or "*",
            operation=self.operation,
            permission=self.permission,
        )
