"""The JSON bodies of a cluster, its topics, its consumer groups and its ACLs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import urlencode

from drill.confluent.acls import Acl
from drill.confluent.local_cluster import Group, GroupLag, Topic
from drill.confluent.shapes import Body, Shape
from drill.confluent.topic_configs import DEFAULTS, READ_ONLY


def cluster(shape: Shape) -> Body:
    """getKafkaCluster"""
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
        "metadata": {"self": shape.root, "resource_name": shape.crn},
        "cluster_id": shape.cluster_id,
        **{name: shape.related(path) for name, path in related.items()},
    }


def topics(shape: Shape, listed: Iterable[Topic]) -> Body:
    """listKafkaTopics"""
    return shape.collection("KafkaTopicList", "topics", [topic(shape, row) for row in listed])


def topic(shape: Shape, described: Topic) -> Body:
    """getKafkaTopic"""
    path = f"topics/{described.name}"
    return {
        "kind": "KafkaTopic",
        "metadata": shape.metadata(path, f"{shape.crn}/topic={described.name}"),
        "cluster_id": shape.cluster_id,
        "topic_name": described.name,
        "is_internal": described.is_internal,
        "replication_factor": described.replication_factor,
        "partitions_count": described.partitions,
        "partitions": shape.related(f"{path}/partitions"),
        "configs": shape.related(f"{path}/configs"),
        "partition_reassignments": shape.related(f"{path}/partitions/-/reassignments"),
    }


def topic_configs(shape: Shape, name: str, changed: Mapping[str, str]) -> Body:
    """listKafkaTopicConfigs"""
    rows = [_topic_config(shape, name, changed, config) for config in DEFAULTS]
    return shape.collection("KafkaTopicConfigList", f"topics/{name}/configs", rows)


def _topic_config(shape: Shape, name: str, changed: Mapping[str, str], config: str) -> Body:
    value = changed.get(config, DEFAULTS[config])
    source = "DYNAMIC_TOPIC_CONFIG" if config in changed else "DEFAULT_CONFIG"
    return {
        "kind": "KafkaTopicConfig",
        "metadata": shape.metadata(f"topics/{name}/configs/{config}", f"{shape.crn}/topic={name}/config={config}"),
        "cluster_id": shape.cluster_id,
        "topic_name": name,
        "name": config,
        "value": value,
        "is_default": config not in changed,
        "is_read_only": config in READ_ONLY,
        "is_sensitive": False,
        "source": source,
        "synonyms": [{"name": config, "value": value, "source": source}],
    }


def groups(shape: Shape, listed: Iterable[Group]) -> Body:
    """listKafkaConsumerGroups"""
    return shape.collection("KafkaConsumerGroupList", "consumer-groups", [_group(shape, row) for row in listed])


def _group(shape: Shape, group: Group) -> Body:
    path = f"consumer-groups/{group.name}"
    return {
        "kind": "KafkaConsumerGroup",
        "metadata": shape.metadata(path, f"{shape.crn}/consumer-group={group.name}"),
        "cluster_id": shape.cluster_id,
        "consumer_group_id": group.name,
        "is_simple": group.state != "STABLE",
        "partition_assignor": "",
        "state": group.state,
        "type": "CLASSIC",
        "is_mixed_consumer_group": False,
        "coordinator": shape.related("brokers/1"),
        "consumers": shape.related(f"{path}/consumers"),
        "lag_summary": shape.related(f"{path}/lag-summary"),
    }


def group_lags(shape: Shape, group: str, lags: Iterable[GroupLag]) -> Body:
    """listKafkaConsumerLags"""
    rows = [_group_lag(shape, group, lag) for lag in lags]
    return shape.collection("KafkaConsumerLagList", f"consumer-groups/{group}/lags", rows)


def _group_lag(shape: Shape, group: str, lag: GroupLag) -> Body:
    topic, partition = lag.spot
    path = f"consumer-groups/{group}/lags/{topic}/partitions/{partition}"
    crn = f"{shape.crn}/consumer-group={group}/lag={topic}/partition={partition}"
    return {
        "kind": "KafkaConsumerLag",
        "metadata": shape.metadata(path, crn),
        "cluster_id": shape.cluster_id,
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


def acls(shape: Shape, listed: Iterable[Acl]) -> Body:
    """getKafkaAcls"""
    return shape.collection("KafkaAclList", "acls", [_acl(shape, row) for row in listed])


def deleted_acls(shape: Shape, deleted: Iterable[Acl]) -> Body:
    """deleteKafkaAcls: the rows alone, without a frame."""
    return {"data": [_acl(shape, row) for row in deleted]}


def _acl(shape: Shape, acl: Acl) -> Body:
    fields = acl.model_dump()
    path = f"acls?{urlencode(fields, safe='*')}"
    return {
        "kind": "KafkaAcl",
        "metadata": shape.metadata(path, None),
        "cluster_id": shape.cluster_id,
        **fields,
    }
