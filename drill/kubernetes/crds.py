"""The kinds this API server serves, and what it does with a custom resource's fields: prune, default, refuse.

CFK's Gateway: fields by release; `configId` and `hotReload` came after `fence`, and an older definition prunes them
without an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from drill.kubernetes.store import Object

Version = tuple[int, int]
_CONFIG_ID: Final = re.compile(r"[a-zA-Z0-9._:-]{1,64}")
FENCE_SINCE: Final = (3, 2)
HOT_RELOAD_SINCE: Final = (3, 3)


class Invalid(ValueError):
    """An object that its definition, or an admission webhook, does not take."""


@dataclass(frozen=True)
class Kind:
    """A served kind. `group` is empty for the core."""

    group: str
    version: str
    plural: str
    kind: str


KINDS: Final = (
    Kind("", "v1", "pods", "Pod"),
    Kind("", "v1", "services", "Service"),
    Kind("", "v1", "configmaps", "ConfigMap"),
    Kind("apps", "v1", "deployments", "Deployment"),
    Kind("apps", "v1", "replicasets", "ReplicaSet"),
    Kind("platform.confluent.io", "v1beta1", "gateways", "Gateway"),
    Kind("kroxylicious.io", "v1alpha1", "kafkaproxies", "KafkaProxy"),
    Kind("kroxylicious.io", "v1alpha1", "kafkaproxyingresses", "KafkaProxyIngress"),
    Kind("kroxylicious.io", "v1alpha1", "kafkaservices", "KafkaService"),
    Kind("kroxylicious.io", "v1alpha1", "virtualkafkaclusters", "VirtualKafkaCluster"),
)


def stored(plural: str, given: Object, cfk: Version) -> Object:
    """The object as it is stored.

    Raises:
        Invalid
    """
    if plural == "gateways":
        return _gateway(given, cfk)
    if plural == "kafkaproxies":
        spec = {"replicas": 1} | (given.get("spec") or {})
        if not isinstance(spec["replicas"], int) or spec["replicas"] < 0:
            raise Invalid("spec.replicas: Invalid value: should be greater than or equal to 0")
        return given | {"spec": spec}
    if plural == "virtualkafkaclusters" and not given.get("spec", {}).get("targetKafkaServiceRef", {}).get("name"):
        raise Invalid("spec.targetKafkaServiceRef.name: Required value")
    return given


def _gateway(given: Object, cfk: Version) -> Object:
    spec = dict(given.get("spec") or {})
    if cfk < HOT_RELOAD_SINCE:
        spec.pop("configId", None)
        spec.pop("hotReload", None)
    spec.setdefault("replicas", 1)
    if not isinstance(spec["replicas"], int) or spec["replicas"] < 0:
        raise Invalid("spec.replicas: Invalid value: should be greater than or equal to 0")
    if spec.get("configId") is not None and not _CONFIG_ID.fullmatch(str(spec["configId"])):
        raise Invalid("spec.configId: Invalid value: should match '^[a-zA-Z0-9._:-]{1,64}$'")
    for field in ("streamingDomains", "routes", "image"):
        if not spec.get(field):
            raise Invalid(f"spec.{field}: Required value")
    spec["routes"] = [_route(index, dict(route), cfk) for index, route in enumerate(spec["routes"])]
    return given | {"spec": spec}


def _route(index: int, route: dict[str, Any], cfk: Version) -> dict[str, Any]:
    path = f"spec.routes[{index}]"
    if cfk < FENCE_SINCE:
        route.pop("fence", None)
    if route.get("fence", ...) is None:
        del route["fence"]
    for field in ("name", "endpoint", "streamingDomain"):
        if not route.get(field):
            raise Invalid(f"{path}.{field}: Required value")
    domain = route["streamingDomain"]
    if not isinstance(domain, dict) or not {"name", "bootstrapServerId"} <= domain.keys():
        raise Invalid(f"{path}.streamingDomain: Invalid value: needs name and bootstrapServerId")
    if "fence" in route and route["fence"].get("errorCode", "BROKER_NOT_AVAILABLE") != "BROKER_NOT_AVAILABLE":
        raise Invalid(f'{path}.fence.errorCode: Unsupported value: supported values: "BROKER_NOT_AVAILABLE"')
    return route
