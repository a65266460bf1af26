"""A record through any of a site's gateways, written and read back; by librdkafka, as clients do it."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from failover.aws.secrets import Credentials, with_credentials
from failover.errors import CanarySaysNothing, KafkaUnauthorized, KafkaUnavailable
from failover.kafka.addresses import reachable
from failover.kafka.canary import write_and_read_back
from failover.kafka.client import settings
from failover.kafka.cluster import cluster_with_topic
from failover.plan.model import Plan

TOPIC_S, RECORD_S = 1.0, 1.5
"""Together less than a look takes."""

NoteRefusal = Callable[[str | None], None]


def send_canary(plan: Plan, site: str, deadline: float, note_refusal: NoteRefusal) -> str | None:
    """None if a record came back through one of the site's gateways until `deadline`, on the monotonic clock; otherwise
    why none did. `note_refusal` is told at once who refused the credentials, and None when they were taken.

    Raises:
        CanarySaysNothing: it tells nothing of the site.
        KafkaUnauthorized, CredentialsMissing, ServiceUnavailable
    """
    fleets = plan.site(site).fleets
    with ThreadPoolExecutor(max_workers=len(fleets)) as pool:
        looks = [pool.submit(_through, plan, site, fleet.bootstrap, deadline, note_refusal) for fleet in fleets]
    errors = [error for look in looks if (error := look.exception())]
    why = [look.result() for look in looks if look.exception() is None]
    if None in why:
        return None
    if errors:
        raise errors[0]
    return "; ".join(reason for reason in why if reason)


def _through(plan: Plan, site: str, bootstrap: str, deadline: float, note_refusal: NoteRefusal) -> str | None:
    """It tells of the site only if that gateway leads to the site's own cluster, and the topic is there: else the other
    probes must tell."""
    clients, expected = plan.clients, plan.site(site).kafka.cluster_id

    def seconds(at_most: float) -> float:
        return max(0.05, min(at_most, deadline - time.monotonic()))

    def ask(credentials: Credentials | None) -> str | None:
        client = settings(bootstrap, clients.security_protocol, credentials)
        addresses = reachable(bootstrap, seconds(TOPIC_S))
        try:
            cluster = cluster_with_topic(client, clients.canary_topic, addresses, seconds(TOPIC_S))
        except KafkaUnauthorized as error:
            note_refusal(str(error))
            raise
        except KafkaUnavailable as error:
            raise CanarySaysNothing(f"{bootstrap} leads to no cluster now: {error}") from error
        if cluster != expected:
            leads_to = cluster or f"a cluster without {clients.canary_topic}"
            raise CanarySaysNothing(f"{bootstrap} leads to {leads_to}, not to {expected}")
        try:
            write_and_read_back(client, clients.canary_topic, seconds(RECORD_S))
        except KafkaUnauthorized as error:
            note_refusal(str(error))
            raise
        except KafkaUnavailable as error:
            if addresses.silent:
                raise CanarySaysNothing(f"an address of {bootstrap} is silent: {error}") from error
            return str(error)
        return None

    answer = with_credentials(clients.credentials, ask, clients.role)
    note_refusal(None)
    return answer
