"""A gateway fleet on Kubernetes as Confluent for Kubernetes runs it: the Gateway resource, and what belongs around it.

Schema: https://github.com/confluentinc/confluent-kubernetes-examples/tree/master/gateway
"""

from __future__ import annotations

import re
from typing import Final

from failover.errors import UnknownSite
from failover.plan.fleets import CfkBlueGreenFleet, CfkFleet
from failover.plan.gateway_route import certificate
from failover.plan.model import Plan
from gateway.config import allowed_urls, check, listening_ports
from gateway.kubernetes import Manifest, controller_access, disruption_budget, load_balancer, over_zones
from gateway.settings import BadSettings, Oauth, OnKubernetes, Settings

API_VERSION: Final = "platform.confluent.io/v1beta1"
IMAGE: Final = "confluentinc/confluent-gateway-for-cloud:1.4.0"
INIT_IMAGE: Final = "confluentinc/confluent-init-container:3.3.0"
CLUSTER_TLS: Final = "kafka-tls"
CLIENT_LOGINS: Final = "gateway-client-logins"
CLUSTER_LOGIN: Final = "cluster-login"
STORE_CONFIG: Final = "gateway-store"
STORE_LOGINS: Final = "gateway-logins"
SECRET_NAME: Final = re.compile(r"(?=.{1,30}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?")
"""What the resource takes as a reference to a Secret; a longer name is refused when it is applied."""
_PROBE: Final = {"initialDelaySeconds": 30, "periodSeconds": 5, "timeoutSeconds": 2, "failureThreshold": 3}
LICENCE_SECRET: Final = "gateway-licences"  # noqa: S105 - its name


def gateway_resource(plan: Plan, site: str, fleet: CfkFleet, settings: Settings, replicas: int = 3) -> Manifest:
    """The Gateway of a fleet, routed to that site's cluster, both clusters declared.

    With hot reload it has a configId that certifies the route, so that the controller can tell from the first day on
    who runs it.

    Raises:
        UnknownSite: if the plan has no such site.
        BadSettings: if plan and settings do not fit together.
    """
    plan.site(site)
    if site not in fleet.domains:
        raise UnknownSite(f"fleet {fleet.name!r} has no streaming domain for {site!r}")
    check(plan, settings)
    if any(domain.extension_headers for domain in fleet.domains.values()) and (
        settings.auth != "passthrough" or settings.oauth is None
    ):
        raise BadSettings(
            f"fleet {fleet.name!r} has domains with extension_headers, which are of clients' tokens that pass through:"
            " they need gateway.auth passthrough and gateway.oauth with jwks_endpoint and audience"
        )
    home = fleet.domains[site]
    spec: Manifest = {
        "replicas": replicas,
        "image": {"application": IMAGE, "init": INIT_IMAGE},
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
        spec["secretStores"] = [_secret_store(fleet, name) for name in plan.sites]
    if settings.hot_reload:
        spec["hotReload"] = {"enabled": True}
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
    gateway = gateway_resource(plan, plan.first_route(site), fleet=fleet, settings=settings, replicas=place.replicas)
    ports = listening_ports({"gateway": gateway["spec"]})
    return [
        gateway,
        load_balancer(f"{fleet.gateway}-clients", fleet.namespace, selector=labels(fleet), ports=ports, place=place),
        disruption_budget(fleet.gateway, fleet.namespace, labels(fleet)),
        *controller_access(f"{fleet.name}-failover", fleet.namespace, controller_rules(fleet), place.controller_group),
    ]


def blue_green_resources(plan: Plan, site: str, fleet: CfkBlueGreenFleet, settings: Settings) -> list[Manifest]:
    """A Gateway for each site, and one Service that leads to that which clients are led to at first.

    Raises:
        UnknownSite, BadSettings: if plan and settings do not fit together.
    """
    place = settings.kubernetes.get(site, OnKubernetes())
    of_sites = {name: fleet.gateway(name) for name in fleet.gateways}
    gateways = {
        name: gateway_resource(plan, name, fleet=colour, settings=settings, replicas=place.replicas)
        for name, colour in of_sites.items()
    }
    first = plan.first_route(site)
    ports = listening_ports({"gateway": gateways[first]["spec"]})
    access = controller_access(
        f"{fleet.name}-failover", fleet.namespace, blue_green_rules(fleet), place.controller_group
    )
    return [
        *gateways.values(),
        load_balancer(fleet.service, fleet.namespace, selector=labels(of_sites[first]), ports=ports, place=place),
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
        server["tls"] = _secret(CLUSTER_TLS)
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
        client["tls"] = _secret(f"{fleet.gateway}-tls")
    if settings.auth == "swap":
        security["secretStore"] = _store(fleet, site)
        client["authentication"] = _client_login(settings)
        security["cluster"] = {"authentication": _cluster_login(site, settings)}
    elif settings.oauth is not None:
        client["authentication"] = _tokens(settings.oauth)
        if headers := fleet.domains[site].extension_headers:
            security["cluster"] = {"extensionHeaders": dict(headers)}
    return security | ({"client": client} if client else {})


def _client_login(settings: Settings) -> Manifest:
    login: Manifest = {"type": "plain", "jaasConfigPassThrough": _secret(CLIENT_LOGINS)}
    if settings.oauth is None or settings.oauth.jwks_endpoint is None:
        return login
    return login | _tokens(settings.oauth)


def _tokens(oauth: Oauth) -> Manifest:
    """How clients' own tokens are checked."""
    checks = {"jwksEndpointUri": oauth.jwks_endpoint, "expectedIssuer": oauth.issuer, "audience": oauth.audience}
    return {"type": "oauth", "oauthSettings": {name: value for name, value in checks.items() if value}}


def _cluster_login(site: str, settings: Settings) -> Manifest:
    if settings.oauth is None:
        return {"type": "plain", "jaasConfigPassThrough": _secret(CLUSTER_LOGIN)}
    # Where the login names its cluster, each site's has a secret of its own.
    secret = f"{CLUSTER_LOGIN}-{site}" if settings.oauth.identity_pools else CLUSTER_LOGIN
    endpoint = {"tokenEndpointUri": settings.oauth.token_endpoint}
    return {"type": "oauth", "jaasConfigPassThrough": _secret(secret), "oauthSettings": endpoint}


def _secret_store(fleet: CfkFleet, site: str) -> Manifest:
    """The clients' logins to one cluster, in a Secret of the Kubernetes cluster: nothing else need be alive for it."""
    logins = _secret(f"{STORE_LOGINS}-{site}")["secretRef"]
    config = {"type": "File", "configSecretRef": STORE_CONFIG, "clientCredentialsRef": logins}
    return {"name": _store(fleet, site), "provider": config}


def _secret(name: str) -> Manifest:
    """A reference to a Secret.

    Raises:
        BadSettings: the resource would be refused with it.
    """
    if not SECRET_NAME.fullmatch(name):
        raise BadSettings(
            f"the Secret {name!r} can't be named in a Gateway, which takes 30 lower-case letters, digits and -:"
            " shorten the name of the gateway or of the site that it ends with"
        )
    return {"secretRef": name}


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
