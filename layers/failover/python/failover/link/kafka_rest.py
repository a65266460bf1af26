"""Cluster Linking through Confluent's Kafka REST v3 (spec: ccloud-sdk-go-v2 kafkarest/v3; operationIds are named)."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

import httpx

from failover.credentials import Credentials
from failover.errors import LinkNotFound
from failover.link import (
    Acl,
    Group,
    GroupOffset,
    LinkFacts,
    Mirror,
    Rejection,
    Topic,
    Truncation,
)
from failover.link.bodies import (
    AclRows,
    AlteredRow,
    AlteredRows,
    Cluster,
    ConfigRows,
    GroupLagRows,
    GroupRows,
    LinkRow,
    MirrorRow,
    MirrorRows,
    TopicRows,
)
from failover.link.calls import RestCalls


class KafkaRestCluster:
    """A `ClusterRest` over HTTP."""

    def __init__(
        self, endpoint: str, cluster_id: str, credentials: Credentials | None, client: httpx.Client | None = None
    ) -> None:
        self.calls = RestCalls(endpoint, cluster_id, credentials, client)

    def answers(self) -> str:
        """The id of the cluster that answers (getKafkaCluster)."""
        return self.calls.get("", Cluster).cluster_id

    def topics(self) -> list[Topic]:
        """Every topic (listKafkaTopics)."""
        return [row.read() for row in self.calls.get("/topics", TopicRows).data]

    def groups(self) -> list[Group]:
        """Every consumer group (listKafkaConsumerGroups)."""
        return [row.read() for row in self.calls.get("/consumer-groups", GroupRows).data]

    def group_offsets(self, group: str) -> list[GroupOffset] | None:
        """Committed offsets and log ends (listKafkaConsumerLags; Dedicated clusters only, 404 elsewhere)."""
        try:
            rows = self.calls.get(f"/consumer-groups/{quote(group, safe='')}/lags", GroupLagRows).data
        except LinkNotFound:
            return None
        return [row.read() for row in rows]

    def acls(self) -> frozenset[Acl]:
        """Every ACL binding (getKafkaAcls)."""
        return frozenset(row.read() for row in self.calls.get("/acls", AclRows).data)


class KafkaRestLink:
    """A `MirrorLink` over HTTP, on the connections of its cluster."""

    def __init__(self, cluster: KafkaRestCluster, name: str) -> None:
        self.name = name
        self._calls = cluster.calls
        self._path = f"/links/{quote(name, safe='')}"

    def facts(self) -> LinkFacts:
        """State, error and tasks (getKafkaLink)."""
        return self._calls.get(self._path, LinkRow, {"include_tasks": "true"}).read()

    def configs(self) -> dict[str, str | None]:
        """The configuration (listKafkaLinkConfigs)."""
        return {row.name: row.value for row in self._calls.get(f"{self._path}/configs", ConfigRows).data}

    def mirrors(self) -> list[Mirror]:
        """Every mirror (listKafkaMirrorTopicsUnderLink), also those that were STOPPED; the wire does not page."""
        return [row.read() for row in self._calls.get(f"{self._path}/mirrors", MirrorRows).data]

    def mirror(self, topic: str) -> Mirror:
        """One mirror and what keeps it from its next state (readKafkaMirrorTopic)."""
        path = f"{self._path}/mirrors/{quote(topic, safe='')}"
        return self._calls.get(path, MirrorRow, {"include_state_transition_errors": "true"}).read()

    def fail_over(self, topics: Sequence[str], *, validate_only: bool = False) -> list[Rejection]:
        """updateKafkaMirrorTopicsFailover."""
        return _rejections(self._alter("failover", topics, validate_only))

    def promote(self, topics: Sequence[str], *, validate_only: bool = False) -> list[Rejection]:
        """updateKafkaMirrorTopicsPromote."""
        return _rejections(self._alter("promote", topics, validate_only))

    def reverse_and_start(self, topics: Sequence[str], *, validate_only: bool = False) -> list[Rejection]:
        """updateKafkaMirrorTopicsReverseAndStartMirror."""
        return _rejections(self._alter("reverse-and-start-mirror", topics, validate_only))

    def truncate_and_restore(self, topics: Sequence[str], *, validate_only: bool = False) -> list[Truncation]:
        """updateKafkaMirrorTopicsTruncateAndRestoreMirror, with where each partition is cut."""
        rows = self._alter(
            "truncate-and-restore", topics, validate_only, include_partition_level_truncation_data="true"
        )
        return [row.truncation() for row in rows]

    def _alter(self, verb: str, topics: Sequence[str], validate_only: bool, **query: str) -> list[AlteredRow]:
        """A verb on mirrors, by explicit names, never a pattern: a pattern hits topics that nobody listed."""
        query["validate_only"] = str(validate_only).lower()
        return self._calls.post(
            f"{self._path}/mirrors:{verb}", AlteredRows, query, {"mirror_topic_names": list(topics)}
        ).data


def _rejections(rows: Sequence[AlteredRow]) -> list[Rejection]:
    return [rejection for row in rows if (rejection := row.rejection())]
