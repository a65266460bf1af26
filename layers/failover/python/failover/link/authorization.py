"""Who asks: Basic with an API key, or a bearer token, by what the secret of the site holds.

A 401 with what was read earlier means that the secret was rotated or the token withdrawn: the secret is read anew, the
token is got anew, and the request is sent once more. The server answered it before it did anything, so that is safe.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncGenerator, Generator
from typing import Final

import httpx

from failover.aws.secrets import ApiKey, Credentials, Secret
from failover.link.oauth import NoToken, tokens

IDENTITY_POOL: Final = "Confluent-Identity-Pool-Id"
"""The header beside a bearer token
(https://docs.confluent.io/cloud/current/security/authenticate/workload-identities/identity-providers/oauth/access-rest-apis.html)."""


class Authorization(httpx.Auth):
    """The headers of every request of one cluster.

    Besides httpx's errors a request then raises `NoToken`, `CredentialsMissing` and `ServiceUnavailable`.
    """

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """httpx's protocol: each request that is yielded is sent, and its answer sent back in."""
        credentials = self._secret.read()
        try:
            used = _headers(credentials)
        except NoToken as error:
            if not error.refused or (anew := self._secret.read_anew()) == credentials:
                raise
            credentials, used = anew, _headers(anew)
        _put(request, used)
        if (yield request).status_code != httpx.codes.UNAUTHORIZED:
            return
        other = _headers(self._secret.read_anew(), used["Authorization"])
        if other != used:
            _put(request, other)
            yield request

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """The same on an event loop, which no secret and no token hold up: what is not at hand is read beside it."""
        flow = self.sync_auth_flow(request)
        at_hand = isinstance(self._secret.cached(), ApiKey)
        asking: httpx.Request | None = next(flow) if at_hand else await asyncio.to_thread(next, flow)
        while asking is not None:
            response = yield asking
            once_more = response.status_code == httpx.codes.UNAUTHORIZED
            asking = await asyncio.to_thread(_sent, flow, response) if once_more else _sent(flow, response)


def _sent(flow: Generator[httpx.Request, httpx.Response, None], response: httpx.Response) -> httpx.Request | None:
    """What is asked after the answer, or None."""
    try:
        return flow.send(response)
    except StopIteration:
        return None


def _headers(credentials: Credentials, refused: str = "") -> dict[str, str]:
    if isinstance(credentials, ApiKey):
        return {"Authorization": f"Basic {b64encode(f'{credentials.key}:{credentials.secret}'.encode()).decode()}"}
    bearer = {"Authorization": f"Bearer {tokens().of(credentials, refused.removeprefix('Bearer ') or None)}"}
    return bearer | ({IDENTITY_POOL: credentials.identity_pool_id} if credentials.identity_pool_id else {})


def _put(request: httpx.Request, headers: dict[str, str]) -> None:
    request.headers.pop(IDENTITY_POOL, None)
    request.headers.update(headers)
