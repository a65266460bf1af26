"""OAuth tokens for the REST API: got by client_credentials, kept until shortly before they expire, shared by callers.

The request is the one librdkafka makes with method oidc (HTTP Basic, form body), so that an identity provider which
serves the Kafka side serves this one. Neither token nor client secret is in any error or representation.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Annotated, Final

import httpx
from pydantic import Field, TypeAdapter, ValidationError

from failover.aws.secrets import OAuthClient, without
from failover.container import remembered
from failover.link.tls import trust

TIMEOUT: Final = httpx.Timeout(3.0, connect=2.0)
MARGIN_S: Final = 60
"""A token is renewed so long before it expires; sooner than in half its life it is not."""
ASK_AGAIN_S: Final = 10
UNTOLD_LIFE_S: Final = 300
"""What a token is taken to live if its endpoint does not say (RFC 6749, 5.1: `expires_in` is recommended only)."""
_MESSAGE_LENGTH: Final = 200


class NoToken(Exception):
    """The token endpoint gave none; `refused`: it will give none to this client whenever it is asked."""

    def __init__(self, message: str, refused: bool) -> None:
        super().__init__(message)
        self.refused = refused


@dataclass(frozen=True)
class Token:
    """A bearer token. Seconds since 1970, by the wall clock: a monotonic one stands still with a frozen container."""

    value: str = field(repr=False)
    fresh_until: float
    expires: float


@dataclass(frozen=True)
class _Answer:
    """RFC 6749, 5.1."""

    access_token: Annotated[str, Field(pattern=r"^[\x21-\x7e]+$")]
    expires_in: Annotated[int, Field(gt=0)] | None = None


@dataclass(frozen=True)
class _Refusal:
    """RFC 6749, 5.2."""

    error: str
    error_description: str | None = None


class Tokens:
    """The tokens of any number of clients. However many callers want one at a time, its endpoint is asked once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cached: dict[OAuthClient, Token] = {}
        self._asking: dict[OAuthClient, Future[Token]] = {}

    def of(self, client: OAuthClient, refused: str | None = None) -> str:
        """A token; another than the one that was `refused`.

        Raises:
            NoToken
        """
        with self._lock:
            cached = self._cached.get(client)
            if cached is not None and cached.value != refused and time.time() < cached.fresh_until:
                return cached.value
            under_way = self._asking.get(client)
            mine: Future[Token] = Future()
            if under_way is None:
                self._asking[client] = mine
        if under_way is not None:
            return under_way.result().value
        try:
            token = _renewed(client, None if cached is None or cached.value == refused else cached)
        except BaseException as error:
            with self._lock:
                del self._asking[client]
            mine.set_exception(error)
            raise
        with self._lock:
            del self._asking[client]
            self._cached[client] = token
        mine.set_result(token)
        return token.value


@remembered
def tokens() -> Tokens:
    """Those of this container."""
    return Tokens()


def _renewed(client: OAuthClient, cached: Token | None) -> Token:
    """A new token; while the endpoint does not answer, the one that is held for as long as it lives."""
    try:
        return _fetched(client)
    except NoToken as error:
        if error.refused or cached is None or time.time() >= cached.expires:
            raise
        return replace(cached, fresh_until=min(cached.expires, time.time() + ASK_AGAIN_S))


def _fetched(client: OAuthClient) -> Token:
    form = {"grant_type": "client_credentials", **({"scope": client.scope} if client.scope else {})}
    where, requested_at = f"token endpoint {client.token_endpoint}", time.time()
    try:
        answer = httpx.post(
            client.token_endpoint,
            data=form,
            auth=(client.client_id, client.client_secret),
            headers={"accept": "application/json"},
            timeout=TIMEOUT,
            verify=trust(),
        )
    except httpx.HTTPError as error:
        raise NoToken(f"{where} got no answer: {type(error).__name__} {error}", refused=False) from None
    if not answer.is_success:
        why = _refusal_text(answer, client)
        refused = answer.is_client_error and answer.status_code not in (408, 425, 429)
        raise NoToken(f"{where} gave client {client.client_id} no token: {answer.status_code} {why}", refused)
    try:
        token = TypeAdapter(_Answer).validate_json(answer.content)
    except ValidationError:
        raise NoToken(f"{where} answered {answer.status_code}, but no token", refused=False) from None
    life = UNTOLD_LIFE_S if token.expires_in is None else token.expires_in
    return Token(token.access_token, requested_at + max(life - MARGIN_S, life / 2), requested_at + life)


def _refusal_text(answer: httpx.Response, client: OAuthClient) -> str:
    try:
        refusal = TypeAdapter(_Refusal).validate_json(answer.content)
    except ValidationError:
        return f"({answer.headers.get('content-type', 'no content type')})"
    text = " ".join(f"{refusal.error} {refusal.error_description or ''}".split())
    return without(text, client.client_secret)[:_MESSAGE_LENGTH]
