"""Which cluster answers: over the Kafka protocol, as clients and links ask it."""

from __future__ import annotations

import time
from typing import Final

from confluent_kafka.admin import ClusterMetadata  # type: ignore[attr-defined]

from failover.errors import KafkaUnavailable
from failover.kafka.addresses import TIMEOUT_S, Reachable, reachable
from failover.kafka.client import SHORT_SETUP_TIMEOUT_MS, Admin, Settings, called

_SIDE_BY_SIDE: Final = 6
"""librdkafka picks one of a name's addresses by chance, and waits for a silent one for a second at least. So where one
is known to be silent so many clients ask at once: all of them meet it twice in 1 of 4,096 looks at two addresses."""


def cluster_id(chosen: Settings, timeout: float = 3.0) -> str:
    """The id of the cluster that answers a Metadata request, at whichever of its addresses does.

    Raises:
        KafkaUnauthorized: if the credentials are refused.
        KafkaUnavailable: if none does within `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    addresses = reachable(str(chosen["bootstrap.servers"]), min(timeout, TIMEOUT_S))
    metadata = _metadata(chosen, addresses, None, deadline)
    if not metadata.cluster_id:
        raise KafkaUnavailable(f"{chosen['bootstrap.servers']} gave no cluster id")
    return str(metadata.cluster_id)


def cluster_with_topic(chosen: Settings, topic: str, addresses: Reachable, timeout: float = 1.0) -> str | None:
    """The id of the cluster that is behind the addresses that were found reachable, and has the topic; or None.

    Raises:
        KafkaUnauthorized: if the credentials are refused.
        KafkaUnavailable: if nobody answers within `timeout` seconds.
    """
    metadata = _metadata(chosen, addresses, topic, time.monotonic() + timeout)
    described = metadata.topics.get(topic)
    return str(metadata.cluster_id) if described is not None and described.error is None else None


def _metadata(chosen: Settings, addresses: Reachable, topic: str | None, deadline: float) -> ClusterMetadata:
    if not addresses.endpoints:
        raise KafkaUnavailable(f"no connection to Kafka at {addresses.why_not}")
    less_patience = {"socket.connection.setup.timeout.ms": SHORT_SETUP_TIMEOUT_MS} if addresses.silent else {}
    settings = {**chosen, "bootstrap.servers": ",".join(addresses.endpoints), **less_patience}
    admins = [Admin(settings) for _ in range(_SIDE_BY_SIDE if addresses.silent else 1)]

    def ask(admin: Admin, seconds: float) -> ClusterMetadata:
        return admin.client.list_topics(topic, timeout=seconds) if topic else admin.client.list_topics(timeout=seconds)

    return called(admins, ask, "gave no metadata", deadline)
