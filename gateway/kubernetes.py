"""What stands around a fleet on Kubernetes, whatever its operator: the load balancer's Service, a disruption budget,
and what the failover controller may do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gateway.settings import Cloud, OnKubernetes

Manifest = dict[str, Any]
ADMIN_PORT: Final = 9190

# Connections end with a deregistered target, not minutes later: a fleet that was left must not go on to serve.
_AWS: Final = {
    "service.beta.kubernetes.io/aws-load-balancer-type": "external",
    "service.beta.kubernetes.io/aws-load-balancer-scheme": "internal",
    "service.beta.kubernetes.io/aws-load-balancer-nlb-target-type": "ip",
    "service.beta.kubernetes.io/aws-load-balancer-attributes": "load_balancing.cross_zone.enabled=true",
    "service.beta.kubernetes.io/aws-load-balancer-target-group-attributes": (
        "deregistration_delay.timeout_seconds=0,deregistration_delay.connection_termination.enabled=true"
    ),
    "service.beta.kubernetes.io/aws-load-balancer-healthcheck-protocol": "http",
    "service.beta.kubernetes.io/aws-load-balancer-healthcheck-port": str(ADMIN_PORT),
    "service.beta.kubernetes.io/aws-load-balancer-healthcheck-path": "/livez",
    "service.beta.kubernetes.io/aws-load-balancer-healthcheck-interval": "5",
}
_GCP: Final = {
    "networking.gke.io/load-balancer-type": "Internal",
    "networking.gke.io/internal-load-balancer-allow-global-access": "true",
}
_AZURE: Final = {
    "service.beta.kubernetes.io/azure-load-balancer-internal": "true",
    "service.beta.kubernetes.io/azure-load-balancer-tcp-idle-timeout": "30",
    "service.beta.kubernetes.io/azure-load-balancer-disable-tcp-reset": "false",
}
ANNOTATIONS: Final[Mapping[Cloud, Mapping[str, str]]] = {"aws": _AWS, "gcp": _GCP, "azure": _AZURE}

# ARC shifts a load balancer with cross-zone balancing only if connections to unhealthy targets are left open:
# https://docs.aws.amazon.com/elasticloadbalancing/latest/network/zonal-shift.html
_ZONAL_SHIFT: Final = {
    "service.beta.kubernetes.io/aws-load-balancer-attributes": ",zonal_shift.config.enabled=true",
    "service.beta.kubernetes.io/aws-load-balancer-target-group-attributes": (
        ",target_health_state.unhealthy.connection_termination.enabled=false"
    ),
}


def annotations_of(place: OnKubernetes) -> dict[str, str]:
    """Those of the load balancer, in the words of its cloud."""
    shift = _ZONAL_SHIFT if place.zonal_shift else {}
    return {name: value + shift.get(name, "") for name, value in ANNOTATIONS[place.cloud].items()}


def load_balancer(
    name: str, namespace: str, selector: Mapping[str, str], ports: Sequence[int], place: OnKubernetes
) -> Manifest:
    """A Service of type LoadBalancer: one port for the bootstrap, and one a node id where the route tells them so."""
    return _manifest(
        "v1",
        "Service",
        name=name,
        namespace=namespace,
        spec={
            "type": "LoadBalancer",
            "externalTrafficPolicy": "Local",
            "selector": dict(selector),
            "ports": [{"name": f"kafka-{port}", "port": port, "targetPort": port} for port in ports],
        },
        annotations=annotations_of(place),
    )


def disruption_budget(name: str, namespace: str, selector: Mapping[str, str]) -> Manifest:
    """One instance at a time may be drained from its node."""
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": dict(selector)}}
    return _manifest("policy/v1", "PodDisruptionBudget", name=name, namespace=namespace, spec=spec)


def controller_access(name: str, namespace: str, rules: Sequence[Manifest], group: str) -> list[Manifest]:
    """A Role with these rules, bound to the group that the access entries of the controller's roles name."""
    role = _manifest("rbac.authorization.k8s.io/v1", "Role", name, namespace) | {"rules": list(rules)}
    binding = _manifest("rbac.authorization.k8s.io/v1", "RoleBinding", name, namespace) | {
        "subjects": [{"kind": "Group", "name": group, "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"kind": "Role", "name": name, "apiGroup": "rbac.authorization.k8s.io"},
    }
    return [role, binding]


def over_zones(selector: Mapping[str, str]) -> list[Manifest]:
    """Topology spread constraints: evenly over zones, whatever that takes; over nodes where it can be."""
    labels = {"labelSelector": {"matchLabels": dict(selector)}}
    return [
        {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule", **labels},
        {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway", **labels},
    ]


def _manifest(
    version: str,
    kind: str,
    name: str,
    namespace: str,
    spec: Manifest | None = None,
    annotations: dict[str, str] | None = None,
) -> Manifest:
    metadata: Manifest = {"name": name, "namespace": namespace}
    if annotations:
        metadata["annotations"] = annotations
    made: Manifest = {"apiVersion": version, "kind": kind, "metadata": metadata}
    return made | ({"spec": spec} if spec is not None else {})
