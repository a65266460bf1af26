"""A gateway fleet on Kubernetes as the operator of Kroxylicious runs it: its custom resources.

Fields: https://github.com/kroxylicious/kroxylicious, kroxylicious-kubernetes-api, v1alpha1.
"""

from __future__ import annotations

from typing import Final

from failover.plan.fleets import KroxyliciousFleet
from failover.plan.model import FENCED, Plan
from gateway.kubernetes import Manifest, annotations_of, controller_access, disruption_budget
from gateway.settings import OnKubernetes, Settings

API_VERSION: Final = "kroxylicious.io/v1alpha1"
NOWHERE: Final = "fenced.invalid:9092"
INGRESS: Final = "clients"


def kroxylicious_resources(plan: Plan, site: str, fleet: KroxyliciousFleet, settings: Settings) -> list[Manifest]:
    """The resources of a site's fleet, its virtual cluster leading where clients are at first.

    Raises:
        UnknownSite: if the plan has no such site.
    """
    plan.location(site)
    place = settings.kubernetes.get(site, OnKubernetes())
    infrastructure = {"infrastructure": {"annotations": annotations_of(place)}}
    tls = plan.clients.security_protocol != "PLAINTEXT"
    ingress: Manifest = {"ingressRef": {"name": INGRESS}}
    if tls:
        ingress["tls"] = {"certificateRef": {"name": f"{fleet.virtual_cluster}-certificate"}}
        access: Manifest = {
            "loadBalancer": {
                "bootstrapAddress": plan.hostname,
                "advertisedBrokerAddressPattern": f"broker-$(nodeId).{plan.hostname}",
            }
        }
    else:
        access = {"clusterIP": {"protocol": "TCP"}}
    return [
        _resource(fleet, "KafkaProxy", fleet.proxy, {"replicas": place.replicas}),
        _resource(fleet, "KafkaProxyIngress", INGRESS, {"proxyRef": {"name": fleet.proxy}, **access, **infrastructure}),
        *(
            _resource(fleet, "KafkaService", name, _service(plan, target, settings))
            for target, name in fleet.services.items()
        ),
        _resource(
            fleet,
            "VirtualKafkaCluster",
            fleet.virtual_cluster,
            {
                "proxyRef": {"name": fleet.proxy},
                "targetKafkaServiceRef": {"name": fleet.services[plan.first_route(site)]},
                "ingresses": [ingress],
            },
        ),
    ]


def around(site: str, fleet: KroxyliciousFleet, settings: Settings) -> list[Manifest]:
    """What stands around them; the operator makes the Services by itself."""
    place = settings.kubernetes.get(site, OnKubernetes())
    labels = {"app.kubernetes.io/name": "kroxylicious", "app.kubernetes.io/instance": fleet.proxy}
    rules = controller_rules(fleet)
    return [
        disruption_budget(fleet.proxy, fleet.namespace, labels),
        *controller_access(f"{fleet.name}-failover", fleet.namespace, rules, place.controller_group),
    ]


def controller_rules(fleet: KroxyliciousFleet) -> list[Manifest]:
    """What the failover controller may do in the fleet's namespace, and nothing else: the rules of a Role."""

    def rule(resource: str, names: list[str], *verbs: str, group: str = "kroxylicious.io") -> Manifest:
        return {"apiGroups": [group], "resources": [resource], "resourceNames": names, "verbs": list(verbs)}

    return [
        rule("virtualkafkaclusters", [fleet.virtual_cluster], "get", "patch"),
        rule("kafkaproxies", [fleet.proxy], "get", "patch"),
        rule("kafkaservices", sorted(set(fleet.services.values())), "get"),
        rule("deployments", [fleet.proxy], "get", group="apps"),
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
    ]


def _service(plan: Plan, target: str, settings: Settings) -> Manifest:
    first, last = settings.node_ids
    ranges = [{"name": "brokers", "start": first, "end": last}]
    if target == FENCED:
        return {"bootstrapServers": NOWHERE, "nodeIdRanges": ranges}
    kafka = plan.sites[target].kafka
    tls: Manifest = {} if kafka.security_protocol == "PLAINTEXT" else {"tls": {}}
    return {"bootstrapServers": kafka.bootstrap, "nodeIdRanges": ranges} | tls


def _resource(fleet: KroxyliciousFleet, kind: str, name: str, spec: Manifest) -> Manifest:
    metadata = {"name": name, "namespace": fleet.namespace}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}
