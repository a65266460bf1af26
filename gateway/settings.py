"""What a fleet needs that is no business of the plan: how brokers are told apart, who logs in, where its files are."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from failover.plan.document import read_document
from failover.wording import Problem, problems_of

FILES = "/etc/gateway/secrets"  # a volume of the image, owned by the user it runs as

# The certificate authorities of the image's base (UBI 9); Confluent Cloud's certificates are signed by public ones.
PUBLIC_AUTHORITIES = "/etc/pki/tls/certs/ca-bundle.crt"

NodeId = Annotated[int, Field(ge=0, le=65_535)]
EcsParameters = dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9]+$")], str | int]


Cloud = Literal["aws", "gcp", "azure"]


class BadSettings(ValueError):
    """The settings can't be used, or do not fit the plan; the message says which field and what to write instead."""


class _Part(BaseModel):
    """A part of the settings: it does not change, knows every field it is given, and takes nothing for something
    else."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class OnKubernetes(_Part):
    """What a site's fleet on Kubernetes needs beside the plan. `controller_group`: the Kubernetes group that the access
    entries of the controller's roles name."""

    replicas: int = Field(default=3, ge=1)
    cloud: Cloud = "aws"
    controller_group: str = Field(default="kafka-failover", min_length=1)
    zonal_shift: bool = False
    """On AWS: whether ARC may take a zone from the load balancer. It costs: connections to pods that hang are left open
    then, and their clients find out by timeouts of their own."""

    @model_validator(mode="after")
    def _zones_of_aws(self) -> Self:
        if self.zonal_shift and self.cloud != "aws":
            raise ValueError(f"zonal_shift is of AWS' load balancers, and cloud is {self.cloud}: leave it out")
        return self


Url = Annotated[str, Field(pattern=r"^https?://[^\s,]+$")]


class Oauth(_Part):
    """Logins by tokens: the gateway's own at the clusters, where it swaps, and those of clients."""

    token_endpoint: Url | None = None
    """Where a gateway that swaps exchanges what the secret store has for a client, a client id and its secret."""
    identity_pools: dict[str, Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]] = {}
    """At Confluent Cloud, the pool by site; the gateway's token names the site's cluster then, too."""
    jwks_endpoint: Url | None = None
    """If clients log in by tokens, the keys that those are signed with."""
    issuer: str | None = Field(default=None, min_length=1)
    audience: str | None = Field(default=None, min_length=1)
    """What clients' tokens must say; a Gateway resource does not take tokens without an audience."""

    @model_validator(mode="after")
    def _audience_of_tokens(self) -> Self:
        if self.jwks_endpoint is not None and self.audience is None:
            raise ValueError("audience is missing: where clients log in by tokens, say which audience those are for")
        return self


class Settings(_Part):
    """The mapping `gateway:` of a settings file; the README describes every field."""

    strategy: Literal["port", "host"] = "port"
    node_ids: tuple[NodeId, NodeId] = (0, 2)
    """First and last node id, inclusive, of both clusters together. One range for both, because the ports of a route
    follow from it: a route keeps its ports whichever cluster it leads to."""
    auth: Literal["passthrough", "swap"] = "passthrough"
    oauth: Oauth | None = None
    extension_headers: dict[str, dict[str, str]] = {}
    """On ECS, by site: what a route that leads there adds to the tokens that pass through, such as `logicalCluster:
    lkc-…` at Confluent Cloud. On Kubernetes the plan's domains have it, since a failover changes it there."""
    hot_reload: bool = False
    """Of Gateways: needs a chart of Confluent for Kubernetes whose Gateway has `configId`, 0.1718.34 or later, and an
    Enterprise licence. Without it pods are rolled."""
    secret_prefix: str | None = None
    keystore: str = f"{FILES}/keystore.pem"
    truststore: str = PUBLIC_AUTHORITIES
    ecs: dict[str, EcsParameters] = {}
    kubernetes: dict[str, OnKubernetes] = {}


class _SettingsFile(_Part):
    gateway: Settings


def load_settings(path: Path | None) -> Settings:
    """The settings in a YAML file; without one, those by default.

    Raises:
        BadSettings: if the file does not hold a mapping `gateway` with known fields and possible values.
    """
    if path is None:
        return Settings()
    try:
        document = read_document(path.read_text(encoding="utf-8"), limit=None)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise BadSettings(f"can't read the settings {path}: {why}") from None
    if document.problems:
        raise _bad(path, document.problems)
    if list(document.content) != ["gateway"]:
        raise BadSettings(f"{path} must hold one mapping, `gateway:`")
    content = {"gateway": document.content["gateway"] or {}}
    try:
        return _SettingsFile.model_validate_json(json.dumps(content)).gateway
    except ValidationError as error:
        raise _bad(path, problems_of(error, content, _SettingsFile)) from None


def _bad(path: Path, problems: Iterable[Problem]) -> BadSettings:
    return BadSettings(f"{path} has wrong fields:\n" + "\n".join(f"  {where} {what}" for where, what in problems))
