"""Kafka as a plan has it: the settings of the controller at a site's cluster, and of a client at any address.

Whoever asks is refused while a key is being rotated; then it is asked once more with the secret of now.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from failover.aws.secrets import with_credentials
from failover.kafka.client import Settings, settings
from failover.plan.model import Plan

Answer = TypeVar("Answer")


def as_controller(plan: Plan, site: str, ask: Callable[[Settings], Answer]) -> Answer:
    """What `ask` gives with the controller's own settings for a site's cluster.

    Raises:
        CredentialsMissing, ServiceUnavailable, UnknownSite, and what `ask` raises
    """
    kafka = plan.site(site).kafka
    return with_credentials(
        kafka.credentials,
        lambda credentials: ask(settings(kafka.bootstrap, kafka.security_protocol, credentials)),
        kafka.role,
    )


def as_client(plan: Plan, bootstrap: str, ask: Callable[[Settings], Answer]) -> Answer:
    """What `ask` gives with the settings of the plan's clients at that address.

    Raises:
        CredentialsMissing, ServiceUnavailable, and what `ask` raises
    """
    clients = plan.clients
    return with_credentials(
        clients.credentials,
        lambda credentials: ask(settings(bootstrap, clients.security_protocol, credentials)),
        clients.role,
    )
