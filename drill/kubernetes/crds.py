"""The kinds this API server serves, and what it does with a custom resource's fields: prune, default, refuse.

CFK's Gateway: fields by release; `fence`, `hotReload` and `configId` came one after the other, and an older definition
prunes them without an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from drill.kubernetes.store import Object

Version = tuple[int, ...]
_CONFIG_ID: Final = re.compile(r"[a-zA-Z0-9._:-]{1,64}")
FENCE_SINCE: Final = (3, 2)
HOT_RELOAD_SINCE: Final = (3, 3)
CONFIG_ID_SINCE: Final = (3, 3, 34)
"""Charts 0.1718.10 and 0.1718.34 both call themselves 3.3.0; here the last number tells them apart."""
_SECRET: Final = re.compile(r"(?=.{1,30}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LONGEST_ROUTE: Final = 30
_LONGEST_MESSAGE: Final = 256


class Invalid(ValueError):
    """An object that its definition, or an admission webhook, does not take."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A served kind. `group` is empty for the core."""

    group: str
    version: str
    plural: str
    kind: str


KINDS: Final = (
    Kind(group="", version="v1", plural="pods", kind="Pod"),
    Kind(group="", version="v1", plural="services", kind="Service"),
    Kind(group="", version="v1", plural="configmaps", kind="ConfigMap"),
    Kind(group="apps", version="v1", plural="deployments", kind="Deployment"),
    Kind(group="apps", version="v1", plural="replicasets", kind="ReplicaSet"),
    Kind(group="platform.confluent.io", version="v1beta1", plural="gateways", kind="Gateway"),
    Kind(group="kroxylicious.io", version="v1alpha1", plural="kafkaproxies", kind="KafkaProxy"),
    Kind(group="kroxylicious.io", version="v1alpha1", plural="kafkaproxyingresses", kind="KafkaProxyIngress"),
    Kind(group="kroxylicious.io", version="v1alpha1", plural="kafkaservices", kind="KafkaService"),
    Kind(group="kroxylicious.io", version="v1alpha1", plural="virtualkafkaclusters", kind="VirtualKafkaCluster"),
)


def stored(plural: str, manifest: Object, cfk: Version) -> Object:
    """The object as it is stored.

    Raises:
        Invalid
    """
    if plural == "gateways":
        return _gateway(manifest, cfk)
    if plural == "kafkaproxies":
        spec = {"replicas": 1} | (manifest.get("spec") or {})
        if not isinstance(spec["replicas"], int) or spec["replicas"] < 0:
            raise Invalid("spec.replicas: Invalid value: should be greater than or equal to 0")
        return manifest | {"spec": spec}
    if plural == "virtualkafkaclusters" and not manifest.get("spec", {}).get("targetKafkaServiceRef", {}).get("name"):
        raise Invalid("spec.targetKafkaServiceRef.name: Required value")
    return manifest


def _gateway(manifest: Object, cfk: Version) -> Object:
    spec = dict(manifest.get("spec") or {})
    if cfk < HOT_RELOAD_SINCE:
        spec.pop("hotReload", None)
    if cfk < CONFIG_ID_SINCE:
        spec.pop("configId", None)
    if not isinstance(spec.get("hotReload", {}), dict):
        raise Invalid("spec.hotReload: Invalid value: must be of type object")
    for name in _secrets(spec):
        if not _SECRET.fullmatch(str(name)):
            raise Invalid(f"secretRef: Invalid value: {name!r}: may not be more than 30 bytes, or is of another form")
    spec.setdefault("replicas", 1)
    if not isinstance(spec["replicas"], int) or spec["replicas"] < 0:
        raise Invalid("spec.replicas: Invalid value: should be greater than or equal to 0")
    if spec.get("configId") is not None and not _CONFIG_ID.fullmatch(str(spec["configId"])):
        raise Invalid("spec.configId: Invalid value: should match '^[a-zA-Z0-9._:-]{1,64}$'")
    for field in ("streamingDomains", "routes", "image"):
        if not spec.get(field):
            raise Invalid(f"spec.{field}: Required value")
    spec["routes"] = [_route(index, dict(route), cfk) for index, route in enumerate(spec["routes"])]
    return manifest | {"spec": spec}


def _route(index: int, route: dict[str, Any], cfk: Version) -> dict[str, Any]:
    path = f"spec.routes[{index}]"
    if cfk < FENCE_SINCE:
        route.pop("fence", None)
    if route.get("fence", ...) is None:
        del route["fence"]
    if len(str(route.get("name", ""))) > _LONGEST_ROUTE:
        raise Invalid(f"{path}.name: Too long: may not be more than {_LONGEST_ROUTE} bytes")
    for field in ("name", "endpoint", "streamingDomain"):
        if not route.get(field):
            raise Invalid(f"{path}.{field}: Required value")
    domain = route["streamingDomain"]
    if not isinstance(domain, dict) or not {"name", "bootstrapServerId"} <= domain.keys():
        raise Invalid(f"{path}.streamingDomain: Invalid value: needs name and bootstrapServerId")
    _check_security(f"{path}.security", route.get("security") or {})
    if "fence" in route:
        _check_fence(f"{path}.fence", route["fence"])
    return route


def _check_security(path: str, security: dict[str, Any]) -> None:
    """The definition's own rules, in its words."""
    login = (security.get("client") or {}).get("authentication") or {}
    tokens = login.get("type") == "oauth"
    if "extensionHeaders" in (security.get("cluster") or {}) and not (tokens and security.get("auth") == "passthrough"):
        raise Invalid(
            f"{path}: Invalid value: security.cluster.extensionHeaders may only be set when security.auth is"
            " 'passthrough' and security.client.authentication.type is 'oauth'"
        )
    if tokens and not {"jwksEndpointUri", "audience"} <= (login.get("oauthSettings") or {}).keys():
        raise Invalid(f"{path}: Invalid value: oauthSettings.jwksEndpointUri and oauthSettings.audience are required")


def _check_fence(path: str, fence: dict[str, Any]) -> None:
    if fence.get("scope") not in ("ALL", "NONE", "all", "none"):
        raise Invalid(f'{path}.scope: Unsupported value: supported values: "ALL", "NONE", "all", "none"')
    if fence.get("errorCode", "BROKER_NOT_AVAILABLE") != "BROKER_NOT_AVAILABLE":
        raise Invalid(f'{path}.errorCode: Unsupported value: supported values: "BROKER_NOT_AVAILABLE"')
    if len(fence.get("errorMessage", "")) > _LONGEST_MESSAGE:
        raise Invalid(f"{path}.errorMessage: Too long: may not be more than {_LONGEST_MESSAGE} bytes")


def _secrets(part: Any) -> Iterator[Any]:
    """Every reference to a Secret in a part of a spec."""
    if isinstance(part, dict):
        for name, value in part.items():
            if name in ("secretRef", "clientCredentialsRef", "configSecretRef", "certificateRef"):
                yield value
            else:
                yield from _secrets(value)
    elif isinstance(part, list):
        for item in part:
            yield from _secrets(item)
