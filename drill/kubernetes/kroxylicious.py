"""The operator of Kroxylicious: a Deployment for each KafkaProxy, rolled whenever something is changed it is made of.

As in kroxylicious-operator: the Deployment and its pods' label `app.kubernetes.io/instance` are called like the
KafkaProxy, the pods' template holds a checksum of the virtual clusters and what they refer to, the configuration is
mounted by subPath, so no pod sees a new one. Conditions carry the generation they speak of. A pod's address as clients
see it would follow from the ingress; here the annotation `drill/advertised` of a virtual cluster gives it.
"""

from __future__ import annotations

import functools
import hashlib
import json
import time
from typing import Any, Final

import yaml

from drill.kubernetes.deployments import ensure
from drill.kubernetes.pods import CONFIG_MAP
from drill.kubernetes.store import NotFound, Object, Store, timestamp

IMAGE: Final = "quay.io/kroxylicious/kroxylicious:0.23.0"
FIRST_PORT: Final = 9292
ADVERTISED: Final = "drill/advertised"


class Kroxylicious:
    """Reconciles the KafkaProxy resources of a cluster, some time (seconds) after a change."""

    def __init__(self, store: Store, lag_s: float) -> None:
        self._store = store
        self._lag_s = lag_s
        self._generations: dict[str, tuple[list[int], float]] = {}

    def look(self) -> None:
        """One round over all of them."""
        for proxy in self._store.find("kafkaproxies"):
            clusters = [
                cluster
                for cluster in self._store.find("virtualkafkaclusters")
                if cluster["spec"]["proxyRef"]["name"] == proxy["metadata"]["name"]
            ]
            state = [
                resource["metadata"]["generation"]
                for resource in (proxy, *clusters, *self._store.find("kafkaservices"))
            ]
            generations, since = self._generations.get(proxy["metadata"]["name"], ([], 0.0))
            if state != generations:
                self._generations[proxy["metadata"]["name"]] = state, time.monotonic() if generations else 0.0
            elif time.monotonic() >= since + self._lag_s:
                with self._store.lock:
                    self._reconcile(proxy, clusters)

    def _reconcile(self, proxy: Object, clusters: list[Object]) -> None:
        services = {service["metadata"]["name"]: service for service in self._store.find("kafkaservices")}
        resolved = [cluster for cluster in clusters if cluster["spec"]["targetKafkaServiceRef"]["name"] in services]
        for cluster in clusters:
            self._tell(cluster, resolved=cluster in resolved)
        if len(resolved) < len(clusters):
            return
        name = proxy["metadata"]["name"]
        made_of = [
            (resource["metadata"]["uid"], resource["metadata"]["generation"])
            for cluster in clusters
            for resource in (cluster, services[cluster["spec"]["targetKafkaServiceRef"]["name"]])
        ]
        self._configure(name, {"gateway": _config(name, clusters, services)})
        template = _pod_template(name, clusters, hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:12])
        replicas = proxy["spec"]["replicas"]
        manifest = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "ownerReferences": [{"kind": "KafkaProxy", "name": name, "controller": True}]},
            "spec": {"replicas": replicas, "template": template},
        }
        ensure(self._store, manifest, lambda present: present.update(spec=manifest["spec"]))

    def _configure(self, name: str, config: dict[str, Any]) -> None:
        data = {CONFIG_MAP: _yaml(json.dumps(config))}
        try:
            present = self._store.get("configmaps", f"{name}-proxy-config")
        except NotFound:
            metadata = {"name": f"{name}-proxy-config"}
            self._store.create("configmaps", {"kind": "ConfigMap", "metadata": metadata, "data": data})
            return
        self._store.update("configmaps", present | {"data": data})

    def _tell(self, cluster: Object, *, resolved: bool) -> None:
        cluster = self._store.get("virtualkafkaclusters", cluster["metadata"]["name"])
        generation = cluster["metadata"]["generation"]
        service = cluster["spec"]["targetKafkaServiceRef"]["name"]
        condition = {
            "type": "ResolvedRefs",
            "status": str(resolved),
            "observedGeneration": generation,
            "reason": "ResolvedRefs" if resolved else "ReferencedResourcesNotFound",
            "message": ""
            if resolved
            else f"spec.targetKafkaServiceRef references kafkaservice {service!r}: not resolved",
        }
        before: Object = next(iter((cluster.get("status") or {}).get("conditions", [])), {})
        same = before.get("status") == condition["status"]
        condition["lastTransitionTime"] = before["lastTransitionTime"] if same else timestamp()
        cluster["status"] = {"observedGeneration": generation, "conditions": [condition]}
        self._store.update("virtualkafkaclusters", cluster, status=True)


def _config(name: str, clusters: list[Object], services: dict[str, Object]) -> dict[str, Any]:
    """The proxy's configuration, in the words of the gateway stand-in."""
    domains = [
        {
            "name": service,
            "type": "kafka",
            "kafkaCluster": {
                "name": service,
                "bootstrapServers": [{"id": "kafka", "endpoint": services[service]["spec"]["bootstrapServers"]}],
                "nodeIdRanges": [
                    {"name": f"{index}", "start": ids["start"], "end": ids["end"]}
                    for index, ids in enumerate(services[service]["spec"].get("nodeIdRanges", [{"start": 0, "end": 2}]))
                ],
            },
        }
        for service in sorted({cluster["spec"]["targetKafkaServiceRef"]["name"] for cluster in clusters})
    ]
    routes = [
        {
            "name": cluster["metadata"]["name"],
            "endpoint": cluster["metadata"].get("annotations", {}).get(ADVERTISED, "kafka.example.com:9092"),
            "brokerIdentificationStrategy": {"type": "port"},
            "streamingDomain": {
                "name": cluster["spec"]["targetKafkaServiceRef"]["name"],
                "bootstrapServerId": "kafka",
            },
            "security": {"auth": "passthrough"},
        }
        for cluster in clusters
    ]
    return {"name": name, "streamingDomains": domains, "routes": routes}


def _pod_template(name: str, clusters: list[Object], checksum: str) -> Object:
    mount = {"name": "config-volume", "mountPath": "/opt/kroxylicious/config/proxy-config.yaml", "subPath": CONFIG_MAP}
    return {
        "metadata": {
            "labels": {
                "app.kubernetes.io/managed-by": "kroxylicious-operator",
                "app.kubernetes.io/name": "kroxylicious",
                "app.kubernetes.io/component": "proxy",
                "app.kubernetes.io/instance": name,
            },
            "annotations": {"kroxylicious.io/referent-checksum": checksum},
        },
        "spec": {
            "containers": [
                {
                    "name": "proxy",
                    "image": IMAGE,
                    "ports": [{"containerPort": FIRST_PORT + port} for port in range(4 * len(clusters))],
                    "volumeMounts": [mount],
                }
            ],
            "volumes": [{"name": "config-volume", "configMap": {"name": f"{name}-proxy-config"}}],
        },
    }


@functools.lru_cache(maxsize=64)
def _yaml(config: str) -> str:
    """The YAML of a document in JSON: each look asks for the same ones."""
    return yaml.safe_dump(json.loads(config), sort_keys=False)
