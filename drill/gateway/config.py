"""The configuration of a gateway container, as Confluent's image reads it: GATEWAY_CONFIG_FILE, else GATEWAY_CONFIG,
else GATEWAY_CONFIG_TEMPLATE (https://github.com/confluentinc/gateway-images/blob/master/examples/CONFIG_GUIDE.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError


class BadGatewayConfig(ValueError):
    """The container can't start with this configuration."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class BootstrapServer(_Part):
    """`endpoint` is one `host:port`, with an optional `PROTOCOL://` before it."""

    id: str
    endpoint: str
    ssl: dict[str, Any] | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return split(self.endpoint.rpartition("://")[2])


class NodeIdRange(_Part):
    """Node ids from `start` to `end`, both in it."""

    name: str
    start: int
    end: int


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


class DomainReference(_Part):
    """The domain a route leads to, and which of its bootstrap servers."""

    name: str
    bootstrap_server_id: str = Field(alias="bootstrapServerId")


class Security(_Part):
    """What the gateway does with a client's credentials."""

    auth: Literal["passthrough", "swap"] = "passthrough"
    ssl: dict[str, Any] | None = None
    swap_config: dict[str, Any] | None = Field(default=None, alias="swapConfig")


class Fence(_Part):
    """Answer every request with an error that clients retry."""

    scope: Literal["ALL"] = "ALL"
    error_code: Literal["BROKER_NOT_AVAILABLE"] = Field(default="BROKER_NOT_AVAILABLE", alias="errorCode")


class RouteConfig(_Part):
    """One route: where clients come, and where they are led."""

    name: str
    endpoint: str
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
    secret_stores: tuple[dict[str, Any], ...] = Field(default=(), alias="secretStores")
    admin: Admin = Admin()

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
        text = Path(path).read_text()
    elif "GATEWAY_CONFIG" in environment:
        text = environment["GATEWAY_CONFIG"]
    elif template := environment.get("GATEWAY_CONFIG_TEMPLATE"):
        text = Path(template).read_text()
    else:
        raise BadGatewayConfig("set GATEWAY_CONFIG_FILE, GATEWAY_CONFIG or GATEWAY_CONFIG_TEMPLATE")
    return parse(text)


def parse(text: str) -> Gateway:
    """The configuration in a YAML text.

    Raises:
        BadGatewayConfig: naming every wrong field.
    """
    try:
        gateway = _Document.model_validate(yaml.safe_load(text)).gateway
    except (ValidationError, yaml.YAMLError) as error:
        raise BadGatewayConfig(str(error)) from None
    for route in gateway.routes:
        gateway.cluster_of(route)
    return gateway


def split(endpoint: str) -> tuple[str, int]:
    """Host and port of `host:port`."""
    host, _, port = endpoint.rpartition(":")
    return host, int(port)
