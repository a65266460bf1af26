"""The configuration of a gateway container, as Confluent's image reads it: GATEWAY_CONFIG_FILE, else GATEWAY_CONFIG,
else GATEWAY_CONFIG_TEMPLATE (https://github.com/confluentinc/gateway-images/blob/master/examples/CONFIG_GUIDE.md).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator


class BadGatewayConfig(ValueError):
    """The container can't start with this configuration."""


def address(endpoint: str) -> tuple[str, int]:
    """Host and port of `host:port`, with an optional `PROTOCOL://` before it.

    Raises:
        ValueError: if it is none.
    """
    host, _, port = endpoint.rpartition("://")[2].rpartition(":")
    if not host or "," in host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise ValueError(f"must be one host:port, not {endpoint!r}")
    return host, int(port)


def protocol(endpoint: str) -> str | None:
    """What stands before `://`, if anything does."""
    return endpoint.partition("://")[0] if "://" in endpoint else None


def _checked(endpoint: str) -> str:
    address(endpoint)
    return endpoint


Endpoint = Annotated[str, AfterValidator(_checked)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Store(_Part):
    """A truststore or a keystore."""

    type: str | None = None
    location: str | None = None
    password: Secret | None = None
    key_password: Secret | None = Field(default=None, alias="keyPassword")


class Secret(_Part):
    """A password: the file that holds it, or itself."""

    file: str | None = None
    value: str | None = None


class Ssl(_Part):
    """TLS of one side of the gateway."""

    ignore_trust: bool = Field(default=False, alias="ignoreTrust")
    truststore: Store | None = None
    keystore: Store | None = None
    client_auth: str | None = Field(default=None, alias="clientAuth")


class BootstrapServer(_Part):
    """`endpoint` is one `host:port`, with an optional `PROTOCOL://` before it."""

    id: str
    endpoint: Endpoint
    ssl: Ssl | None = None


class NodeIdRange(_Part):
    """Node ids from `start` to `end`, both in it."""

    name: str
    start: int = Field(ge=0)
    end: int = Field(ge=0)

    @model_validator(mode="after")
    def _runs_upwards(self) -> Self:
        if self.end < self.start:
            raise ValueError(f"node id range {self.name!r} ends before it starts: {self.start} to {self.end}")
        return self


class KafkaCluster(_Part):
    """A cluster and the ids its brokers may have."""

    name: str
    bootstrap_servers: tuple[BootstrapServer, ...] = Field(alias="bootstrapServers", min_length=1)
    node_id_ranges: tuple[NodeIdRange, ...] = Field(
        default=(NodeIdRange(name="default", start=0, end=2),), alias="nodeIdRanges"
    )

    def node_ids(self) -> list[int]:
        """Every node id of the ranges, in order."""
        return sorted({node for each in self.node_id_ranges for node in range(each.start, each.end + 1)})


class StreamingDomain(_Part):
    """A cluster that routes can lead to."""

    name: str
    type: Literal["kafka"]
    kafka_cluster: KafkaCluster = Field(alias="kafkaCluster")


class Strategy(_Part):
    """How a client tells brokers apart: a port each, or a host name each (which needs TLS)."""

    type: Literal["port", "host"]
    pattern: str | None = None

    @model_validator(mode="after")
    def _names_the_node(self) -> Self:
        if self.type == "host" and not re.fullmatch(r"[^:]*\$\(nodeId\)[^:]*(:[0-9]{1,5})?", self.pattern or ""):
            raise ValueError("the strategy 'host' needs a pattern that holds $(nodeId), then perhaps a port")
        return self


class DomainReference(_Part):
    """The domain a route leads to, and which of its bootstrap servers."""

    name: str
    bootstrap_server_id: str = Field(alias="bootstrapServerId")


class JaasConfig(_Part):
    """The file that holds a JAAS configuration."""

    file: str


class OAuth(_Part):
    """Where tokens come from."""

    token_endpoint_uri: str = Field(alias="tokenEndpointUri")


class Sasl(_Part):
    """How one side of a swap authenticates."""

    mechanism: str
    callback_handler_class: str | None = Field(default=None, alias="callbackHandlerClass")
    jaas_config: JaasConfig | None = Field(default=None, alias="jaasConfig")
    connections_max_reauth_ms: int | None = Field(default=None, alias="connectionsMaxReauthMs")
    oauth: OAuth | None = None


class Authentication(_Part):
    """One side of a swap."""

    sasl: Sasl


class SwapConfig(_Part):
    """Whose credentials come in, and where those come from that go on."""

    client_auth: Authentication = Field(alias="clientAuth")
    secret_store: str = Field(alias="secretStore")
    cluster_auth: Authentication = Field(alias="clusterAuth")


class SecretProvider(_Part):
    """A kind of secret store, and its own settings."""

    type: Literal["VAULT", "AWS", "AZURE"]
    config: dict[str, Any] = {}


class SecretStore(_Part):
    """Where a swap finds credentials."""

    name: str
    provider: SecretProvider


class Security(_Part):
    """What the gateway does with a client's credentials."""

    auth: Literal["passthrough", "swap"] = "passthrough"
    ssl: Ssl | None = None
    swap_config: SwapConfig | None = Field(default=None, alias="swapConfig")


class Fence(_Part):
    """Answer every request with an error that clients retry."""

    scope: Literal["ALL"] = "ALL"
    error_code: Literal["BROKER_NOT_AVAILABLE"] = Field(default="BROKER_NOT_AVAILABLE", alias="errorCode")


class RouteConfig(_Part):
    """One route: where clients come, and where they are led."""

    name: str
    endpoint: Endpoint
    strategy: Strategy = Field(alias="brokerIdentificationStrategy")
    streaming_domain: DomainReference = Field(alias="streamingDomain")
    security: Security = Security()
    fence: Fence | None = None


class Endpoints(_Part):
    """What the admin server shows."""

    metrics: bool = True


class Admin(_Part):
    """The admin server."""

    bind_address: str = Field(default="0.0.0.0", alias="bindAddress")
    port: int = 9190
    endpoints: Endpoints = Endpoints()
    jvm_metrics: tuple[str, ...] = Field(default=(), alias="jvmMetrics")
    common_tags: dict[str, str] = Field(default_factory=dict, alias="commonTags")


class Gateway(_Part):
    """The whole configuration, under the key `gateway`."""

    name: str
    streaming_domains: tuple[StreamingDomain, ...] = Field(alias="streamingDomains", min_length=1)
    routes: tuple[RouteConfig, ...] = Field(min_length=1)
    secret_stores: tuple[SecretStore, ...] = Field(default=(), alias="secretStores")
    admin: Admin = Admin()
    # Where a container's configuration holds it is not documented; `GET /config` tells it.
    config_id: str | None = Field(default=None, alias="configId", pattern=r"^[a-zA-Z0-9._:-]{1,64}$")

    @model_validator(mode="after")
    def _names_each_once(self) -> Self:
        for kind, names in (
            ("streaming domain", [each.name for each in self.streaming_domains]),
            ("route", [each.name for each in self.routes]),
        ):
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"more than one {kind} is called {', '.join(twice)}")
        return self

    def cluster_of(self, route: RouteConfig) -> tuple[KafkaCluster, BootstrapServer]:
        """The cluster and the bootstrap server a route leads to.

        Raises:
            BadGatewayConfig: if it names none.
        """
        for domain in self.streaming_domains:
            if domain.name == route.streaming_domain.name:
                for server in domain.kafka_cluster.bootstrap_servers:
                    if server.id == route.streaming_domain.bootstrap_server_id:
                        return domain.kafka_cluster, server
        named = f"{route.streaming_domain.name}/{route.streaming_domain.bootstrap_server_id}"
        raise BadGatewayConfig(f"route {route.name!r} leads to {named!r}, which no streamingDomain has")


class _Document(_Part):
    gateway: Gateway


def from_environment(environment: Mapping[str, str]) -> Gateway:
    """The configuration the container was given.

    Raises:
        BadGatewayConfig: if there is none, or it is not of the documented schema.
    """
    if path := environment.get("GATEWAY_CONFIG_FILE"):
        return parse(_text_of("GATEWAY_CONFIG_FILE", path))
    if text := environment.get("GATEWAY_CONFIG"):
        return parse(text)
    if path := environment.get("GATEWAY_CONFIG_TEMPLATE"):
        return parse(_text_of("GATEWAY_CONFIG_TEMPLATE", path))
    raise BadGatewayConfig("set GATEWAY_CONFIG_FILE, GATEWAY_CONFIG or GATEWAY_CONFIG_TEMPLATE")


def parse(text: str) -> Gateway:
    """The configuration in a YAML text.

    Raises:
        BadGatewayConfig: naming every wrong field.
    """
    try:
        gateway = _Document.model_validate(yaml.safe_load(text)).gateway
    except yaml.YAMLError as error:
        raise BadGatewayConfig(f"the configuration is not YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        lines = (f"  {'.'.join(map(str, problem['loc'])) or '(all)'}: {problem['msg']}" for problem in error.errors())
        raise BadGatewayConfig("wrong fields in the configuration:\n" + "\n".join(lines)) from None
    for route in gateway.routes:
        cluster, _ = gateway.cluster_of(route)
        last = address(route.endpoint)[1] + len(cluster.node_ids())
        if route.strategy.type == "port" and last > 65_535:
            raise BadGatewayConfig(f"route {route.name!r}: its nodes need ports up to {last}, beyond 65535")
    return gateway


def _text_of(variable: str, path: str) -> str:
    try:
        return Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise BadGatewayConfig(f"can't read {path}, which {variable} names: {error}") from None
