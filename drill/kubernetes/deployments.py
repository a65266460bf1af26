"""The Deployment controller: a ReplicaSet for each pod template, and a rolling update from one to the next.

https://kubernetes.io/docs/concepts/workloads/controllers/deployment/: maxSurge 25 % up, maxUnavailable 25 % down.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any, Final

from drill.kubernetes.pods import Pods, is_ready
from drill.kubernetes.store import NotFound, Object, Store

REVISION: Final = "deployment.kubernetes.io/revision"
HASH: Final = "pod-template-hash"


class Deployments:
    """Reconciles the Deployments of a cluster."""

    def __init__(self, store: Store, pods: Pods) -> None:
        self._store = store
        self._pods = pods

    def look(self) -> None:
        """One round over all of them. Without a node to run on (`Pods.start` fails) nothing else stops."""
        for deployment in self._store.find("deployments"):
            with self._store.lock:
                self._reconcile(deployment)
        names = {deployment["metadata"]["name"] for deployment in self._store.find("deployments")}
        for pod in self._store.find("pods"):
            if pod["metadata"]["labels"].get("app.drill/deployment") not in names:
                self._pods.terminate(pod["metadata"]["name"])

    def _reconcile(self, deployment: Object) -> None:
        spec = deployment["spec"]
        replica_set = self._replica_set(deployment)
        labels = {**spec["template"]["metadata"]["labels"], HASH: replica_set["metadata"]["labels"][HASH]}
        pods = [
            pod
            for pod in self._store.find("pods", {"app.drill/deployment": deployment["metadata"]["name"]})
            if "deletionTimestamp" not in pod["metadata"]
        ]
        of_now = [pod for pod in pods if pod["metadata"]["labels"][HASH] == labels[HASH]]
        of_before = [pod for pod in pods if pod["metadata"]["labels"][HASH] != labels[HASH]]
        replicas = int(spec["replicas"])
        surge, unavailable = -(-replicas // 4), replicas // 4
        labels["app.drill/deployment"] = deployment["metadata"]["name"]
        for _ in range(min(replicas - len(of_now), replicas + surge - len(pods))):
            self._pods.start(replica_set, labels, spec["template"])
        for pod in of_now[replicas:]:
            self._terminate(pod)
        available = sum(map(is_ready, pods))
        for pod in sorted(of_before, key=is_ready):
            if is_ready(pod):
                if available - 1 < replicas - unavailable:
                    break
                available -= 1
            self._terminate(pod)
        self._tell(deployment, of_now, pods)

    def _terminate(self, pod: Object) -> None:
        self._pods.terminate(pod["metadata"]["name"])

    def _replica_set(self, deployment: Object) -> Object:
        name = deployment["metadata"]["name"]
        template = json.dumps(deployment["spec"]["template"], sort_keys=True)
        short = hashlib.sha256(template.encode()).hexdigest()[:10]
        try:
            return self._store.get("replicasets", f"{name}-{short}")
        except NotFound:
            revision = len(self._store.find("replicasets", {"app.drill/deployment": name})) + 1
            owner = {"kind": "Deployment", "name": name, "controller": True}
            return self._store.create(
                "replicasets",
                {
                    "apiVersion": "apps/v1",
                    "kind": "ReplicaSet",
                    "metadata": {
                        "name": f"{name}-{short}",
                        "labels": {HASH: short, "app.drill/deployment": name},
                        "annotations": {REVISION: str(revision)},
                        "ownerReferences": [owner],
                    },
                    "spec": {"template": deployment["spec"]["template"]},
                },
            )

    def _tell(self, deployment: Object, of_now: list[Object], pods: list[Object]) -> None:
        counts = {
            "replicas": len(pods),
            "updatedReplicas": len(of_now),
            "readyReplicas": sum(map(is_ready, pods)),
            "availableReplicas": sum(map(is_ready, pods)),
        }
        # As the API does it, a count of none is left out.
        deployment["status"] = {
            "observedGeneration": deployment["metadata"]["generation"],
            **{name: count for name, count in counts.items() if count},
        }
        self._store.update("deployments", deployment, status=True)


def ensure(store: Store, manifest: dict[str, Any], change: Callable[[Object], None]) -> Object:
    """The Deployment of that manifest's name, made if it is not there, changed if it differs."""
    with store.lock:
        try:
            present = store.get("deployments", manifest["metadata"]["name"])
        except NotFound:
            return store.create("deployments", manifest)
        change(present)
        return store.update("deployments", present)
