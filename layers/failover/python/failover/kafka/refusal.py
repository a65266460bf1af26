"""What a refusal of credentials says, whoever met it."""

from __future__ import annotations

from failover.errors import KafkaUnauthorized


def refused_credentials(bootstrap: str, why: str) -> KafkaUnauthorized:
    """The cluster at that address refused the credentials. `why`: in its words, without a secret."""
    return KafkaUnauthorized(
        f"Kafka at {bootstrap} refused the credentials of the plan's secret: {why}. The secret must hold a key of this"
        " very cluster, or a client that the cluster's identity pool admits"
    )
