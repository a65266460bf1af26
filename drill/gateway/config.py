"""The configuration of a gateway container, as Confluent's image reads it: GATEWAY_CONFIG_FILE, else GATEWAY_CONFIG,
else GATEWAY_CONFIG_TEMPLATE (https://github.com/confluentinc/gateway-images/blob/master/examples/CONFIG_GUIDE.md).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

import yaml

from drill.gateway.shape import Misfit, read

_CONFIG_ID: Final = re.compile(r"[a-zA-Z0-9._:-]{1,64}")
_PATTERN: Final = re.compile(r"[^:]*\$\(nodeId\)[^:]*(:[0-9]{1,5})?")
_PROVIDERS: Final = ("VAULT", "AWS", "AZURE", "FILE", "CYBERARK")
_LONGEST_MESSAGE: Final = 256
_OWN_ID: Final = "$(gatewayNodeId)"


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


@dataclass(frozen=True, kw_only=True)
class Store:
    """A truststore or a keystore."""

    type: str | None = None
    location: str | None = None
    password: Secret | None = None
    key_password: Secret | None = None


@dataclass(frozen=True, kw_only=True)
class Secret:
    """A password: the file that holds it, or itself."""

    file: str | None = None
    value: str | None = None


@dataclass(frozen=True, kw_only=True)
class Ssl:
    """TLS of one side of the gateway."""

    ignore_trust: bool = False
    truststore: Store | None = None
    keystore: Store | None = None
    client_auth: str | None = None


@dataclass(frozen=True, kw_only=True)
class BootstrapServer:
    """`endpoint` is one `host:port`, with an optional `PROTOCOL://` before it."""

    id: str
    endpoint: str
    ssl: Ssl | None = None

    def __post_init__(self) -> None:
        address(self.endpoint)


@dataclass(frozen=True, kw_only=True)
class NodeIdRange:
    """Node ids from `start` to `end`, both in it."""

    name: str
    start: int
    end: int

    def __post_init__(self) -> None:
        if self.start < 0:
            raise ValueError(f"node id range {self.name!r} starts below 0")
        if self.end < self.start:
            raise ValueError(f"node id range {self.name!r} ends before it starts: {self.start} to {self.end}")


@dataclass(frozen=True, kw_only=True)
class KafkaCluster:
    """A cluster and the ids its brokers may have."""

    name: str | None = None
    """By default the domain's."""
    bootstrap_servers: tuple[BootstrapServer, ...]
    node_id_ranges: tuple[NodeIdRange, ...] = (NodeIdRange(name="default", start=0, end=2),)

    def __post_init__(self) -> None:
        if not self.bootstrap_servers:
            raise ValueError("bootstrapServers must have at least 1 server")

    def node_ids(self) -> list[int]:
        """Every node id of the ranges, in order."""
        return sorted({node for span in self.node_id_ranges for node in range(span.start, span.end + 1)})


@dataclass(frozen=True, kw_only=True)
class StreamingDomain:
    """A cluster that routes can lead to."""

    name: str
    type: Literal["kafka"] = "kafka"
    kafka_cluster: KafkaCluster

    def __post_init__(self) -> None:
        if self.kafka_cluster.name is None:
            object.__setattr__(self, "kafka_cluster", replace(self.kafka_cluster, name=self.name))


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """How a client tells brokers apart: a port each, or a host name each (which needs TLS)."""

    type: Literal["port", "host"]
    pattern: str | None = None

    def __post_init__(self) -> None:
        if self.type == "host" and not _PATTERN.fullmatch(self.pattern or ""):
            raise ValueError("the strategy 'host' needs a pattern that holds $(nodeId), then perhaps a port")


@dataclass(frozen=True, kw_only=True)
class DomainReference:
    """The domain a route leads to, and which of its bootstrap servers."""

    name: str
    bootstrap_server_id: str


@dataclass(frozen=True, kw_only=True)
class JaasConfig:
    """The file that holds a JAAS configuration."""

    file: str


@dataclass(frozen=True, kw_only=True)
class OAuth:
    """Where tokens come from."""

    token_endpoint_uri: str


@dataclass(frozen=True, kw_only=True)
class Sasl:
    """How one side of a swap authenticates."""

    mechanism: str
    callback_handler_class: str | None = None
    jaas_config: JaasConfig | None = None
    connections_max_reauth_ms: int | None = None
    oauth: OAuth | None = None
    scram: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class ClientAuthentication:
    """How clients log in at a route that swaps: by SASL, or by a certificate."""

    sasl: Sasl | None = None
    ssl: dict[str, Any] | None = None
    mtls: dict[str, Any] | None = None
    connections_max_re_auth_ms: int | None = None

    def __post_init__(self) -> None:
        if self.sasl is None and self.ssl is None and self.mtls is None:
            raise ValueError("needs sasl, ssl or mtls")


@dataclass(frozen=True, kw_only=True)
class ClusterAuthentication:
    """How a route that swaps logs in at the cluster."""

    sasl: Sasl


@dataclass(frozen=True, kw_only=True)
class SwapConfig:
    """Whose credentials come in, and where those come from that go on."""

    client_auth: ClientAuthentication
    secret_store: str
    cluster_auth: ClusterAuthentication


@dataclass(frozen=True, kw_only=True)
class SecretProvider:
    """A kind of secret store, and its own settings."""

    type: str
    """In any case."""
    config: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.type.upper() not in _PROVIDERS:
            raise ValueError(f"type must be one of {', '.join(_PROVIDERS)}, not {self.type!r}")
        object.__setattr__(self, "type", self.type.upper())


@dataclass(frozen=True, kw_only=True)
class SecretStore:
    """Where a swap finds credentials."""

    name: str
    provider: SecretProvider


@dataclass(frozen=True, kw_only=True)
class Security:
    """What the gateway does with a client's credentials."""

    auth: Literal["passthrough", "swap"] = "passthrough"
    ssl: Ssl | None = None
    swap_config: SwapConfig | None = None
    passthrough_config: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Fence:
    """Answer every request with an error that clients retry, if its scope is all."""

    scope: Literal["ALL", "NONE", "all", "none"]
    error_code: Literal["BROKER_NOT_AVAILABLE"] = "BROKER_NOT_AVAILABLE"
    error_message: str = ""

    def __post_init__(self) -> None:
        if len(self.error_message) > _LONGEST_MESSAGE:
            raise ValueError(f"errorMessage must have {_LONGEST_MESSAGE} characters at most")


@dataclass(frozen=True, kw_only=True)
class RouteConfig:
    """One route: where clients come, and where they are led."""

    name: str
    endpoint: str
    strategy: Strategy = field(metadata={"name": "brokerIdentificationStrategy"})
    streaming_domain: DomainReference
    security: Security = Security()
    fence: Fence | None = None

    def __post_init__(self) -> None:
        address(self.endpoint)

    @property
    def fenced(self) -> bool:
        """Whether its fence is shut."""
        return self.fence is not None and self.fence.scope.upper() == "ALL"


@dataclass(frozen=True, kw_only=True)
class Endpoints:
    """What the admin server shows."""

    metrics: bool = True


@dataclass(frozen=True, kw_only=True)
class Admin:
    """The admin server."""

    bind_address: str = "0.0.0.0"
    port: int = 9190
    endpoints: Endpoints = Endpoints()
    jvm_metrics: tuple[str, ...] = ()
    common_tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Advanced:
    """How it does its input and output."""

    use_io_uring: bool = False


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """The whole configuration, under the key `gateway`."""

    name: str = "gateway"
    streaming_domains: tuple[StreamingDomain, ...]
    routes: tuple[RouteConfig, ...]
    secret_stores: tuple[SecretStore, ...] = ()
    admin: Admin = Admin()
    advanced: Advanced = Advanced()
    schema_validation: dict[str, Any] | None = None
    # Where a container's configuration holds it is not documented; `GET /config` tells it.
    config_id: str | None = None

    def __post_init__(self) -> None:
        if self.config_id is not None and not _CONFIG_ID.fullmatch(self.config_id):
            raise ValueError(f"configId {self.config_id!r} must match {_CONFIG_ID.pattern}")
        for kind, names in (
            ("streaming domain", [domain.name for domain in self.streaming_domains]),
            ("route", [route.name for route in self.routes]),
        ):
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"more than one {kind} is called {', '.join(twice)}")
        if not self.streaming_domains or not self.routes:
            raise ValueError("streamingDomains and routes must have at least 1 each")

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


@dataclass(frozen=True, kw_only=True)
class _Document:
    gateway: Gateway


def from_environment(environment: Mapping[str, str]) -> Gateway:
    """The configuration the container was given.

    Raises:
        BadGatewayConfig: if there is none, or it is not of the documented schema.
    """
    if path := environment.get("GATEWAY_CONFIG_FILE"):
        return parse(_with_own_id(_text_of("GATEWAY_CONFIG_FILE", path), environment))
    if text := environment.get("GATEWAY_CONFIG"):
        return parse(_with_own_id(text, environment))
    if path := environment.get("GATEWAY_CONFIG_TEMPLATE"):
        template = _text_of("GATEWAY_CONFIG_TEMPLATE", path)
        if "{{" in template:
            raise BadGatewayConfig(f"{path} is a Go template, which this stand-in does not fill in")
        return parse(_with_own_id(template, environment))
    raise BadGatewayConfig("set GATEWAY_CONFIG_FILE, GATEWAY_CONFIG or GATEWAY_CONFIG_TEMPLATE")


def parse(text: str) -> Gateway:
    """The configuration in a YAML text.

    Raises:
        BadGatewayConfig: naming every wrong field.
    """
    try:
        gateway = read(_Document, yaml.safe_load(text)).gateway
    except yaml.YAMLError as error:
        raise BadGatewayConfig(f"the configuration is not YAML: {' '.join(str(error).split())}") from None
    except Misfit as error:
        lines = "".join(f"\n  {problem}" for problem in error.problems)
        raise BadGatewayConfig(f"wrong fields in the configuration:{lines}") from None
    for route in gateway.routes:
        cluster, _ = gateway.cluster_of(route)
        last = address(route.endpoint)[1] + len(cluster.node_ids())
        if route.strategy.type == "port" and last > 65_535:
            raise BadGatewayConfig(f"route {route.name!r}: its nodes need ports up to {last}, beyond 65535")
    return gateway


def _with_own_id(text: str, environment: Mapping[str, str]) -> str:
    if _OWN_ID not in text:
        return text
    if not (own := environment.get("GATEWAY_NODE_ID")):
        raise BadGatewayConfig(f"the configuration holds {_OWN_ID}: set GATEWAY_NODE_ID")
    return text.replace(_OWN_ID, own)


def _text_of(variable: str, path: str) -> str:
    try:
        return Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise BadGatewayConfig(f"can't read {path}, which {variable} names: {error}") from None
