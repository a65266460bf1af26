"""The product's AWS clients, kept from one test to the next: to make one takes longer than most tests. To be
imported before the product is."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable
from typing import Any

from botocore.session import Session

from failover.aws import clients


class SharedClients:
    """In place of `failover.aws.clients.client`. Where a test changes what a client is made of, or how one is made,
    others are made."""

    def __init__(self, make: Callable[..., Any]) -> None:
        self._make = make
        self._clients: dict[Hashable, Any] = {}

    def __call__(self, service: str, region: str | None = None, **options: Any) -> Any:
        if options.get("role") is not None:
            return self._make(service, region, **options)  # who it is is a test's own
        key = service, region, tuple(sorted(options.items())), _made_of()
        if key not in self._clients:
            self._clients.setdefault(key, self._make(service, region, **options))
        return self._clients[key]

    def cache_clear(self) -> None:
        """As after a cold start."""
        self._clients.clear()


def _made_of() -> Hashable:
    settings = sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_"))
    make: Any = Session.create_client
    return clients.CONNECT_S, clients.READ_S, make, tuple(settings)


# Before anything imports the product's clients by name.
_product: Any = clients
_product.client = _product._client = SharedClients(_product._client.__wrapped__)
