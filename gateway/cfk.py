"""A gateway fleet on Kubernetes as Confluent for Kubernetes runs it: the Gateway resource, and what belongs around it.

Schema: https://github.com/confluentinc/confluent-kubernetes-examples/tree/master/gateway
"""

from __future__ import annotations

from typing import Final

from failover.errors import UnknownSite
from failover.fleets.cfk_state import certificate
from failover.plan.fleets import CfkBlueGreenFleet, CfkFleet
from failover.plan.model import Plan
from gateway.config import allowed_urls, check, listening_ports
from gateway.kubernetes import Manifest, controller_access, disruption_budget, load_balancer, over_zones
from gateway.settings import BadSettings, OnKubernetes, Settings

API_VERSION: Final = "platform.confluent.io/v1beta1"
IMAGE: Final = "confluentinc/confluent-gateway-for-cloud:1.4.0"
INIT_IMAGE: Final = "confluentinc/confluent-init-container:3.3.0"
CLUSTER_TLS: Final = "kafka-tls"
CLIENT_LOGINS: Final = "gateway-client-logins"
CLUSTER_LOGIN: Final = "gateway-cluster-login"
STORE_CONFIG: Final = "gateway-store"
STORE_LOGINS: Final = "gateway-logins"
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
    check(plan, settings)
    home = fleet.domains[site]
    spec: Manifest = {
        "replicas": replicas,
        "image": {"application": IMAGE, "init": INIT_IMAGE},
        "hotReload": {"enabled": True},
        "podTemplate": {
            "envVars": [_licence(), *_options(settings)],
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
                "security": _security(plan, site, fleet, settings),
            }
        ],
    }
    if settings.auth == "swap":
        spec["secretStores"] = [_secret_store(fleet, each) for each in plan.sites]
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
    if settings.oauth is not None and settings.oauth.identity_pools:
        raise BadSettings(
            f"fleet {fleet.name!r} of kind cfk can't log in by gateway.oauth.identity_pools: the login names its"
            " cluster, and would not change with the route; take the kind cfk-blue-green, with a login each"
        )
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


def _security(plan: Plan, site: str, fleet: CfkFleet, settings: Settings) -> Manifest:
    security: Manifest = {"auth": settings.auth}
    client: Manifest = {}
    if plan.clients.security_protocol != "PLAINTEXT":
        client["tls"] = {"secretRef": f"{fleet.gateway}-tls"}
    if settings.auth == "swap":
        security["secretStore"] = _store(fleet, site)
        client["authentication"] = _client_login(settings)
        security["cluster"] = {"authentication": _cluster_login(site, settings)}
    return security | ({"client": client} if client else {})


def _client_login(settings: Settings) -> Manifest:
    login: Manifest = {"type": "plain", "jaasConfigPassThrough": {"secretRef": CLIENT_LOGINS}}
    oauth = settings.oauth
    if oauth is None or oauth.jwks_endpoint is None:
        return login
    asked = {"jwksEndpointUri": oauth.jwks_endpoint, "expectedIssuer": oauth.issuer, "audience": oauth.audience}
    return login | {"type": "oauth", "oauthSettings": {name: value for name, value in asked.items() if value}}


def _cluster_login(site: str, settings: Settings) -> Manifest:
    if settings.oauth is None:
        return {"type": "plain", "jaasConfigPassThrough": {"secretRef": CLUSTER_LOGIN}}
    # Where the login names its cluster, each site's has a secret of its own.
    secret = f"{CLUSTER_LOGIN}-{site}" if settings.oauth.identity_pools else CLUSTER_LOGIN
    endpoint = {"tokenEndpointUri": settings.oauth.token_endpoint}
    return {"type": "oauth", "jaasConfigPassThrough": {"secretRef": secret}, "oauthSettings": endpoint}


def _secret_store(fleet: CfkFleet, site: str) -> Manifest:
    """The clients' logins to one cluster, in a Secret of the Kubernetes cluster: nothing else need be alive for it."""
    config = {"type": "File", "configSecretRef": STORE_CONFIG, "clientCredentialsRef": f"{STORE_LOGINS}-{site}"}
    return {"name": _store(fleet, site), "provider": config}


def _store(fleet: CfkFleet, site: str) -> str:
    store = fleet.domains[site].secret_store
    if store is None:
        raise BadSettings(
            f"fleet {fleet.name!r} swaps logins, but its domains.{site}.secret_store is not in the plan: after a"
            " failover it would log in with those of the other cluster"
        )
    return store


def _options(settings: Settings) -> list[Manifest]:
    return [] if settings.oauth is None else [{"name": "GATEWAY_OPTS", "value": allowed_urls(settings.oauth)}]


def _licence() -> Manifest:
    return {
        "name": "GATEWAY_LICENSES",
        "valueFrom": {"secretKeyRef": {"name": LICENCE_SECRET, "key": "licenses.txt"}},
    }
