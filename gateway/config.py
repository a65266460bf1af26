"""The configuration of a gateway container, in the schema of Confluent's Docker image.

Schema: https://github.com/confluentinc/gateway-images/blob/master/examples/CONFIG_GUIDE.md

Both clusters are declared in every configuration; what differs between the configurations of a site is the route. The
image prints its configuration when it starts, so nothing secret may be in it: secrets are files, or come from the
secret store.
"""

from __future__ import annotations

from typing import Any, Final

from failover.errors import UnknownSite
from failover.plan.model import FENCED, Plan
from failover.validation import host_and_port, is_address
from gateway.settings import FILES, BadSettings, Oauth, Settings

ADMIN_PORT: Final = 9190
CLIENT_LOGINS: Final = f"{FILES}/clients.jaas.conf"
CLUSTER_LOGIN: Final = f"{FILES}/cluster.jaas.conf"
CLUSTER_LOGIN_TEMPLATE: Final = (
    'org.apache.kafka.common.security.plain.PlainLoginModule required username="%s" password="%s";\n'
)
_OAUTH_LOGIN: Final = (
    'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required clientId="%s" clientSecret="%s"'
)
_PLAIN_SERVER: Final = "org.apache.kafka.common.security.plain.internals.PlainServerCallbackHandler"

Config = dict[str, Any]


def targets(plan: Plan) -> tuple[str, ...]:
    """What a fleet of the plan can be routed to: each site, and nowhere."""
    return (*plan.sites, FENCED)


def gateway_config(plan: Plan, site: str, target: str, settings: Settings | None = None) -> Config:
    """The configuration of a location's gateways while their route leads to `target`: a site's name, or "fenced".

    Raises:
        UnknownSite: if `site` or `target` is none of the plan's.
        BadSettings: if plan and settings do not fit together.
    """
    settings = settings or Settings()
    region = plan.location(site).region
    if settings.oauth is not None and settings.oauth.jwks_endpoint is not None:
        raise BadSettings(
            "gateway.oauth.jwks_endpoint, clients that log in by tokens, is documented on Kubernetes only"
        )
    if target not in targets(plan):
        raise UnknownSite(f"a route of plan {plan.name!r} leads to {', '.join(targets(plan))}, not to {target!r}")
    check(plan, settings)
    gateway: Config = {
        "name": f"{plan.name}-{site}",
        "admin": {"bindAddress": "0.0.0.0", "port": ADMIN_PORT, "endpoints": {"metrics": True}},  # noqa: S104
        "streamingDomains": [_domain(plan, name, settings) for name in plan.sites],
        "routes": [_route(plan, plan.first_route(site) if target == FENCED else target, settings)],
    }
    if settings.auth == "swap":
        gateway["secretStores"] = [_secret_store(plan, name, region, settings) for name in plan.sites]
    if target == FENCED:
        # Every request is answered with an error that clients retry; none is forwarded.
        gateway["routes"][0]["fence"] = {"scope": "ALL", "errorCode": "BROKER_NOT_AVAILABLE"}
    return {"gateway": gateway}


def cluster_login(plan: Plan, site: str, settings: Settings) -> str:
    """The template of the gateway's login to a site's cluster: two `%s` for what the secret store has for a client.

    Raises:
        UnknownSite: if the plan has no such site.
    """
    cluster = plan.site(site).kafka.cluster_id
    if settings.oauth is None:
        return CLUSTER_LOGIN_TEMPLATE
    pool = settings.oauth.identity_pools.get(site)
    # https://docs.confluent.io/cloud/current/access-management/authenticate/oauth/configure-clients-oauth.html
    of_cluster = f' extension_logicalCluster="{cluster}" extension_identityPoolId="{pool}"' if pool else ""
    return f"{_OAUTH_LOGIN}{of_cluster};\n"


def allowed_urls(oauth: Oauth) -> str:
    """The option of the JVM without which it asks none of these endpoints, for `GATEWAY_OPTS`."""
    urls = [url for url in (oauth.jwks_endpoint, oauth.token_endpoint) if url is not None]
    return f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={','.join(urls)}"


def listening_ports(config: Config) -> tuple[int, ...]:
    """The ports on which the configuration's routes take clients.

    The `port` strategy takes the endpoint's port for the bootstrap and the next ones for the node ids, in their order.
    """
    gateway = config["gateway"]
    domains = {domain["name"]: domain["kafkaCluster"] for domain in gateway["streamingDomains"]}
    ports: list[int] = []
    for route in gateway["routes"]:
        first = _port(route["endpoint"])
        nodes = 0
        if route["brokerIdentificationStrategy"]["type"] == "port":
            ranges = domains[route["streamingDomain"]["name"]]["nodeIdRanges"]
            nodes = sum(range_["end"] - range_["start"] + 1 for range_ in ranges)
        ports += range(first, first + 1 + nodes)
    return tuple(ports)


def _domain(plan: Plan, name: str, settings: Settings) -> Config:
    kafka = plan.sites[name].kafka
    server: Config = {"id": _server_id(name), "endpoint": kafka.bootstrap}
    if kafka.security_protocol != "PLAINTEXT":
        server["ssl"] = {"truststore": {"type": "PEM", "location": settings.truststore}}
    cluster: Config = {"name": kafka.cluster_id, "bootstrapServers": [server]}
    if settings.strategy == "port":
        first, last = settings.node_ids
        cluster["nodeIdRanges"] = [{"name": "brokers", "start": first, "end": last}]
    return {"name": name, "type": "kafka", "kafkaCluster": cluster}


def _route(plan: Plan, domain: str, settings: Settings) -> Config:
    strategy: Config = {"type": settings.strategy}
    if settings.strategy == "host":
        strategy["pattern"] = f"broker-$(nodeId).{plan.bootstrap}"
    return {
        "name": plan.name,
        "endpoint": plan.bootstrap,
        "brokerIdentificationStrategy": strategy,
        "streamingDomain": {"name": domain, "bootstrapServerId": _server_id(domain)},
        "security": _security(plan, domain, settings),
    }


def _security(plan: Plan, domain: str, settings: Settings) -> Config:
    security: Config = {"auth": settings.auth}
    if plan.clients.security_protocol != "PLAINTEXT":
        security["ssl"] = {"keystore": {"type": "PEM", "location": settings.keystore}}
    if settings.auth == "swap":
        security["swapConfig"] = {
            "clientAuth": {
                "sasl": {
                    "mechanism": "PLAIN",
                    "callbackHandlerClass": _PLAIN_SERVER,
                    "jaasConfig": {"file": CLIENT_LOGINS},
                }
            },
            "secretStore": domain,
            "clusterAuth": {"sasl": _cluster_sasl(settings)},
        }
    if headers := settings.extension_headers.get(domain):
        security["passthroughConfig"] = {"sasl": {"extensionHeaders": dict(headers)}}
    return security


def _cluster_sasl(settings: Settings) -> Config:
    login: Config = {"mechanism": "PLAIN", "jaasConfig": {"file": CLUSTER_LOGIN}}
    if settings.oauth is None:
        return login
    return login | {"mechanism": "OAUTHBEARER", "oauth": {"tokenEndpointUri": settings.oauth.token_endpoint}}


def _secret_store(plan: Plan, name: str, region: str, settings: Settings) -> Config:
    """The logins to one cluster: secret `<prefix><site>/<client>` = `<API key>:<API secret>`.

    In the fleet's own region, for both clusters: a replica there is all a fleet needs of a region that is lost.
    """
    path = f"{secret_prefix(plan, settings)}{name}/"
    config = {"region": region, "prefixPath": path, "separator": ":"}
    return {"name": name, "provider": {"type": "AWS", "config": config}}


def secret_prefix(plan: Plan, settings: Settings) -> str:
    """How the names of the clients' secrets begin, for both clusters."""
    return f"gateway/{plan.name}/" if settings.secret_prefix is None else settings.secret_prefix


def _server_id(site: str) -> str:
    return f"{site}-kafka"


def _port(endpoint: str) -> int:
    return int(endpoint.rpartition(":")[2])


def check(plan: Plan, settings: Settings) -> None:
    """Whether plan and settings fit together.

    Raises:
        UnknownSite, BadSettings: if they do not.
    """
    endpoints = {"bootstrap": plan.bootstrap}
    endpoints |= {f"sites.{name}.kafka.bootstrap": site.kafka.bootstrap for name, site in plan.sites.items()}
    for path, endpoint in endpoints.items():
        if "," in endpoint:
            raise BadSettings(f"{path} of plan {plan.name!r} is a list, {endpoint}; the gateway takes one host:port")
    _check_strategy(plan, settings)
    for location in (*settings.ecs, *settings.kubernetes):
        plan.location(location)
    for site in settings.extension_headers:
        plan.site(site)
    if settings.extension_headers and settings.auth != "passthrough":
        raise BadSettings("gateway.extension_headers are of tokens that pass through: they need auth passthrough")
    if settings.extension_headers and settings.extension_headers.keys() != plan.sites.keys():
        raise BadSettings(f"gateway.extension_headers must name those of each site: {', '.join(plan.sites)}")
    if settings.oauth is not None:
        _check_oauth(plan, settings.auth, settings.oauth)


def _check_strategy(plan: Plan, settings: Settings) -> None:
    first, last = settings.node_ids
    if first > last:
        raise BadSettings(f"gateway.node_ids must be [first, last], not [{first}, {last}]")
    if settings.strategy == "port" and _port(plan.bootstrap) + last - first + 1 > 65_535:
        raise BadSettings(f"gateway.node_ids needs {last - first + 1} ports after {plan.bootstrap}, beyond 65535")
    if settings.strategy == "host" and plan.clients.security_protocol == "PLAINTEXT":
        raise BadSettings(
            "gateway.strategy 'host' tells brokers apart by TLS server name, but clients.security_protocol of plan "
            f"{plan.name!r} is PLAINTEXT: use the strategy 'port', or TLS"
        )
    if settings.strategy == "host" and is_address(host_and_port(plan.bootstrap)[0]):
        raise BadSettings(
            f"gateway.strategy 'host' tells brokers apart by names before that of bootstrap, and {plan.bootstrap} is an"
            " address: use the strategy 'port', or a name"
        )


def _check_oauth(plan: Plan, auth: str, oauth: Oauth) -> None:
    for site in oauth.identity_pools:
        plan.site(site)
    if auth == "swap" and oauth.token_endpoint is None:
        raise BadSettings("gateway.oauth.token_endpoint is missing: a gateway that swaps logins gets its tokens there")
    if auth != "swap" and (oauth.jwks_endpoint is None or oauth.identity_pools or oauth.token_endpoint):
        raise BadSettings(
            "gateway.oauth with auth passthrough says how clients' tokens are checked: it takes jwks_endpoint, audience"
            " and issuer; token_endpoint and identity_pools are of gateways that swap logins"
        )
    if oauth.identity_pools and len(oauth.identity_pools) < len(plan.sites):
        raise BadSettings(f"gateway.oauth.identity_pools must name a pool for each site: {', '.join(plan.sites)}")
