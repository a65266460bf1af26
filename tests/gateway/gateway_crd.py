"""The Gateway resource of Confluent for Kubernetes, as far as it is rendered here: which fields there are, how long and
of what form their values may be. Written down from the vendor's definition (platform.confluent.io/v1beta1, operator
3.3.0); with the file itself at hand, `GATEWAY_CRD` names it, and all that is rendered is held to it, too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import jsonschema
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

VENDOR_FILE: Final = os.environ.get("GATEWAY_CRD")
"""A file with the JSON schema of the vendor's Gateway; not of this repository."""

Text = Annotated[str, Field(min_length=1)]
SecretName = Annotated[str, Field(min_length=1, max_length=30, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
Image = Annotated[str, Field(pattern=".+:.+")]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


class Secret(Part):
    secret_ref: SecretName


class OauthSettings(Part):
    token_endpoint_uri: Text | None = None
    jwks_endpoint_uri: Text | None = None
    expected_issuer: Text | None = None
    audience: Text | None = None


class ClientAuthentication(Part):
    type: Literal["plain", "digest", "mtls", "ldap", "oauth", "bearer", "none", "scram"]
    jaas_config_pass_through: Secret | None = None
    oauth_settings: OauthSettings | None = None

    @model_validator(mode="after")
    def _tokens_are_described(self) -> Self:
        settings = self.oauth_settings
        assert self.type != "oauth" or (settings and settings.jwks_endpoint_uri and settings.audience)
        return self


class ClusterAuthentication(Part):
    type: Literal["plain", "oauthbearer", "digest", "mtls", "oauth", "none"]
    jaas_config_pass_through: Secret | None = None
    oauth_settings: OauthSettings | None = None


class Client(Part):
    tls: Secret | None = None
    authentication: ClientAuthentication | None = None


class Cluster(Part):
    authentication: ClusterAuthentication | None = None
    extension_headers: dict[str, str] | None = None


class Security(Part):
    auth: Literal["passthrough", "swap"]
    secret_store: str | None = None
    client: Client | None = None
    cluster: Cluster | None = None

    @model_validator(mode="after")
    def _headers_only_with_tokens_that_pass_through(self) -> Self:
        login = self.client.authentication if self.client else None
        if self.cluster and self.cluster.extension_headers is not None:
            assert self.auth == "passthrough" and login and login.type == "oauth"
        return self


class Fence(Part):
    scope: Literal["ALL", "NONE", "all", "none"]
    error_code: str = "BROKER_NOT_AVAILABLE"
    error_message: Annotated[str, Field(max_length=256)] | None = None


class Strategy(Part):
    type: Literal["port", "host"]
    pattern: str | None = None


class DomainReference(Part):
    name: str
    bootstrap_server_id: str


class Route(Part):
    name: Annotated[str, Field(max_length=30)] | None = None
    endpoint: str
    broker_identification_strategy: Strategy
    streaming_domain: DomainReference
    security: Security
    fence: Fence | None = None


class BootstrapServer(Part):
    id: str
    endpoint: str
    tls: Secret | None = None


class NodeIdRange(Part):
    name: str
    start: int
    end: int


class KafkaCluster(Part):
    name: str | None = None
    bootstrap_servers: list[BootstrapServer]
    node_id_ranges: list[NodeIdRange] | None = None


class StreamingDomain(Part):
    name: str
    type: str | None = None
    kafka_cluster: KafkaCluster


class Provider(Part):
    type: Literal["Vault", "AWS", "Azure", "File", "CyberArk"]
    config_secret_ref: SecretName
    client_credentials_ref: SecretName | None = None
    certificate_ref: SecretName | None = None


class SecretStore(Part):
    name: str
    provider: Provider


class Images(Part):
    application: Image
    init: Image


class HotReload(Part):
    enabled: bool | None = None


class Probe(Part):
    initial_delay_seconds: int
    period_seconds: int
    timeout_seconds: int
    failure_threshold: int


class Probes(Part):
    readiness: Probe
    liveness: Probe


class PodTemplate(Part):
    env_vars: list[dict[str, Any]]
    resources: dict[str, dict[str, str]]
    probe: Probes
    topology_spread_constraints: list[dict[str, Any]]


class Spec(Part):
    """`config_id` is there from chart 0.1718.34 on; the definition of chart 0.1718.10 has `hotReload` alone."""

    replicas: int
    image: Images
    hot_reload: HotReload | None = None
    config_id: Annotated[str, Field(pattern=r"^[a-zA-Z0-9._:-]+$", max_length=64)] | None = None
    pod_template: PodTemplate
    streaming_domains: list[StreamingDomain]
    routes: list[Route]
    secret_stores: list[SecretStore] | None = None


def vendors_refusals(resource: dict[str, Any]) -> Iterator[str]:
    """What the vendor's definition refuses of a resource, by where it stands; its rules in CEL are among `Security`."""
    assert VENDOR_FILE is not None
    schema = json.loads(Path(VENDOR_FILE).read_text())
    for error in jsonschema.Draft202012Validator(schema).iter_errors(resource):
        yield f"{error.json_path}: {error.message}"


def vendor_knows_config_id() -> bool:
    """Whether the vendor's definition is of a chart that has `configId`."""
    assert VENDOR_FILE is not None
    schema = json.loads(Path(VENDOR_FILE).read_text())
    return "configId" in schema["properties"]["spec"]["properties"]
