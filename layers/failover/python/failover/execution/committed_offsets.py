"""What a consumer group has committed at a site: over REST where the cluster tells it there, else over Kafka."""

from __future__ import annotations

from collections.abc import Collection

from failover.errors import LinkRejected, LinkUnavailable
from failover.kafka.factory import as_controller
from failover.kafka.offsets import Offsets, Spot, committed
from failover.link.factory import cluster_at
from failover.plan.model import Plan


def committed_offsets(plan: Plan, site: str, group: str, spots: Collection[Spot]) -> Offsets:
    """The group's committed offsets; only Dedicated clusters tell them over REST. Nothing is committed where the
    cluster tells a negative one.

    Raises:
        KafkaUnauthorized, KafkaUnavailable, CredentialsMissing, ServiceUnavailable
    """
    try:
        rows = cluster_at(plan, site).group_offsets(group)
    except (LinkUnavailable, LinkRejected):
        rows = None
    if rows is None:
        return as_controller(plan, site, lambda settings: committed(settings, group, spots))
    return Offsets({(row.topic, row.partition): row.committed for row in rows if row.committed >= 0})
