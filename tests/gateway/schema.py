"""The configuration schema of Confluent's Docker image, strictly: no field that its guide does not name.

https://github.com/confluentinc/gateway-images/blob/master/examples/CONFIG_GUIDE.md; `fence` since image 1.2.0.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

Endpoint = Annotated[str, Field(pattern=r"^([A-Z_]+://)?[A-Za-z0-9_.-]+:\d{1,5}$")]
Name = Annotated[str, Field(min_length=1)]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


class Password(Part):
    file: str | None = None
    value: str | None = None


class Store(Part):
    type: Literal["JKS", "PKCS12", "PEM"] = "JKS"
    location: str
    password: Password | None = None
    key_password: Password | None = None


class Ssl(Part):
    ignore_trust: bool = False
    truststore: Store | None = None
    keystore: Store | None = None
    client_auth: Literal["required", "requested", "none"] | None = None


class BootstrapServer(Part):
    id: Name
    endpoint: Endpoint
    ssl: Ssl | None = None


class NodeIdRange(Part):
    name: Name
    start: int = Field(ge=0)
    end: int

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        assert self.start <= self.end
        return self


class KafkaCluster(Part):
    name: Name
    bootstrap_servers: list[BootstrapServer] = Field(min_length=1)
    node_id_ranges: list[NodeIdRange] = []


class StreamingDomain(Part):
    name: Name
    type: Literal["kafka"]
    kafka_cluster: KafkaCluster


class Strategy(Part):
    type: Literal["port", "host"]
    pattern: str | None = None

    @model_validator(mode="after")
    def _pattern_for_host(self) -> Self:
        assert (self.type == "host") == (self.pattern is not None)
        assert self.pattern is None or "$(nodeId)" in self.pattern
        return self


class DomainReference(Part):
    name: Name
    bootstrap_server_id: Name


class JaasConfig(Part):
    file: str


class ClientSasl(Part):
    mechanism: str
    callback_handler_class: str
    jaas_config: JaasConfig
    connections_max_reauth_ms: int = 0


class ClientAuth(Part):
    sasl: ClientSasl


class Oauth(Part):
    token_endpoint_uri: str


class ClusterSasl(Part):
    mechanism: str
    jaas_config: JaasConfig
    oauth: Oauth | None = None


class ClusterAuth(Part):
    sasl: ClusterSasl


class SwapConfig(Part):
    client_auth: ClientAuth
    secret_store: Name
    cluster_auth: ClusterAuth


class PassthroughSasl(Part):
    extension_headers: dict[str, str]


class PassthroughConfig(Part):
    """Not in the guide; the field is told by a secondary source."""

    sasl: PassthroughSasl


class Security(Part):
    auth: Literal["passthrough", "swap"]
    ssl: Ssl | None = None
    passthrough_config: PassthroughConfig | None = None
    swap_config: SwapConfig | None = None

    @model_validator(mode="after")
    def _swap_is_described(self) -> Self:
        assert (self.auth == "swap") == (self.swap_config is not None)
        return self


class Fence(Part):
    scope: Literal["ALL"]
    error_code: Literal["BROKER_NOT_AVAILABLE"]


class Route(Part):
    name: Name
    endpoint: Endpoint
    broker_identification_strategy: Strategy
    streaming_domain: DomainReference
    security: Security
    fence: Fence | None = None


class AwsConfig(Part):
    region: str
    endpoint_override: str | None = None
    prefix_path: str = ""
    separator: str = ":"
    use_json: bool | None = None


class Provider(Part):
    type: Literal["AWS"]
    config: AwsConfig


class SecretStore(Part):
    name: Name
    provider: Provider


class Endpoints(Part):
    metrics: bool


class Admin(Part):
    bind_address: str = "0.0.0.0"
    port: int = 9190
    endpoints: Endpoints


class Gateway(Part):
    name: Name
    streaming_domains: list[StreamingDomain] = Field(min_length=1)
    routes: list[Route] = Field(min_length=1)
    secret_stores: list[SecretStore] = []
    admin: Admin

    @model_validator(mode="after")
    def _references_exist(self) -> Self:
        clusters = {domain.name: domain.kafka_cluster for domain in self.streaming_domains}
        for route in self.routes:
            cluster = clusters[route.streaming_domain.name]
            assert route.streaming_domain.bootstrap_server_id in {server.id for server in cluster.bootstrap_servers}
            assert route.broker_identification_strategy.type == "host" or cluster.node_id_ranges
            swap = route.security.swap_config
            assert swap is None or swap.secret_store in {store.name for store in self.secret_stores}
        return self


class GatewayFile(Part):
    gateway: Gateway


class SecretReference(Part):
    secret_ref: Name


class OauthSettings(Part):
    token_endpoint_uri: str | None = None
    jwks_endpoint_uri: str | None = None
    expected_issuer: str | None = None
    audience: str | None = None
    sub_claim_name: str | None = None


class CfkAuthentication(Part):
    type: Literal["plain", "oauth"]
    jaas_config_pass_through: SecretReference
    oauth_settings: OauthSettings | None = None

    @model_validator(mode="after")
    def _oauth_is_described(self) -> Self:
        assert (self.type == "oauth") == (self.oauth_settings is not None)
        return self


class CfkSide(Part):
    tls: SecretReference | None = None
    authentication: CfkAuthentication | None = None


class CfkCluster(Part):
    authentication: CfkAuthentication


class CfkSecurity(Part):
    """`security` of a route of a Gateway resource:
    https://github.com/confluentinc/confluent-kubernetes-examples/tree/master/gateway."""

    auth: Literal["passthrough", "swap"]
    secret_store: Name | None = None
    client: CfkSide | None = None
    cluster: CfkCluster | None = None
