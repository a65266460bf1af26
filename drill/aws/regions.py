"""Which regions are lost, and which services everywhere: their endpoints are dead, and nothing in them acts."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable

_SCOPE = re.compile(r"Credential=[^/]+/[0-9]{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")


class Regions:
    """The lost regions. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lost: dict[str, frozenset[str]] = {}
        self._silent: set[str] = set()
        self._services: set[str] = set()
        self._zones: set[str] = set()
        self._lock = threading.Lock()

    def lose(self, region: str, keep: Iterable[str] = (), *, silent: bool = False) -> None:
        """Lose a region, but for the services in `keep` (signing names). If `silent` no API of it answers or refuses,
        those of `keep` neither: what they run goes on, and nobody reaches it.

        Global services sign for us-east-1, as their control planes live there: Route 53 and IAM are lost with it
        unless they are kept.
        """
        with self._lock:
            self._lost[region] = frozenset(keep)
            if silent:
                self._silent.add(region)

    def lose_service(self, service: str) -> None:
        """Lose a service (signing name) in every region: the control plane of a global one."""
        self._services.add(service)

    def lose_zone(self, zone: str) -> None:
        """Lose one availability zone of a region."""
        self._zones.add(zone)

    def is_zone_lost(self, zone: str) -> bool:
        return zone in self._zones

    def restore(self, region: str) -> None:
        with self._lock:
            self._lost.pop(region, None)
            self._silent.discard(region)

    def lost(self) -> dict[str, list[str]]:
        """Each lost region, with the services that are left of it."""
        with self._lock:
            return {region: sorted(services) for region, services in self._lost.items()}

    def is_lost(self, region: str, service: str) -> bool:
        if service in self._services:
            return True
        services = self._lost.get(region)
        return services is not None and service not in services

    def refuses(self, authorization: str) -> bool:
        """Whether a request with this Authorization header is for a lost region. An unsigned one never is."""
        scope = _SCOPE.search(authorization)
        return scope is not None and self.is_lost(scope["region"], scope["service"])

    def hangs(self, authorization: str) -> bool:
        """Whether a request with this Authorization header is for a region that is silent."""
        scope = _SCOPE.search(authorization)
        return scope is not None and scope["region"] in self._silent
