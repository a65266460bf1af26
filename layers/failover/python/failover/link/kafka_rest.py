"""Cluster Linking through Confluent's Kafka REST v3 (spec: ccloud-sdk-go-v2 kafkarest/v3; operationIds are named)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

import httpx

from failover.aws.secrets import Secret
from failover.errors import LinkNotFound, LinkRejected
from failover.link import (
    NO_CODE,
    Acl,
    Group,
    GroupOffset,
    LinkFacts,
    Mirror,
    Rejection,
    Topic,
    Truncation,
)
from failover.link.error_mapping import Call
from failover.link.http import KafkaRestHttp
from failover.link.schemas import (
    AclRow,
    AlteredRow,
    Cluster,
    ConfigRow,
    GroupLagRow,
    GroupRow,
    LinkRow,
    MirrorRow,
    TopicRow,
)

PROBE_S: Final = 2.5
"""Seconds after which a cluster that says nothing counts as one that does not answer; less than a look takes."""
_IGNORED: Final = "link.prefix"
"""A key that the API takes and ignores (seen by confluentinc/kcp); the real one is fixed when the link is made."""
_NOT_SUPPORTED: Final = 40035
"""The spec's code for an API that the underlying cluster does not support."""


class KafkaRestCluster:
    """A `ClusterRest` over HTTP."""

    def __init__(self, endpoint: str, cluster_id: str, secret: Secret | None) -> None:
        self.calls = KafkaRestHttp(endpoint, cluster_id, secret)

    def answers(self) -> str:
        """The id of the cluster that answers (getKafkaCluster)."""
        return self.calls.get_one(self._call("GET", "", within_s=PROBE_S), Cluster).cluster_id

    async def look(self, client: httpx.AsyncClient) -> str:
        """As `answers`, on an event loop."""
        return (await self.calls.look(client, self._call("GET", "", within_s=PROBE_S), Cluster)).cluster_id

    def topics(self) -> list[Topic]:
        """Every topic (listKafkaTopics)."""
        return [row.read() for row in self.calls.get_list(self._call("GET", "/topics"), TopicRow)]

    def delete_topic(self, topic: str) -> None:
        """Delete a topic (deleteKafkaTopic); accepted is not done."""
        self.calls.send(self._call("DELETE", f"/topics/{_in_path(topic)}", topics=(topic,), changes=True))

    def groups(self) -> list[Group]:
        """Every consumer group (listKafkaConsumerGroups)."""
        return [row.read() for row in self.calls.get_list(self._call("GET", "/consumer-groups"), GroupRow)]

    def group_offsets(self, group: str) -> list[GroupOffset] | None:
        """Committed offsets and log ends (listKafkaConsumerLags; Dedicated clusters only)."""
        try:
            rows = self.calls.get_list(self._call("GET", f"/consumer-groups/{_in_path(group)}/lags"), GroupLagRow)
        except LinkNotFound:
            return None
        except LinkRejected as error:
            if error.code == _NOT_SUPPORTED:
                return None
            raise
        return [offset for row in rows if (offset := row.read())]

    def acls(self) -> frozenset[Acl]:
        """Every ACL binding (getKafkaAcls)."""
        return frozenset(row.read() for row in self.calls.get_list(self._call("GET", "/acls"), AclRow))

    def links(self) -> list[LinkFacts]:
        """Every link (listKafkaLinks) but those without a name, which are left of links that their source deleted."""
        return [row.read() for row in self.calls.get_list(self._call("GET", "/links"), LinkRow) if row.link_name]

    def create_link(
        self,
        name: str,
        remote_cluster_id: str,
        configs: Mapping[str, str],
        *,
        link_id: str | None = None,
        validate_only: bool = False,
    ) -> None:
        """createKafkaLink, with the remote side checked; no error repeats a value of `configs`."""
        _refuse_ignored(configs, self.calls.cluster_id, name)
        body = {
            "remote_cluster_id": remote_cluster_id,
            "configs": [{"name": key, "value": value} for key, value in configs.items()],
            **({"cluster_link_id": link_id} if link_id else {}),
        }
        call = self._call("POST", "/links", body=body, link=name, changes=not validate_only)
        query = {"link_name": name, "validate_only": _flag(validate_only)}
        self.calls.send(replace(call, query=query, secrets=tuple(configs.values())))

    def _call(self, method: str, path: str, **more: Any) -> Call:
        return Call(method=method, cluster=self.calls.cluster_id, path=path, **more)


class KafkaRestLink:
    """A `MirrorLink` over HTTP, on the connections of its cluster."""

    def __init__(self, cluster: KafkaRestCluster, name: str) -> None:
        self.name = name
        self._calls = cluster.calls

    def facts(self) -> LinkFacts:
        """State, error and tasks (getKafkaLink)."""
        row = self._calls.get_one(self._call("GET", query={"include_tasks": "true"}), LinkRow)
        return replace(row.read(), name=self.name)

    def configs(self) -> dict[str, str | None]:
        """The configuration (listKafkaLinkConfigs)."""
        return {row.name: row.value for row in self._calls.get_list(self._call("GET", "/configs"), ConfigRow)}

    def set_config(self, name: str, value: str) -> None:
        """updateKafkaLinkConfig: by itself, since some clusters answer configs:alter with 405."""
        _refuse_ignored((name,), self._calls.cluster_id, self.name)
        call = self._call("PUT", f"/configs/{_in_path(name)}", body={"value": value}, secrets=(value,), changes=True)
        self._calls.send(call)

    def unset_config(self, name: str) -> None:
        """deleteKafkaLinkConfig: back to its default."""
        self._calls.send(self._call("DELETE", f"/configs/{_in_path(name)}", changes=True))

    def mirrors(self, status: str | None = None) -> list[Mirror]:
        """Every mirror (listKafkaMirrorTopicsUnderLink), also those that were STOPPED; or those in one state."""
        query = {"mirror_status": status} if status else {}
        return [row.read() for row in self._calls.get_list(self._call("GET", "/mirrors", query=query), MirrorRow)]

    def mirror(self, topic: str) -> Mirror:
        """One mirror and what keeps it from its next state (readKafkaMirrorTopic)."""
        query = {"include_state_transition_errors": "true"}
        call = self._call("GET", f"/mirrors/{_in_path(topic)}", query=query, topics=(topic,))
        return self._calls.get_one(call, MirrorRow).read()

    def create_mirror(self, topic: str) -> None:
        """createKafkaMirrorTopic, of the source's name and replication as the cluster chooses."""
        self._calls.send(
            self._call("POST", "/mirrors", body={"source_topic_name": topic}, topics=(topic,), changes=True)
        )

    def fail_over(self, topics: Sequence[str], *, validate_only: bool = False) -> list[Rejection]:
        """updateKafkaMirrorTopicsFailover."""
        return self._rejected("failover", topics, validate_only)

    def promote(self, topics: Sequence[str], *, validate_only: bool = False) -> list[Rejection]:
        """updateKafkaMirrorTopicsPromote."""
        return self._rejected("promote", topics, validate_only)

    def pause(self, topics: Sequence[str], *, validate_only: bool = False) -> list[Rejection]:
        """updateKafkaMirrorTopicsPause."""
        return self._rejected("pause", topics, validate_only)

    def resume(self, topics: Sequence[str], *, validate_only: bool = False) -> list[Rejection]:
        """updateKafkaMirrorTopicsResume."""
        return self._rejected("resume", topics, validate_only)

    def reverse_and_start(self, topics: Sequence[str], *, validate_only: bool = False) -> list[Rejection]:
        """updateKafkaMirrorTopicsReverseAndStartMirror."""
        return self._rejected("reverse-and-start-mirror", topics, validate_only)

    def reverse_and_pause(self, topics: Sequence[str], *, validate_only: bool = False) -> list[Rejection]:
        """updateKafkaMirrorTopicsReverseAndPauseMirror."""
        return self._rejected("reverse-and-pause-mirror", topics, validate_only)

    def truncate_and_restore(self, topics: Sequence[str], *, validate_only: bool = False) -> list[Truncation]:
        """updateKafkaMirrorTopicsTruncateAndRestoreMirror, with where each partition is cut."""
        query = {"include_partition_level_truncation_data": "true"}
        rows = [row.truncation() for row in self._altered("truncate-and-restore", topics, validate_only, query)]
        answered = {row.topic for row in rows}
        return rows + [
            Truncation(topic=topic, messages=None, partitions=(), rejection=_no_row(topic))
            for topic in topics
            if topic not in answered
        ]

    def _rejected(self, verb: str, topics: Sequence[str], validate_only: bool) -> list[Rejection]:
        """A topic without a row of its own is not known to be accepted."""
        rows = self._altered(verb, topics, validate_only, {})
        answered = {row.mirror_topic_name for row in rows}
        rejected = [rejection for row in rows if (rejection := row.rejection())]
        return rejected + [_no_row(topic) for topic in topics if topic not in answered]

    def _altered(
        self, verb: str, topics: Sequence[str], validate_only: bool, query: Mapping[str, str]
    ) -> list[AlteredRow]:
        """A verb on mirrors, by explicit names, never a pattern: a pattern hits topics that nobody listed."""
        call = self._call("POST", f"/mirrors:{verb}", topics=tuple(topics), changes=not validate_only)
        body = {"mirror_topic_names": list(topics)}
        query = {**query, "validate_only": _flag(validate_only)}
        return self._calls.post_verb(replace(call, body=body, query=query), AlteredRow)

    def _call(self, method: str, path: str = "", **more: Any) -> Call:
        return Call(
            method=method,
            cluster=self._calls.cluster_id,
            path=f"/links/{_in_path(self.name)}{path}",
            link=self.name,
            **more,
        )


def _refuse_ignored(keys: Iterable[str], cluster: str, link: str) -> None:
    if _IGNORED in keys:
        raise LinkRejected(
            f"link {link} of cluster {cluster}: {_IGNORED} is taken and ignored; the key is cluster.{_IGNORED}, and it"
            " is fixed when the link is made",
            cluster=cluster,
            link=link,
        )


def _no_row(topic: str) -> Rejection:
    return Rejection(topic, NO_CODE, "the answer has no row for it")


def _flag(value: bool) -> str:
    return str(value).lower()


def _in_path(name: str) -> str:
    return quote(name, safe="")
