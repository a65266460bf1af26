"""The operator of Confluent for Kubernetes, as far as Gateway resources go, with the ways it misleads.

It acts some time after a change (`observedGeneration` lags), takes an edit in place through a canary Job to the shared
ConfigMap where hot reload is on, and rolls the pods otherwise. Whether the pods then do anything is their licence's
business: the operator reports success all the same. Conditions carry no generation, and old ones stay.
"""

from __future__ import annotations

import copy
import hashlib
import json
import time
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import yaml

from drill.kubernetes.deployments import ensure
from drill.kubernetes.pods import CONFIG_MAP
from drill.kubernetes.store import NotFound, Object, Store, timestamp

READY: Final = "platform.confluent.io/cluster-ready"
HOT_RELOAD: Final = "platform.confluent.io/hot-reload-status"
GARBAGE: Final = "platform.confluent.io/garbage-collecting"
BLOCKED: Final = "platform.confluent.io/block-reconcile"
IN_PLACE: Final = {"streamingDomain", "fence", "security"}


class Refused(ValueError):
    """A spec that the operator does not apply."""


@dataclass(kw_only=True)
class Behaviour:
    """What the operator does with a change. Durations in seconds. `refuses`: the message it refuses everything with.

    `canary`: "passes"; "waits" for a node with room, for ever; or "crashes".
    """

    lag_s: float = 0.3
    canary_s: float = 0.5
    canary: Literal["passes", "waits", "crashes"] = "passes"
    refuses: str = ""


@dataclass(kw_only=True)
class Handled:
    """What the operator has done with one Gateway."""

    generation: int = 0
    changed_at: float = 0.0
    accepted: int = 0
    applied: Object = field(default_factory=dict)
    canary_since: float | None = None


class Operator:
    """Reconciles the Gateway resources of a cluster."""

    def __init__(self, store: Store, behaviour: Behaviour) -> None:
        self._store = store
        self.behaviour = behaviour
        self._handled: dict[str, Handled] = {}

    def look(self) -> None:
        """One round over all of them."""
        now = time.monotonic()
        for gateway in self._store.find("gateways"):
            with self._store.lock:
                self._reconcile(self._store.get("gateways", gateway["metadata"]["name"]), now)

    def _reconcile(self, gateway: Object, now: float) -> None:
        meta = gateway["metadata"]
        handled = self._handled.setdefault(meta["name"], Handled())
        if meta.get("annotations", {}).get(BLOCKED) == "true":
            return
        if handled.generation != meta["generation"]:
            handled.generation, handled.changed_at, handled.canary_since = meta["generation"], now, None
        if handled.accepted != handled.generation and (
            now >= handled.changed_at + self.behaviour.lag_s or not handled.applied
        ):
            self._accept(gateway, handled, now)
        if handled.canary_since is not None:
            self._canary(gateway, handled, now)

    def _accept(self, gateway: Object, handled: Handled, now: float) -> None:
        try:
            if self.behaviour.refuses:
                raise Refused(self.behaviour.refuses)
            rendered(gateway)
        except Refused as error:
            self._tell(gateway, {READY: ("False", "ApplyFailed", str(error))})
            return
        handled.accepted = handled.generation
        spec = gateway["spec"]
        status = {READY: ("True", "ClusterReady", ""), GARBAGE: ("False", "GarbageCollectionTriggered", "")}
        if handled.applied and hot_reload(spec) and _in_place(handled.applied, spec):
            if _without(handled.applied, "replicas") != _without(spec, "replicas"):
                handled.canary_since = now
                status[HOT_RELOAD] = ("Unknown", "InProgress", "")
            self._deploy(gateway, spec, roll=False)
        else:
            self._promote(gateway)
            self._deploy(gateway, spec, roll=True)
            handled.applied = copy.deepcopy(spec)
        self._tell(gateway, status, observed=handled.accepted)

    def _canary(self, gateway: Object, handled: Handled, now: float) -> None:
        if self.behaviour.canary == "waits" or now < (handled.canary_since or 0.0) + self.behaviour.canary_s:
            return
        handled.canary_since = None
        if self.behaviour.canary == "crashes":
            self._tell(gateway, {HOT_RELOAD: ("False", "ContainerCrashed", "the canary ended with status 1")})
            return
        self._promote(gateway)
        handled.applied = copy.deepcopy(gateway["spec"])
        self._tell(gateway, {HOT_RELOAD: ("True", "Succeeded", "")})

    def _promote(self, gateway: Object) -> None:
        name = config_map(gateway)
        data = {CONFIG_MAP: yaml.safe_dump(rendered(gateway), sort_keys=False)}
        try:
            present = self._store.get("configmaps", name)
        except NotFound:
            self._store.create("configmaps", {"kind": "ConfigMap", "metadata": {"name": name}, "data": data})
            return
        self._store.update("configmaps", present | {"data": data})

    def _deploy(self, gateway: Object, spec: Object, *, roll: bool) -> None:
        """Without `roll` the pods' template stays as it is, so that they do."""
        template = pod_template(gateway, spec)
        owner = {"kind": "Gateway", "name": gateway["metadata"]["name"], "controller": True}
        manifest = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": gateway["metadata"]["name"], "ownerReferences": [owner]},
            "spec": {"replicas": spec["replicas"], "template": template},
        }

        def change(present: Object) -> None:
            present["spec"] |= {"replicas": spec["replicas"]} | ({"template": template} if roll else {})

        ensure(self._store, manifest, change)

    def _tell(self, gateway: Object, conditions: dict[str, tuple[str, str, str]], observed: int | None = None) -> None:
        present = self._store.get("gateways", gateway["metadata"]["name"])
        status = present.setdefault("status", {"phase": "RUNNING", "conditions": []})
        for kind, (state, reason, message) in conditions.items():
            condition = next((row for row in status["conditions"] if row["type"] == kind), None)
            if condition is None:
                status["conditions"].append(condition := {"type": kind, "status": "", "lastTransitionTime": ""})
            if condition["status"] != state:
                condition["lastTransitionTime"] = timestamp()
            condition |= {"status": state, "reason": reason, "message": message}
        if observed is not None:
            status["observedGeneration"] = observed
        self._store.update("gateways", present, status=True)


def hot_reload(spec: Object) -> bool:
    """Whether a spec has hot reload on; `enabled` has no default."""
    return (spec.get("hotReload") or {}).get("enabled") is True


def config_map(gateway: Object) -> str:
    """The name of a Gateway's shared ConfigMap."""
    return f"{gateway['metadata']['name']}-shared-config"


def rendered(gateway: Object) -> dict[str, Any]:
    """The container's configuration that a Gateway describes, without TLS, which the gateway stand-in has not.

    Raises:
        Refused: if a route leads to a domain or a bootstrap server that is not declared.
    """
    spec = gateway["spec"]
    declared = {
        domain["name"]: {server["id"] for server in domain["kafkaCluster"]["bootstrapServers"]}
        for domain in spec["streamingDomains"]
    }
    for route in spec["routes"]:
        to = route["streamingDomain"]
        if to["bootstrapServerId"] not in declared.get(to["name"], ()):
            raise Refused(f"route {route['name']!r}: no bootstrap server {to['bootstrapServerId']!r} of {to['name']!r}")
    routes = [route | {"security": {"auth": route.get("security", {}).get("auth")}} for route in spec["routes"]]
    domains = [_domain(domain) for domain in spec["streamingDomains"]]
    config = {"name": gateway["metadata"]["name"], "streamingDomains": domains, "routes": routes}
    if spec.get("configId") is not None:
        config["configId"] = spec["configId"]
    return {"gateway": config}


def _domain(domain: Object) -> Object:
    cluster = domain["kafkaCluster"]
    servers = [{"id": server["id"], "endpoint": server["endpoint"]} for server in cluster["bootstrapServers"]]
    return domain | {"kafkaCluster": {"name": domain["name"], **cluster, "bootstrapServers": servers}}


def pod_template(gateway: Object, spec: Object) -> Object:
    """The template of a Gateway's pods; without hot reload a changed configuration changes it."""
    name = gateway["metadata"]["name"]
    routes = spec["routes"]
    nodes = {
        domain["name"]: sum(
            span["end"] - span["start"] + 1
            for span in domain["kafkaCluster"].get("nodeIdRanges", [{"start": 0, "end": 2}])
        )
        for domain in spec["streamingDomains"]
    }
    ports: list[int] = []
    for route in routes:
        first = int(route["endpoint"].rpartition(":")[2])
        ports += range(first, first + 1 + nodes[route["streamingDomain"]["name"]])
    environment = list(spec.get("podTemplate", {}).get("envVars", []))
    if hot_reload(spec):
        environment.append({"name": "GATEWAY_HOT_RELOAD", "value": "true"})
    digest = hashlib.sha256(json.dumps(rendered({"metadata": {"name": name}, "spec": spec})).encode()).hexdigest()
    return {
        "metadata": {
            "labels": {"app": name, "platform.confluent.io/type": "gateway"},
            "annotations": {"drill/config": digest[:16]},
        },
        "spec": {
            "containers": [
                {
                    "name": "gateway",
                    "image": spec["image"]["application"],
                    "env": environment,
                    "ports": [{"containerPort": port} for port in ports],
                    "volumeMounts": [{"name": "config", "mountPath": "/mnt/config"}],
                }
            ],
            "volumes": [{"name": "config", "configMap": {"name": f"{name}-shared-config"}}],
        },
    }


def _in_place(before: Object, after: Object) -> bool:
    """Whether only fields of routes, the configId and the number of replicas differ."""

    def fixed(spec: Object) -> Object:
        rest = _without(spec, "configId", "replicas")
        return rest | {"routes": [_without(route, *IN_PLACE) for route in spec["routes"]]}

    return fixed(before) == fixed(after)


def _without(mapping: Object, *keys: str) -> Object:
    return {key: value for key, value in mapping.items() if key not in keys}
