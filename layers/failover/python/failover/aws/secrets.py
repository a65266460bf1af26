"""Credentials from Secrets Manager, in the controller's own region: an API key, or an OAuth client.

`{"key": …, "secret": …}`, or `{"client_id": …, "client_secret": …, "token_endpoint": …}`, with `scope`,
`logical_cluster` and `identity_pool_id` if need be; a secret that holds both is an OAuth client. Secrets are rotated
while a container lives: who is refused with what was read earlier reads it anew, once.
"""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from failover.aws.clients import Role, client
from failover.aws.errors import aws_errors
from failover.container import remembered
from failover.errors import CredentialsMissing, KafkaUnauthorized, ServiceUnavailable

SECRET_CACHED_S = 300
_SHAPES: Final = (
    'must hold {"key": …, "secret": …} or {"client_id": …, "client_secret": …, "token_endpoint": "https://…"}, '
    "each a text that is not empty"
)
_TOKEN_ENDPOINT: Final = re.compile(r"https://[^\s/]+\S*|http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?(/\S*)?")


@dataclass(frozen=True)
class ApiKey:
    """An API key and its secret; the secret never shows in a representation."""

    key: str
    secret: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class OAuthClient:
    """A client of an identity provider that gives tokens by client_credentials; its secret never shows.

    `logical_cluster` and `identity_pool_id` tell Confluent Cloud which cluster and which identity pool are meant
    (https://docs.confluent.io/cloud/current/security/authenticate/workload-identities/identity-providers/oauth/overview.html).
    """

    client_id: str
    client_secret: str = field(repr=False)
    token_endpoint: str
    scope: str | None = None
    logical_cluster: str | None = None
    identity_pool_id: str | None = None


Credentials = ApiKey | OAuthClient
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Secret:
    """The credentials in the secret of that name, read as a role if one is named. Both methods raise
    `CredentialsMissing` and `ServiceUnavailable`."""

    name: str
    role: Role | None = None

    def cached(self) -> Credentials | None:
        """As they were at most five minutes ago, if they were read since; without asking anybody."""
        cached = _cache().get(self)
        return cached.credentials if cached is not None and time.time() - cached.read_at < SECRET_CACHED_S else None

    def read(self) -> Credentials:
        """As they were at most five minutes ago. While Secrets Manager does not answer, those read last go on."""
        if (fresh := self.cached()) is not None:
            return fresh
        try:
            return self.read_anew()
        except ServiceUnavailable:
            if (last := _cache().get(self)) is None:
                raise
            return self._keep(last.credentials)

    def read_anew(self) -> Credentials:
        """As they are now: for who was refused with those of earlier."""
        return self._keep(_fetched(self))

    def _keep(self, credentials: Credentials) -> Credentials:
        _cache()[self] = _CachedSecret(credentials, time.time())
        return credentials


def credentials(name: str | None, role: Role | None = None) -> Credentials | None:
    """The credentials in the secret of that name; None for no name.

    Raises:
        CredentialsMissing: if the secret does not exist or does not hold credentials.
        ServiceUnavailable: if Secrets Manager does not answer.
    """
    return None if name is None else Secret(name, role).read()


def with_credentials(name: str | None, ask: Callable[[Credentials | None], Answer], role: Role | None = None) -> Answer:
    """What `ask` gives with the secret's credentials; if Kafka refuses them, asked once more with those of now.

    Raises:
        CredentialsMissing, ServiceUnavailable, and what `ask` raises
    """
    used = credentials(name, role)
    try:
        return ask(used)
    except KafkaUnauthorized:
        if name is None or (anew := Secret(name, role).read_anew()) == used:
            raise
    return ask(anew)


def without(text: str, *secrets: str) -> str:
    """A text that others wrote, without the secrets that they were sent and may have echoed."""
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    return text


@dataclass(frozen=True)
class _CachedSecret:
    """What a secret held when it was last asked for, by the wall clock: a monotonic one stands still with a frozen
    container."""

    credentials: Credentials
    read_at: float


@remembered
def _cache() -> dict[Secret, _CachedSecret]:
    return {}


def _fetched(secret: Secret) -> Credentials:
    with aws_errors(
        f"Secrets Manager, for the secret {secret.name!r}",
        transient=ServiceUnavailable,
        final=CredentialsMissing,
        remedy="It must exist in this region, and be this stack's",
    ):
        answer = client("secretsmanager", role=secret.role).get_secret_value(SecretId=secret.name)
    return _parsed(secret.name, answer.get("SecretString", ""))


@functools.cache
def _fields() -> TypeAdapter[dict[str, Any]]:
    """What reads a secret; made when first needed, which takes longer than to read one."""
    return TypeAdapter(dict[str, Any])


def _parsed(name: str, document: str) -> Credentials:
    try:
        fields = _fields().validate_json(document)
    except ValidationError:
        raise CredentialsMissing(f"secret {name!r} {_SHAPES}") from None
    values = {key: value.strip() for key, value in fields.items() if isinstance(value, str) and value.strip()}
    try:
        if "client_id" not in values:
            return ApiKey(values["key"], values["secret"])
        client = OAuthClient(
            client_id=values["client_id"],
            client_secret=values["client_secret"],
            token_endpoint=values["token_endpoint"],
            scope=values.get("scope"),
            logical_cluster=values.get("logical_cluster"),
            identity_pool_id=values.get("identity_pool_id"),
        )
    except KeyError as missing:
        raise CredentialsMissing(f"secret {name!r} lacks {missing}: it {_SHAPES}") from None
    if not _TOKEN_ENDPOINT.fullmatch(client.token_endpoint):
        raise CredentialsMissing(f"secret {name!r}: its token_endpoint must begin with https://")
    return client
