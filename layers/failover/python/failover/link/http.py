"""Calling a cluster's REST API, with a pool of connections and timeouts for a region in trouble.

A call is repeated only where that is safe: one that changes nothing after any failure that came soon, one that changes
something only if it was certainly not carried out. What was slow is not repeated here; the state machine asks again.
"""

from __future__ import annotations

import asyncio
import functools
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, TypeVar
from urllib.parse import parse_qsl, quote, urlsplit

import httpx
from pydantic import TypeAdapter, ValidationError

from failover.aws.secrets import Secret
from failover.errors import LinkUnavailable, LinkUncertain
from failover.link.authorization import Authorization
from failover.link.error_mapping import Call, no_answer, no_token, refused, says_failed, unreadable
from failover.link.oauth import NoToken
from failover.link.tls import trust

CONNECT_S: Final = 2.0
REPEATS: Final = 2
REPEAT_WITHIN_S: Final = 1.5
"""A repeat begins no later than this after the first attempt: refused connections, throttling and 5xx come at once."""
PAUSE_S: Final = 0.3
"""The longest pause before a repeat, with full jitter: the one place where a function waits. A `Retry-After` beyond it
is left to the state machine."""
_AT_LEAST_S: Final = 0.1
"""What a call that begins late is given: no connection takes a time that is over."""
IDLE_S: Final = 30
"""Connections unused for so long are given up: the other side, or a NAT on the way, may have forgotten them while the
container was frozen, and a call on such a one can't be told from one that was carried out."""
LARGEST_BYTES: Final = 64 * 1024 * 1024
_CONNECTIONS: Final = httpx.Limits(max_connections=16, max_keepalive_connections=16, keepalive_expiry=IDLE_S)
_PAGES_AT_MOST: Final = 1000

Answer = TypeVar("Answer")
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class _Page:
    next: str | None = None


@dataclass(frozen=True, slots=True)
class _List(Generic[Row]):
    """Every list of the API. `data` must be there: no list is not an empty one."""

    data: list[Row]
    metadata: _Page | None = None


class KafkaRestHttp:
    """The REST API of one cluster. `secret`: None where it asks for no credentials. Safe to share between threads.

    Every method raises `LinkUnavailable`, `LinkUncertain` if the call changes something and may have been carried out,
    `LinkRejected`, `LinkNotFound`; and `CredentialsMissing` or `ServiceUnavailable` if the secret can't be read.
    """

    def __init__(self, endpoint: str, cluster_id: str, secret: Secret | None) -> None:
        self.cluster_id = cluster_id
        self._auth = Authorization(secret) if secret else None
        self._base = f"{endpoint}/kafka/v3/clusters/{quote(cluster_id, safe='')}"
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None
        self._used = time.time()

    def get_one(self, call: Call, shape: type[Answer]) -> Answer:
        """The object that the call answers."""
        read: Callable[[bytes], Answer] = _reader(shape)
        return self._repeated(call, read)

    def get_list(self, call: Call, shape: type[Row]) -> list[Row]:
        """Every row of the list that a GET answers. The API does not page (`metadata.next` is null); should it ever, a
        part of the list must not pass for the whole."""
        rows: list[Row] = []
        for _ in range(_PAGES_AT_MOST):
            page = self._repeated(call, _reader(_List[shape]))  # type: ignore[valid-type]
            rows += page.data
            if page.metadata is None or not page.metadata.next:
                return rows
            call = replace(call, query=dict(parse_qsl(urlsplit(page.metadata.next).query)))
        raise LinkUnavailable(f"{call} has no last page", cluster=call.cluster, link=call.link)

    def post_verb(self, call: Call, shape: type[Row]) -> list[Row]:
        """The rows that a verb answers; none if its body is empty."""
        read = _reader(_List[shape])  # type: ignore[valid-type]
        return self._repeated(call, lambda body: read(body).data if body.strip() else [])

    def send(self, call: Call) -> None:
        """Any success will do: where the spec says 204, 201 with an empty body was seen."""
        self._repeated(call, lambda _: None)

    async def look(self, client: httpx.AsyncClient, call: Call, shape: type[Answer]) -> Answer:
        """As `get_one`, on an event loop and a pool of its own: what many clusters are asked at a time."""
        began, repeats = time.monotonic(), 0
        while True:
            try:
                return await self._looked(client, call, _reader(shape))
            except LinkUnavailable as error:
                pause = _pause(error, began, repeats)
            repeats += 1
            await asyncio.sleep(pause)

    async def _looked(self, client: httpx.AsyncClient, call: Call, read: Callable[[bytes], Answer]) -> Answer:
        try:
            patience = httpx.Timeout(call.within_s, connect=CONNECT_S)
            response = await client.get(self._base + call.path, auth=self._auth, timeout=patience)
        except NoToken as error:
            raise no_token(call, error) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise no_answer(call, error) from None
        return _answer(call, response, response.content, read)

    def _repeated(self, call: Call, read: Callable[[bytes], Answer]) -> Answer:
        began, repeats = time.monotonic(), 0
        while True:
            try:
                return self._once(call, read, began + call.within_s)
            except LinkUncertain:
                raise
            except LinkUnavailable as error:
                pause = _pause(error, began, repeats)
            repeats += 1
            time.sleep(pause)

    def _once(self, call: Call, read: Callable[[bytes], Answer], deadline: float) -> Answer:
        remaining = max(deadline - time.monotonic(), _AT_LEAST_S)
        try:
            with self._http().stream(
                call.method,
                self._base + call.path,
                params=dict(call.query) or None,
                json=call.body,
                timeout=httpx.Timeout(remaining, connect=min(CONNECT_S, remaining)),
            ) as response:
                body = _whole(response, deadline)
        except NoToken as error:
            raise no_token(call, error) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise no_answer(call, error) from None
        return _answer(call, response, body, read)

    def _http(self) -> httpx.Client:
        """The pool. Unused time is taken by the wall clock: a monotonic one stands still with a frozen container."""
        with self._lock:
            now = time.time()
            if self._client is not None and now - self._used > IDLE_S:
                self._client.close()
                self._client = None
            if self._client is None:
                self._client = httpx.Client(auth=self._auth, limits=_CONNECTIONS, verify=trust())
            self._used = now
            return self._client


def _pause(error: LinkUnavailable, began: float, repeats: int) -> float:
    """Seconds before the call is repeated; raises the error if it is not."""
    jitter = random.uniform(0, PAUSE_S)  # noqa: S311 - no secret
    pause = jitter if error.retry_after is None else max(error.retry_after, jitter)
    if repeats == REPEATS or pause > PAUSE_S or time.monotonic() - began + pause >= REPEAT_WITHIN_S:
        raise error
    return pause


def _answer(call: Call, response: httpx.Response, body: bytes, read: Callable[[bytes], Answer]) -> Answer:
    if not response.is_success or says_failed(body):
        raise refused(call, response, body)
    try:
        return read(body)
    except ValidationError as error:
        raise unreadable(call, response, error) from None


def _reader(shape: Any) -> Callable[[bytes], Any]:
    return _adapter(shape).validate_json


@functools.cache
def _adapter(shape: Any) -> TypeAdapter[Any]:
    """What reads JSON of that shape; made when first needed, since making all of them would slow every cold start."""
    return TypeAdapter(shape)


def _whole(response: httpx.Response, deadline: float) -> bytes:
    """The body. httpx's timeouts are for each read: a body that trickles in would never end."""
    chunks: list[bytes] = []
    size = 0
    for chunk in response.iter_bytes():
        chunks.append(chunk)
        size += len(chunk)
        if size > LARGEST_BYTES:
            raise httpx.ReadError(f"the answer has more than {LARGEST_BYTES} bytes")
        if time.monotonic() > deadline:
            raise httpx.ReadTimeout(f"the answer was not complete in time, after {size} bytes")
    return b"".join(chunks)
