"""Services: the Ready pods that a selector matches are the targets of the load balancer before it.

The annotation `drill/balancer` is the URL of the load balancer's admin. Connections that are there stay when a pod is
no target any more, as they do through kube-proxy: they end with the pod.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

import httpx

from drill.kubernetes.pods import Pods, is_ready
from drill.kubernetes.store import Store
from drill.network.plain_http import plain

BALANCER: Final = "drill/balancer"


class Services:
    """Registers targets whenever they change."""

    def __init__(self, store: Store, pods: Pods) -> None:
        self._store = store
        self._pods = pods
        self._registered: dict[str, list[tuple[int, ...]]] = {}

    def look(self) -> None:
        """One round over all of them."""
        for service in self._store.find("services"):
            name = service["metadata"]["name"]
            admin = service["metadata"].get("annotations", {}).get(BALANCER)
            matched = self._store.find("pods", service["spec"]["selector"])
            targets = self._pods.targets({pod["metadata"]["name"] for pod in matched if is_ready(pod)})
            if admin is None or targets == self._registered.get(name):
                continue
            with suppress(httpx.HTTPError):
                plain.put(f"{admin}/targets", json={"targets": targets}, timeout=2.0).raise_for_status()
                self._registered[name] = targets
