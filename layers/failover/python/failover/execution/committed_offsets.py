"""What a consumer group has committed at a site: over REST where the cluster tells it there, else over Kafka; and how
the controller commits for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from failover.errors import FailoverError, KafkaUnauthorized, LinkRejected, LinkUnavailable
from failover.kafka.factory import as_controller
from failover.kafka.offsets import Commit, Offsets, Spot, commit, committed
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


def commit_offsets(plan: Plan, site: str, group: str, offsets: Mapping[Spot, int]) -> Commit:
    """Commit for a group as the controller, and say what became of it."""
    try:
        return as_controller(plan, site, lambda settings: commit(settings, group, offsets))
    except KafkaUnauthorized as error:
        return Commit(refused=f"group {group}: {error}")
    except FailoverError as error:
        return Commit(retry=f"group {group}: {error}")
