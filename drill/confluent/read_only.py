"""Which topics of the local cluster refuse writes: told to the guard in front of it."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Collection

# Straight to 127.0.0.1, whatever proxy the environment names.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class GuardUnreachable(RuntimeError):
    """The guard did not take the list; until it does, mirror topics stay as they are."""


class Guard:
    """The admin port of the local Kafka process, for every link of the cluster; with no address there is no guard, and
    every topic takes writes. May be used by several threads."""

    def __init__(self, admin: str | None, timeout_s: float = 2.0) -> None:
        self._url = f"{admin.rstrip('/')}/read-only-topics" if admin else None
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._closed: frozenset[str] = frozenset()

    def close(self, topics: Collection[str]) -> None:
        """From now on these topics are read-only, too.

        Raises:
            GuardUnreachable: nothing changed, as far as is known.
        """
        with self._lock:
            self._tell(self._closed | frozenset(topics))

    def open(self, topics: Collection[str]) -> None:
        """From now on these topics take writes.

        Raises:
            GuardUnreachable: nothing changed, as far as is known.
        """
        with self._lock:
            self._tell(self._closed - frozenset(topics))

    def _tell(self, closed: frozenset[str]) -> None:
        if self._url is not None:
            body = json.dumps({"topics": sorted(closed)}).encode()
            headers = {"content-type": "application/json"}
            request = urllib.request.Request(self._url, body, headers, method="PUT")
            try:
                with _OPENER.open(request, timeout=self._timeout_s):
                    pass
            except OSError as error:
                raise GuardUnreachable(f"PUT {self._url}: {error}") from error
        self._closed = closed
