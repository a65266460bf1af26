"""Who may call the API: resource API keys by HTTP Basic, and OAuth bearer tokens (the spec's two security schemes)."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from drill.confluent.endpoints import ApiError

POOL_HEADER = "confluent-identity-pool-id"


class OAuthConfig(BaseModel):
    """An identity provider. `tokens` never expire; others are issued for `client_id` and live `expires_s` seconds.
    `identity_pool`: what the header Confluent-Identity-Pool-Id must say, if anything."""

    model_config = ConfigDict(extra="forbid")

    tokens: list[str] = []
    client_id: str | None = None
    client_secret: str = ""
    expires_s: float = Field(default=300.0, gt=0)
    identity_pool: str | None = None


@dataclass(frozen=True)
class Caller:
    """Who is calling. One that may not change anything may read."""

    name: str
    may_change: bool


class Authenticator:
    """May be used by several threads. `keys` may do everything, `viewers` may only read: secrets by key."""

    def __init__(self, keys: Mapping[str, str], viewers: Mapping[str, str], oauth: OAuthConfig) -> None:
        self._keys = dict(keys)
        self._viewers = dict(viewers)
        self._oauth = oauth
        self._issued: dict[str, float] = {}
        self._lock = threading.Lock()

    def caller(self, request: Request) -> Caller:
        """Who sent this.

        Raises:
            ApiError: 401
        """
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        caller = None
        if scheme.lower() == "basic":
            caller = self._by_key(credentials)
        elif scheme.lower() == "bearer":
            caller = self._by_token(credentials.strip(), request.headers.get(POOL_HEADER))
        if caller is None:
            raise ApiError(401, "Authentication failed", 40101)
        return caller

    def _by_key(self, credentials: str) -> Caller | None:
        decoded = _decoded(credentials)
        if decoded is None:
            return None
        key, secret = decoded
        for secrets_by_key, may_change in ((self._keys, True), (self._viewers, False)):
            if key in secrets_by_key and hmac.compare_digest(secrets_by_key[key].encode(), secret.encode()):
                return Caller(key, may_change)
        return None

    def _by_token(self, presented: str, pool: str | None) -> Caller | None:
        if self._oauth.identity_pool not in (None, pool):
            return None
        with self._lock:
            lives = self._issued.get(presented, 0.0) > time.monotonic()
        configured = any(hmac.compare_digest(token.encode(), presented.encode()) for token in self._oauth.tokens)
        return Caller("bearer", True) if lives or configured else None

    async def issue(self, request: Request) -> Response:
        """The token endpoint: grant type client_credentials (RFC 6749, section 4.4), credentials in the form or by
        Basic."""
        form = dict(parse_qsl((await request.body()).decode(errors="replace")))
        if form.get("grant_type") != "client_credentials":
            return JSONResponse({"error": "unsupported_grant_type"}, 400)
        client_id, client_secret = form.get("client_id", ""), form.get("client_secret", "")
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            client_id, client_secret = _decoded(credentials) or ("", "")
        expected = f"{self._oauth.client_id}:{self._oauth.client_secret}"
        same = hmac.compare_digest(f"{client_id}:{client_secret}".encode(), expected.encode())
        if self._oauth.client_id is None or not same:
            return JSONResponse({"error": "invalid_client"}, 401)
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._issued[token] = time.monotonic() + self._oauth.expires_s
        body = {"access_token": token, "token_type": "Bearer", "expires_in": int(self._oauth.expires_s)}
        return JSONResponse(body, headers={"cache-control": "no-store"})

    def revoke(self) -> None:
        """Every token that was issued is worth nothing from now on."""
        with self._lock:
            self._issued.clear()


def _decoded(credentials: str) -> tuple[str, str] | None:
    """What Basic credentials say; None if they say nothing."""
    try:
        name, _, secret = base64.b64decode(credentials.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return name, secret
