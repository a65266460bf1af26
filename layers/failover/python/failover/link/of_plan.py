"""The link of a plan, as the site that holds its mirrors sees it."""

from __future__ import annotations

import functools

from failover.credentials import credentials
from failover.link import MirrorLink
from failover.link.kafka_rest import KafkaRestLink
from failover.plan import Plan


@functools.lru_cache(maxsize=128)
def link_at(plan: Plan, site: str) -> MirrorLink:
    """The plan's cluster link at a site's cluster; one connection pool, kept as long as the container.

    Raises:
        UnknownSite, CredentialsMissing, ServiceUnavailable
    """
    kafka = plan.site(site).kafka
    return KafkaRestLink(kafka.rest_endpoint, kafka.cluster_id, plan.link.name, credentials(kafka.credentials))
