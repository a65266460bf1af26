"""boto3 clients of this machine's AWS, for the bridges themselves. One for each service and region, kept."""

from __future__ import annotations

import threading
from typing import Any

import boto3
from botocore.config import Config


class Clients:
    """Makes clients that speak to `endpoint`. A client is thread-safe; making one (50 ms) is not, hence the lock."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()
        self._session: Any = boto3.Session(aws_access_key_id="drill", aws_secret_access_key="drill")

    def of(self, service: str, region: str) -> Any:
        client = self._clients.get((service, region))
        if client is None:
            with self._lock:
                client = self._clients.get((service, region)) or self._make(service, region)
                self._clients[service, region] = client
        return client

    def _make(self, service: str, region: str) -> Any:
        # No retries: who calls here has a retry policy of its own. No read timeout: a Lambda may take fifteen minutes.
        config = Config(
            retries={"total_max_attempts": 1},
            read_timeout=1000,
            max_pool_connections=100,
            parameter_validation=False,
        )
        return self._session.client(service, region_name=region, endpoint_url=self.endpoint, config=config)
