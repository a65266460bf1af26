"""A gateway fleet on Kubernetes as Confluent for Kubernetes runs it: the Gateway resource, and what belongs around it.

Schema: https://github.com/confluentinc/confluent-kubernetes-examples/tree/master/gateway
"""

from __future__ import annotations

from typing import Final

from failover.errors import UnknownSite
from failover.gateway.cfk_state import certificate
from failover.plan import Plan
from failover.plan_fleets import CfkBlueGreenFleet, CfkFleet
from gateway.config import listening_ports
from gateway.kubernetes import Manifest, controller_access, disruption_budget, load_balancer, over_zones
from gateway.settings import BadSettings, OnKubernetes, Settings

API_VERSION: Final = "platform.confluent.io/v1beta1"
IMAGE: Final = "confluentinc/confluent-gateway-for-cloud:1.4.0"
INIT_IMAGE: Final = "confluentinc/confluent-init-container:3.3.0"
CLUSTER_TLS: Final = "kafka-tls"
_PROBE: Final = {"initialDelaySeconds": 30, "periodSeconds": 5, "timeoutSeconds": 2, "failureThreshold": 3}
LICENCE_SECRET: Final = "gateway-licences"  # noqa: S105 - its name


def gateway_resource(plan: Plan, site: str, fleet: CfkFleet, settings: Settings, replicas: int = 3) -> Manifest:
    """The Gateway of a site's fleet, routed to the site's own cluster, both clusters declared, hot reload on.

    Its configId certifies the route, so that the controller can tell from the first day on who runs it.

    Raises:
        UnknownSite: if the plan has no such site.
    """
    plan.site(site)
    if site not in fleet.domains:
        raise UnknownSite(f"fleet {fleet.name!r} has no streaming domain for {site!r}")
    if settings.auth == "swap":
        raise BadSettings("gateway.auth 'swap' is not rendered for Kubernetes; use passthrough, or write it yourself")
    home = fleet.domains[site]
    spec: Manifest = {
        "replicas": replicas,
        "image": {"application": IMAGE, "init": INIT_IMAGE},
        "hotReload": {"enabled": True},
        "podTemplate": {
            "envVars": [_licence()],
            "resources": {"requests": {"cpu": "2", "memory": "4Gi"}, "limits": {"memory": "4Gi"}},
            "probe": {"readiness": _PROBE, "liveness": _PROBE | {"failureThreshold": 6}},
            "topologySpreadConstraints": over_zones(labels(fleet)),
        },
        "streamingDomains": [_domain(plan, name, fleet, settings) for name in plan.sites],
        "routes": [
            {
                "name": fleet.route,
                "endpoint": plan.bootstrap,
                "brokerIdentificationStrategy": _strategy(plan, settings),
                "streamingDomain": {"name": home.name, "bootstrapServerId": home.bootstrap_server_id},
                "security": _security(plan, fleet, settings),
            }
        ],
    }
    spec["configId"] = f"fo-{certificate(spec, 0)}-rendered"
    metadata = {"name": fleet.gateway, "namespace": fleet.namespace}
    return {"apiVersion": API_VERSION, "kind": "Gateway", "metadata": metadata, "spec": spec}


def labels(fleet: CfkFleet) -> dict[str, str]:
    """Those of the fleet's pods."""
    return {"app": fleet.gateway, "platform.confluent.io/type": "gateway"}


def cfk_resources(plan: Plan, site: str, fleet: CfkFleet, settings: Settings) -> list[Manifest]:
    """The Gateway, and what stands around it.

    Raises:
        UnknownSite, BadSettings: if plan and settings do not fit together.
    """
    place = settings.kubernetes.get(site, OnKubernetes())
    ports = listening_ports({"gateway": gateway_resource(plan, site, fleet, settings)["spec"]})
    return [
        gateway_resource(plan, site, fleet, settings, place.replicas),
        load_balancer(f"{fleet.gateway}-clients", fleet.namespace, labels(fleet), ports, place.cloud),
        disruption_budget(fleet.gateway, fleet.namespace, labels(fleet)),
        *controller_access(f"{fleet.name}-failover", fleet.namespace, controller_rules(fleet), place.controller_group),
    ]


def blue_green_resources(plan: Plan, site: str, fleet: CfkBlueGreenFleet, settings: Settings) -> list[Manifest]:
    """A Gateway for each site, and one Service that leads to that of the fleet's own site.

    Raises:
        UnknownSite, BadSettings: if plan and settings do not fit together.
    """
    place = settings.kubernetes.get(site, OnKubernetes())
    of_sites = {each: fleet.gateway(each) for each in fleet.gateways}
    gateways = {
        each: gateway_resource(plan, each, colour, settings, place.replicas) for each, colour in of_sites.items()
    }
    ports = listening_ports({"gateway": gateways[site]["spec"]})
    access = controller_access(
        f"{fleet.name}-failover", fleet.namespace, blue_green_rules(fleet), place.controller_group
    )
    return [
        *gateways.values(),
        load_balancer(fleet.service, fleet.namespace, labels(of_sites[site]), ports, place.cloud),
        *(disruption_budget(colour.gateway, fleet.namespace, labels(colour)) for colour in of_sites.values()),
        *access,
    ]


def controller_rules(fleet: CfkFleet) -> list[Manifest]:
    """What the failover controller may do in the fleet's namespace, and nothing else: the rules of a Role."""
    return [
        {
            "apiGroups": ["platform.confluent.io"],
            "resources": ["gateways"],
            "resourceNames": [fleet.gateway],
            "verbs": ["get", "patch"],
        },
        {"apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": [fleet.gateway], "verbs": ["get"]},
        # A list can't be narrowed by name; delete replaces what a hot reload does not reach.
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "delete"]},
        {"apiGroups": [""], "resources": ["pods/proxy"], "verbs": ["get"]},
    ]


def blue_green_rules(fleet: CfkBlueGreenFleet) -> list[Manifest]:
    """The same for a fleet in two colours: both Gateways, and the selector of the Service."""
    gateways = sorted(fleet.gateways.values())
    first, deployments, *rest = controller_rules(fleet.gateway(next(iter(fleet.gateways))))
    services = {"apiGroups": [""], "resources": ["services"], "resourceNames": [fleet.service]}
    return [
        first | {"resourceNames": gateways},
        deployments | {"resourceNames": gateways},
        services | {"verbs": ["get", "patch"]},
        *rest,
    ]


def _domain(plan: Plan, name: str, fleet: CfkFleet, settings: Settings) -> Manifest:
    kafka = plan.sites[name].kafka
    domain = fleet.domains[name]
    endpoint = f"{kafka.security_protocol}://{kafka.bootstrap}"
    server: Manifest = {"id": domain.bootstrap_server_id, "endpoint": endpoint}
    if kafka.security_protocol != "PLAINTEXT":
        server["tls"] = {"secretRef": CLUSTER_TLS}
    cluster: Manifest = {"bootstrapServers": [server]}
    if settings.strategy == "port":
        first, last = settings.node_ids
        cluster["nodeIdRanges"] = [{"name": "brokers", "start": first, "end": last}]
    return {"name": domain.name, "type": "kafka", "kafkaCluster": cluster}


def _strategy(plan: Plan, settings: Settings) -> Manifest:
    strategy: Manifest = {"type": settings.strategy}
    if settings.strategy == "host":
        strategy["pattern"] = f"broker-$(nodeId).{plan.bootstrap}"
    return strategy


def _security(plan: Plan, fleet: CfkFleet, settings: Settings) -> Manifest:
    if plan.clients.security_protocol == "PLAINTEXT":
        return {"auth": settings.auth}
    return {"auth": settings.auth, "client": {"tls": {"secretRef": f"{fleet.gateway}-tls"}}}


def _licence() -> Manifest:
    return {
        "name": "GATEWAY_LICENSES",
        "valueFrom": {"secretKeyRef": {"name": LICENCE_SECRET, "key": "licenses.txt"}},
    }
