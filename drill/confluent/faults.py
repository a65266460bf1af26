"""Faults on purpose: what a REST API in trouble does instead of, or after, doing what was asked."""

from __future__ import annotations

import asyncio
import json
import math
import random
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from drill.confluent.listener import Door

Handler = Callable[[Request], Awaitable[Response]]

Kind = Literal[
    "html429",  # not applied; Jetty's HTML page
    "status",  # not applied; `status` with the error body of `error_code` and `message`
    "delay",  # answered `seconds` late
    "hang",  # not applied, no answer; the connection is cut after `seconds`
    "timeout_after_apply",  # applied, no answer; the connection is cut after `seconds`
    "drop",  # not applied; the connection is cut in the middle of an answer
    "drop_after_apply",  # applied; the connection is cut in the middle of the answer
    "malformed",  # applied; 200 with half of the JSON
    "extra_fields",  # applied; fields nobody knows in every object
    "unknown_status",  # applied; a `mirror_status` nobody knows
    "unknown_enums",  # applied; in every field whose values may become more, one that nobody knows
]
_NOT_APPLIED: Final = {"html429", "status", "hang", "drop"}

_ENUMS: Final = frozenset(
    {"mirror_status", "mirror_topic_error", "link_state", "link_error", "state", "state_category", "error_code"}
)
"""The spec's extensible enums in what is read of links and mirrors (an `error_code` only where it is a word)."""

TOO_MANY_REQUESTS: Final = (
    '<html> <head> <meta http-equiv="Content-Type" content="text/html;charset=utf-8"/> '
    "<title>Error 429 Too Many Requests</title> </head> <body> <h2>HTTP ERROR 429 Too Many Requests</h2> <table> "
    "<tr> <th>URI:</th> <td>{path}</td> </tr> <tr> <th>STATUS:</th> <td>429</td> </tr> "
    "<tr> <th>MESSAGE:</th> <td>Too Many Requests</td> </tr> <tr> <th>SERVLET:</th> <td>default</td> </tr> "
    "</table> </body> </html>"
)


class Fault(BaseModel):
    """One fault. It hits requests whose "operationId METHOD path?query" contains `match` ("" or "*": all of them).

    One call in ten is `probability` 0.1 with `times` null; the same `seed` hits the same calls again. A storm is any
    fault with `times` null that ends `lasts_s` seconds after it was armed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    match: str = "*"
    kind: Kind
    times: Annotated[int, Field(ge=1)] | None = Field(default=1, description="how often; null: until it is cleared")
    probability: float = Field(default=1.0, gt=0, le=1)
    seed: int | None = None
    lasts_s: float | None = Field(default=None, gt=0)
    seconds: float = Field(default=60.0, ge=0)
    status: int = Field(default=503, ge=400, le=599)
    error_code: int | None = None
    message: str = "Service Unavailable"


@dataclass(kw_only=True)
class _Armed:
    fault: Fault
    remaining: int | None
    chance: random.Random
    until: float

    def hits(self, text: str, now: float) -> bool:
        """Whether this request is one of those; each that could be one is a throw of the dice."""
        match = self.fault.match
        if now >= self.until or (match not in ("", "*") and match not in text):
            return False
        return self.fault.probability >= 1 or self.chance.random() < self.fault.probability


class Faults:
    """The armed faults, and how often each operation was asked for; `door` says how the API is to be reached."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._armed: list[_Armed] = []
        self._counts: Counter[str] = Counter()
        self._statuses: dict[str, Counter[str]] = {}
        self._lock = threading.Lock()

    def arm(self, fault: Fault) -> None:
        until = math.inf if fault.lasts_s is None else time.monotonic() + fault.lasts_s
        with self._lock:
            self._armed.append(
                _Armed(fault=fault, remaining=fault.times, chance=random.Random(fault.seed), until=until)
            )

    def clear(self) -> None:
        with self._lock:
            self._armed.clear()

    def armed(self) -> list[dict[str, object]]:
        """What is still armed, with how often it will hit ("times")."""
        now = time.monotonic()
        with self._lock:
            self._armed = [armed for armed in self._armed if now < armed.until]
            return [{**armed.fault.model_dump(), "times": armed.remaining} for armed in self._armed]

    def counts(self) -> dict[str, dict[str, object]]:
        """Requests for each operation, and what they were answered ("cut": the connection was)."""
        with self._lock:
            return {
                operation: {"count": count, "answers": dict(self._statuses.get(operation, {}))}
                for operation, count in sorted(self._counts.items())
            }

    def around(self, operation: str, handler: Handler) -> Handler:
        """The handler of an operation, with its requests counted and its faults in effect."""

        async def handle(request: Request) -> Response:
            with self._lock:
                self._counts[operation] += 1
            response = await self._answer(operation, request, handler)
            with self._lock:
                answer = "cut" if isinstance(response, CutConnection) else str(response.status_code)
                self._statuses.setdefault(operation, Counter())[answer] += 1
            return response

        return handle

    async def _answer(self, operation: str, request: Request, handler: Handler) -> Response:
        if self._door.hangs:
            await self._door.opened()
            return CutConnection()
        if self._door.latency_s:
            await asyncio.sleep(self._door.latency_s)
        if not self._door.admits():
            return too_many_requests(request)
        query = f"?{request.url.query}" if request.url.query else ""
        fault = self._next(f"{operation} {request.method} {request.url.path}{query}")
        return await (_faulty(fault, request, handler) if fault else handler(request))

    def _next(self, text: str) -> Fault | None:
        now = time.monotonic()
        with self._lock:
            for armed in self._armed:
                if armed.hits(text, now):
                    if armed.remaining is not None:
                        armed.remaining -= 1
                        if armed.remaining == 0:
                            self._armed.remove(armed)
                    return armed.fault
        return None


class CutConnection(Response):
    """Ends the connection after `seconds`, or as soon as the client gave up, without a whole response."""

    def __init__(self, seconds: float = 0.0, started: bool = False) -> None:
        super().__init__()
        self._seconds = seconds
        self._started = started

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def client_gone() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        waiting = asyncio.ensure_future(client_gone())
        await asyncio.wait({waiting}, timeout=self._seconds)
        waiting.cancel()
        # A body shorter than it was announced makes the server close the connection.
        headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if self._started:
            await send({"type": "http.response.body", "body": b'{"kind":"Kaf', "more_body": True})


def too_many_requests(request: Request) -> Response:
    """What Jetty's DoSFilter answers, in front of the API."""
    return HTMLResponse(TOO_MANY_REQUESTS.format(path=request.url.path), 429)


async def _faulty(fault: Fault, request: Request, handler: Handler) -> Response:
    if fault.kind not in _NOT_APPLIED:
        return await _after_applying(fault, await handler(request))
    match fault.kind:
        case "html429":
            return too_many_requests(request)
        case "status":
            code = fault.status if fault.error_code is None else fault.error_code
            return JSONResponse({"error_code": code, "message": fault.message}, fault.status)
        case "hang":
            return CutConnection(fault.seconds)
        case _:
            return CutConnection(started=True)


async def _after_applying(fault: Fault, response: Response) -> Response:
    match fault.kind:
        case "delay":
            await asyncio.sleep(fault.seconds)
            return response
        case "timeout_after_apply":
            return CutConnection(fault.seconds)
        case "malformed":
            body = bytes(response.body)
            return Response(body[: len(body) // 2], 200, media_type="application/json")
        case "extra_fields":
            return _rewritten(response, lambda row: {"x_added_later": {"y": [1, None]}, **row})
        case "unknown_status":
            return _rewritten(response, lambda row: _teleported(row, {"mirror_status"}))
        case "unknown_enums":
            return _rewritten(response, lambda row: _teleported(row, _ENUMS))
        case _:
            return CutConnection(started=True)


def _teleported(row: dict[str, Any], fields: Collection[str]) -> dict[str, Any]:
    return {
        name: "PENDING_TELEPORT" if name in fields and isinstance(value, str) else value for name, value in row.items()
    }


def _rewritten(response: Response, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Response:
    """The same response with every JSON object in it changed."""

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return change({name: walk(inner) for name, inner in value.items()})
        return [walk(inner) for inner in value] if isinstance(value, list) else value

    body = bytes(response.body)
    return JSONResponse(walk(json.loads(body)), response.status_code) if body else response
