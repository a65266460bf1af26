"""The links and clusters of a plan, as its sites see them; one connection pool a site, as long as the container."""

from __future__ import annotations

from failover.aws.secrets import Secret
from failover.container import remembered
from failover.link import ClusterRest, MirrorLink
from failover.link.kafka_rest import KafkaRestCluster, KafkaRestLink
from failover.plan.model import Plan


def cluster_at(plan: Plan, site: str) -> ClusterRest:
    """A site's Kafka cluster over REST.

    Raises:
        UnknownSite
    """
    return _cluster_at(plan, site)


@remembered
def links_at(plan: Plan, site: str) -> tuple[MirrorLink, ...]:
    """The plan's cluster links at a site's cluster.

    Raises:
        UnknownSite
    """
    cluster = _cluster_at(plan, site)
    return tuple(KafkaRestLink(cluster, link.name) for link in plan.links)


@remembered
def _cluster_at(plan: Plan, site: str) -> KafkaRestCluster:
    kafka = plan.site(site).kafka
    return KafkaRestCluster(
        kafka.rest_endpoint, kafka.cluster_id, Secret(kafka.credentials, kafka.role) if kafka.credentials else None
    )
