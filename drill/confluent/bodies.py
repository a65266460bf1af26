"""The JSON bodies of the Kafka REST v3 API, in two shapes.

`recorded`: as real clusters answered (recordings of January 2024): verbs answer kind KafkaAlterMirrorsDataList and
leave out the truncation fields that the spec marks required; `resource_name` is left out too.
`spec`: as the OpenAPI document says.
In both, the partitions of a mirror come in any order.
"""

from __future__ import annotations

import base64
import random
import uuid
from collections.abc import Iterable
from typing import Any, Literal

from drill.confluent.link_configs import ACL_SYNC, AUTO_CREATE, DEFAULTS, READ_ONLY, SENSITIVE, LinkConfigs
from drill.confluent.local_cluster import GroupLag, Topic
from drill.confluent.mirrors import NO_ERROR, Link, LinkState, Mirror, Row, TransitionError

Wire = Literal["recorded", "spec"]
Body = dict[str, Any]


class Bodies:
    """Bodies of one cluster's API; `base` is the URL of the server."""

    def __init__(self, base: str, cluster_id: str, remote_cluster_id: str | None, wire: Wire) -> None:
        self._root = f"{base}/kafka/v3/clusters/{cluster_id}"
        self._crn = f"crn:///kafka={cluster_id}"
        self._cluster_id = cluster_id
        self._remote = remote_cluster_id
        self._spec = wire == "spec"

    def cluster(self) -> Body:
        """GET /kafka/v3/clusters/{id}"""
        related = {
            "controller": "brokers/1",
            "acls": "acls",
            "brokers": "brokers",
            "broker_configs": "broker-configs",
            "consumer_groups": "consumer-groups",
            "topics": "topics",
            "partition_reassignments": "topics/-/partitions/-/reassignment",
        }
        return {
            "kind": "KafkaCluster",
            "metadata": {"self": self._root, "resource_name": self._crn},
            "cluster_id": self._cluster_id,
            **{name: {"related": f"{self._root}/{path}"} for name, path in related.items()},
        }

    def links(self, rows: Iterable[Body], unmanaged_row: bool) -> Body:
        """GET /links. An `unmanaged_row` has no name: what is left of a source-initiated link that was deleted."""
        data = list(rows)
        if unmanaged_row:
            data.append({**self._link_row("", [], "FAILED"), "link_error": "UNKNOWN", "link_error_message": ""})
        return self._list("KafkaLinkDataList", "links", data)

    def link(
        self, link: Link, configs: LinkConfigs, now: float, task_errors: tuple[TransitionError, ...] | None
    ) -> Body:
        """One link; with its tasks if `task_errors` (those of ConsumerOffsetSync) is given."""
        state = link.state(now)
        body = self._link_row(link.name, sorted(link.mirrors), state)
        lost = state is LinkState.UNAVAILABLE
        body["link_error"] = "TIMEOUT_ERROR" if lost else NO_ERROR
        body["link_error_message"] = "The remote cluster can't be reached." if lost else ""
        if task_errors is not None:
            body["tasks"] = _tasks(state, configs, task_errors)
        return body

    def _link_row(self, name: str, topics: list[str], state: str) -> Body:
        identity = uuid.uuid5(uuid.NAMESPACE_URL, f"{self._cluster_id}/{name}")
        return {
            "kind": "KafkaLinkData",
            "metadata": self._metadata(f"links/{name}", None),
            "source_cluster_id": self._remote,
            "destination_cluster_id": None,
            "remote_cluster_id": self._remote,
            "link_name": name,
            "link_id": str(identity),
            "cluster_link_id": base64.urlsafe_b64encode(identity.bytes).decode().rstrip("="),
            "topic_names": topics,
            "link_state": str(state),
        }

    def mirrors(self, link: str, mirrors: Iterable[Mirror], under: str | None = None) -> Body:
        """GET /links/{link}/mirrors, and /links/-/mirrors as `under` "-"."""
        rows = [self.mirror(link, mirror) for mirror in mirrors]
        return self._list("KafkaMirrorDataList", f"links/{under or link}/mirrors", rows)

    def mirror(self, link: str, mirror: Mirror, *, with_errors: bool = False) -> Body:
        """One mirror topic."""
        body: Body = {
            "kind": "KafkaMirrorData",
            "metadata": self._metadata(f"links/{link}/mirrors/{mirror.topic}", self._crn),
            "link_name": link,
            "mirror_topic_name": mirror.topic,
            "source_topic_name": mirror.topic,
            "num_partitions": len(mirror.partitions),
            "mirror_lags": _lags(mirror),
            "mirror_status": str(mirror.status),
            "mirror_topic_error": mirror.error,
            "state_time_ms": int(mirror.since * 1000),
        }
        if with_errors:
            body["mirror_state_transition_errors"] = _errors(mirror.stopping.errors if mirror.stopping else ())
        return body

    def altered(self, link: str, rows: Iterable[Row]) -> Body:
        """What a verb answers: HTTP 200, whatever became of each row."""
        kind = "KafkaPromoteMirror" if self._spec else "KafkaAlterMirrorsDataList"
        return self._list(kind, f"links/{link}/mirrors", [self._altered_row(link, row) for row in rows])

    def _altered_row(self, link: str, row: Row) -> Body:
        body: Body = {
            "kind": "AlterMirrorsData",
            "metadata": self._metadata(f"links/{link}/mirrors/{row.topic}", self._crn),
            "mirror_topic_name": row.topic,
            "error_code": row.code,
            "error_message": row.message,
            "mirror_lags": _lags(row.mirror) if row.mirror else [],
        }
        if self._spec:
            body |= {"messages_truncated": None, "partition_level_truncation_data": []}
        return body

    def configs(self, link: str, configs: LinkConfigs) -> Body:
        """GET /links/{link}/configs"""
        rows = [self.config(link, configs, name) for name in DEFAULTS]
        return self._list("KafkaLinkConfigDataList", f"links/{link}/configs", rows)

    def config(self, link: str, configs: LinkConfigs, name: str) -> Body:
        """One link configuration; a sensitive one shows no value (null on the wire, where the spec wants a string)."""
        value: str | None = configs.value(name)
        if name in SENSITIVE:
            value = "" if self._spec else None
        return {
            "kind": "KafkaLinkConfigData",
            "metadata": self._metadata(f"links/{link}/configs/{name}", None),
            "cluster_id": self._cluster_id,
            "name": name,
            "value": value,
            "is_default": name not in configs.values,
            "is_read_only": name in READ_ONLY,
            "is_sensitive": name in SENSITIVE,
            "source": "DYNAMIC_CLUSTER_LINK_CONFIG" if name in configs.values else "DEFAULT_CONFIG",
            "synonyms": [],
            "link_name": link,
        }

    def topics(self, topics: Iterable[Topic]) -> Body:
        """GET /topics"""
        return self._list("KafkaTopicList", "topics", [self._topic(topic) for topic in topics])

    def _topic(self, topic: Topic) -> Body:
        path = f"{self._root}/topics/{topic.name}"
        return {
            "kind": "KafkaTopic",
            "metadata": self._metadata(f"topics/{topic.name}", f"{self._crn}/topic={topic.name}"),
            "cluster_id": self._cluster_id,
            "topic_name": topic.name,
            "is_internal": topic.name.startswith("__"),
            "replication_factor": topic.replication_factor,
            "partitions_count": topic.partitions,
            "partitions": {"related": f"{path}/partitions"},
            "configs": {"related": f"{path}/configs"},
            "partition_reassignments": {"related": f"{path}/partitions/-/reassignments"},
        }

    def groups(self, groups: Iterable[str]) -> Body:
        """GET /consumer-groups"""
        return self._list("KafkaConsumerGroupList", "consumer-groups", [self._group(group) for group in groups])

    def _group(self, group: str) -> Body:
        path = f"{self._root}/consumer-groups/{group}"
        return {
            "kind": "KafkaConsumerGroup",
            "metadata": self._metadata(f"consumer-groups/{group}", f"{self._crn}/consumer-group={group}"),
            "cluster_id": self._cluster_id,
            "consumer_group_id": group,
            "is_simple": True,
            "partition_assignor": "",
            "state": "UNKNOWN",
            "type": "UNKNOWN",
            "is_mixed_consumer_group": False,
            "coordinator": {"related": f"{self._root}/brokers/1"},
            "consumers": {"related": f"{path}/consumers"},
            "lag_summary": {"related": f"{path}/lag-summary"},
        }

    def group_lags(self, group: str, lags: Iterable[GroupLag]) -> Body:
        """GET /consumer-groups/{group}/lags"""
        rows = [self._group_lag(group, lag) for lag in lags]
        return self._list("KafkaConsumerLagList", f"consumer-groups/{group}/lags", rows)

    def _group_lag(self, group: str, lag: GroupLag) -> Body:
        topic, partition = lag.spot
        path = f"consumer-groups/{group}/lags/{topic}/partitions/{partition}"
        crn = f"{self._crn}/consumer-group={group}/lag={topic}/partition={partition}"
        return {
            "kind": "KafkaConsumerLag",
            "metadata": self._metadata(path, crn),
            "cluster_id": self._cluster_id,
            "consumer_group_id": group,
            "topic_name": topic,
            "partition_id": partition,
            "current_offset": lag.current_offset,
            "log_end_offset": lag.log_end_offset,
            "lag": lag.log_end_offset - lag.current_offset,
            "consumer_id": "",
            "instance_id": None,
            "client_id": "",
        }

    def _metadata(self, path: str, resource_name: str | None) -> Body:
        metadata: Body = {"self": f"{self._root}/{path}"}
        return {**metadata, "resource_name": resource_name} if self._spec else metadata

    def _list(self, kind: str, path: str, data: list[Body]) -> Body:
        return {"kind": kind, "metadata": {"self": f"{self._root}/{path}", "next": None}, "data": data}


def _lags(mirror: Mirror) -> list[Body]:
    rows = [
        {"partition": number, "lag": p.lag, "last_source_fetch_offset": p.last_source_fetch_offset}
        for number, p in enumerate(mirror.partitions)
    ]
    random.shuffle(rows)
    return rows


def _errors(errors: Iterable[TransitionError]) -> list[Body]:
    return [{"error_code": error.code, "error_message": error.message} for error in errors]


def _tasks(state: LinkState, configs: LinkConfigs, offset_errors: tuple[TransitionError, ...]) -> list[Body]:
    configured = {
        "AclSync": configs.flag(ACL_SYNC),
        "AutoCreateMirror": configs.flag(AUTO_CREATE),
        "ConsumerOffsetSync": configs.offset_sync_configured(),
        "TopicConfigsSync": True,
    }
    errors = {"ConsumerOffsetSync": offset_errors}
    return [
        {
            "task_name": task,
            "state": _task_state(state, on, bool(errors.get(task))),
            "errors": _errors(errors.get(task, ()) if on else ()),
        }
        for task, on in configured.items()
    ]


def _task_state(state: LinkState, configured: bool, failing: bool) -> str:
    if not configured:
        return "NOT_CONFIGURED"
    match state:
        case LinkState.PAUSED:
            return "LINK_PAUSED"
        case LinkState.UNAVAILABLE:
            return "LINK_UNAVAILABLE"
        case LinkState.ACTIVE:
            return "IN_ERROR" if failing else "ACTIVE"
