"""What Confluent's Kafka REST v3 answers, as far as it is needed. Every field that the wire was seen to leave out, or
that only some versions have, is optional; enumerations are open (spec: `x-extensible-enum`)."""

from __future__ import annotations

from pydantic import BaseModel

from failover.link import (
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

_NO_ERROR = (None, "", "NO_ERROR")


class Cluster(BaseModel):
    """getKafkaCluster."""

    cluster_id: str


class CodedError(BaseModel):
    """A row of `errors` of a task or of a mirror's transition."""

    error_code: str | int | None = None
    error_message: str | None = None

    def said(self) -> str:
        return f"{self.error_code or ''} {self.error_message or ''}".strip()


class LagRow(BaseModel):
    """One partition's lag. Unknown is lag 0 with offset -1 on Confluent Cloud, -1 and -1 on Confluent Platform."""

    partition: int
    lag: int | None = None
    last_source_fetch_offset: int | None = None

    def read(self) -> PartitionLag:
        fetched_to = self.last_source_fetch_offset
        if fetched_to is None or fetched_to < 0 or self.lag is None or self.lag < 0:
            return PartitionLag(self.partition, None)
        return PartitionLag(self.partition, self.lag, fetched_to)


class MirrorRow(BaseModel):
    """A mirror topic. Partitions come in any order."""

    mirror_topic_name: str
    source_topic_name: str | None = None
    mirror_status: str = "UNKNOWN"
    mirror_topic_error: str | None = None
    mirror_lags: list[LagRow] | None = None
    state_time_ms: int | None = None
    mirror_state_transition_errors: list[CodedError] | None = None

    def read(self) -> Mirror:
        return Mirror(
            topic=self.mirror_topic_name,
            status=self.mirror_status,
            lags=tuple(sorted((row.read() for row in self.mirror_lags or ()), key=lambda lag: lag.partition)),
            error=None if self.mirror_topic_error in _NO_ERROR else self.mirror_topic_error,
            source_topic=self.source_topic_name,
            since=None if self.state_time_ms is None else self.state_time_ms / 1000,
            transition_errors=tuple(row.said() for row in self.mirror_state_transition_errors or ()),
        )


class MirrorRows(BaseModel):
    """listKafkaMirrorTopicsUnderLink."""

    data: list[MirrorRow]


class PartitionTruncation(BaseModel):
    """Where truncate-and-restore cuts one partition."""

    partition_id: int
    offset_truncated_to: int = -1
    messages_truncated: int = -1


class AlteredRow(BaseModel):
    """What a verb answers for one topic. The truncation fields are missing from recorded answers of 2024."""

    mirror_topic_name: str
    error_code: int | None = None
    error_message: str | None = None
    messages_truncated: int | None = None
    partition_level_truncation_data: list[PartitionTruncation] | None = None

    def rejection(self) -> Rejection | None:
        if not self.error_code:
            return None
        return Rejection(self.mirror_topic_name, self.error_code, self.error_message or "")

    def truncation(self) -> Truncation:
        rows = self.partition_level_truncation_data or ()
        return Truncation(
            self.mirror_topic_name,
            self.messages_truncated,
            tuple(sorted((row.partition_id, row.offset_truncated_to, row.messages_truncated) for row in rows)),
            self.rejection(),
        )


class AlteredRows(BaseModel):
    """What every verb answers: HTTP 200, also if it refused every topic."""

    data: list[AlteredRow]


class TaskRow(BaseModel):
    """A task of a link."""

    task_name: str
    state: str = "UNKNOWN"
    errors: list[CodedError] | None = None


class LinkRow(BaseModel):
    """A link. Older answers have no `link_state`."""

    link_name: str
    link_state: str | None = None
    link_error: str | None = None
    link_error_message: str | None = None
    remote_cluster_id: str | None = None
    source_cluster_id: str | None = None
    tasks: list[TaskRow] | None = None

    def read(self) -> LinkFacts:
        error = None
        if self.link_error not in _NO_ERROR:
            error = f"{self.link_error} {self.link_error_message or ''}".strip()
        tasks = tuple(
            Task(task.task_name, task.state, tuple(row.said() for row in task.errors or ()))
            for task in self.tasks or ()
        )
        return LinkFacts(
            self.link_name, self.link_state, error, self.remote_cluster_id or self.source_cluster_id, tasks
        )


class ConfigRow(BaseModel):
    """One configuration of a link; sensitive values read as null."""

    name: str
    value: str | None = None


class ConfigRows(BaseModel):
    """listKafkaLinkConfigs."""

    data: list[ConfigRow]


class TopicRow(BaseModel):
    """A topic."""

    topic_name: str
    partitions_count: int = 0
    is_internal: bool = False

    def read(self) -> Topic:
        return Topic(self.topic_name, self.partitions_count, self.is_internal)


class TopicRows(BaseModel):
    """listKafkaTopics."""

    data: list[TopicRow]


class GroupRow(BaseModel):
    """A consumer group."""

    consumer_group_id: str
    state: str = "UNKNOWN"

    def read(self) -> Group:
        return Group(self.consumer_group_id, self.state)


class GroupRows(BaseModel):
    """listKafkaConsumerGroups."""

    data: list[GroupRow]


class GroupLagRow(BaseModel):
    """A group's committed offset for one partition; the log end is that of READ_COMMITTED."""

    topic_name: str
    partition_id: int
    current_offset: int
    log_end_offset: int

    def read(self) -> GroupOffset:
        return GroupOffset(self.topic_name, self.partition_id, self.current_offset, self.log_end_offset)


class GroupLagRows(BaseModel):
    """listKafkaConsumerLags."""

    data: list[GroupLagRow]


class AclRow(BaseModel):
    """An ACL binding."""

    resource_type: str
    resource_name: str
    pattern_type: str
    principal: str
    host: str = "*"
    operation: str
    permission: str

    def read(self) -> Acl:
        return Acl(
            self.resource_type,
            self.resource_name,
            self.pattern_type,
            self.principal,
            self.host,
            self.operation,
            self.permission,
        )


class AclRows(BaseModel):
    """getKafkaAcls."""

    data: list[AclRow]
