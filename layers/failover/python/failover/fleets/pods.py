"""The pods behind a fleet: which of them carry clients, where each can be reached, and whether a Deployment has rolled
out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from failover.fleets.kubernetes import Object
from failover.validation import endpoint


def started_at(pod: Object) -> float:
    """When it was made, in seconds since 1970; 0 if it does not say."""
    try:
        return datetime.fromisoformat(str(pod["metadata"].get("creationTimestamp"))).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def is_ready(pod: Object) -> bool:
    """Whether it gets new connections. It says nothing about its upstream: the probe asks `/livez`."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    ready = any(condition.get("type") == "Ready" and condition.get("status") == "True" for condition in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]


def is_going(pod: Object, now: float) -> bool:
    """Whether it was deleted and may still carry clients: until the time it was given is over. After that its process
    is ended, or its node is lost and only the object left."""
    until = pod["metadata"].get("deletionTimestamp")
    return until is not None and now < datetime.fromisoformat(until).timestamp() and not is_over(pod)


def is_over(pod: Object) -> bool:
    """Whether its containers have ended, as those of an evicted pod."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def carries_clients(pod: Object, now: float) -> bool:
    """Whether clients may be connected to it."""
    return not is_over(pod) and (is_ready(pod) or is_going(pod, now))


def bootstrap_of(pod: Object, port: int) -> str | None:
    """Where a port of its container is reached: on its node where it is published there, else at its own address."""
    status = pod.get("status") or {}
    for container in pod["spec"].get("containers", []):
        for published in container.get("ports") or []:
            if published.get("containerPort") == port and published.get("hostPort") and status.get("hostIP"):
                return endpoint(status["hostIP"], published["hostPort"])
    return endpoint(status["podIP"], port) if status.get("podIP") else None


def zone_of(pod: Object) -> str | None:
    """The zone it runs in, where the cluster copies its node's topology labels to it (Kubernetes 1.35 does)."""
    return (pod["metadata"].get("labels") or {}).get("topology.kubernetes.io/zone")


def has_variable(pod: Object, name: str) -> bool:
    """Whether a container of it has this environment variable."""
    return any(
        variable.get("name") == name for c in pod["spec"].get("containers", []) for variable in c.get("env") or []
    )


def replicas_of(owner: Object) -> int:
    """How many pods an object asks for that has them made."""
    return int((owner.get("spec") or {}).get("replicas", 1))


def rolled_out(deployment: Object) -> bool:
    """Whether every replica is of the present template and available (what `kubectl rollout status` waits for)."""
    status: dict[str, Any] = deployment.get("status") or {}
    replicas = status.get("replicas", 0)
    return bool(
        status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
        and replicas == deployment["spec"].get("replicas", 1) > 0
        and status.get("updatedReplicas", 0) == status.get("availableReplicas", 0) == replicas
    )


def short_of(deployment: Object) -> int:
    """How many available replicas a Deployment lacks, if none of an older template is left."""
    status: dict[str, Any] = deployment.get("status") or {}
    current = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    if not current or status.get("updatedReplicas", 0) != status.get("replicas", 0):
        return 0
    return max(0, int(deployment["spec"].get("replicas", 1)) - int(status.get("availableReplicas", 0)))
