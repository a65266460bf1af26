"""The drill's own handle on the stand-in, on a port of its own: no part of Confluent's API, and not authenticated.

| under /control | what it does |
|---|---|
| GET /promoted | each STOPPED mirror's log end offsets at the moment it was made writable |
| GET, POST, DELETE /faults | faults of single calls: `faults.Fault` |
| GET /requests | how often each operation was asked for, and what it answered |
| GET, PUT /rest | the way to the API: latency, a rate limit, down for a while: `door.Conditions` |
| GET, PUT /link | faults of the link: `LinkFaults` |
| POST /mirrors | mirror topics that appear at once, as auto-create makes them: `NewMirrors` |
| PUT /cluster | the cluster's own: `ClusterChange` |
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from drill.confluent import mirrors, rest_only
from drill.confluent.door import Conditions, Door
from drill.confluent.faults import Fault, Faults
from drill.confluent.link_book import LinkBook
from drill.confluent.local_cluster import LocalCluster
from drill.confluent.mirrors import Status

MakeMirrors = Callable[["NewMirrors"], list[str]]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class LinkFaults(_Asked):
    """Faults of the link itself; what is left out stays as it is.

    `reachable` false cuts the way to the source, which may be well; `stuck` topics never become STOPPED;
    `fail` names topics and the `mirror_topic_error` they fail with; `lag` sets how far topics of the API only trail,
    in records a partition ("*": all of them).
    """

    reachable: bool | None = None
    stuck: list[str] | None = None
    fail: dict[str, str] | None = None
    lag: dict[str, int] | None = None


class NewMirrors(_Asked):
    """Mirror topics that appear at once; on the wire they exist only if `wired`."""

    topics: list[str] = Field(min_length=1)
    partitions: int = Field(default=2, ge=1)
    wired: bool = False
    status: Status = Status.ACTIVE


class ClusterChange(_Asked):
    """What is changed of the cluster; what is left out stays as it is.

    `dedicated` false: lags of groups are 404; `reachable` false: the API can't reach its brokers; `groups`: the state a
    group is said to be in (null: as the brokers say).
    """

    dedicated: bool | None = None
    reachable: bool | None = None
    groups: dict[str, str | None] | None = None


class Control:
    """The control API of one stand-in."""

    def __init__(
        self, door: Door, faults: Faults, cluster: LocalCluster, book: LinkBook | None, make_mirrors: MakeMirrors
    ) -> None:
        self._door = door
        self._faults = faults
        self._cluster = cluster
        self._book = book
        self._make_mirrors = make_mirrors

    def routes(self) -> list[Route]:
        """To be mounted at /control."""
        return [
            Route("/promoted", self._promoted, methods=["GET"]),
            Route("/faults", _checked(self._set_faults), methods=["GET", "POST", "DELETE"]),
            Route("/requests", self._requests, methods=["GET"]),
            Route("/rest", _checked(self._set_rest), methods=["GET", "PUT"]),
            Route("/link", _checked(self._set_link), methods=["GET", "PUT"]),
            Route("/mirrors", _checked(self._new_mirrors), methods=["POST"]),
            Route("/cluster", _checked(self._set_cluster), methods=["PUT"]),
        ]

    async def _promoted(self, request: Request) -> Response:
        ends = {} if self._book is None else mirrors.promoted(self._book.link)
        return JSONResponse({topic: {str(p): end for p, end in rows.items()} for topic, rows in ends.items()})

    async def _set_faults(self, request: Request) -> Response:
        match request.method:
            case "POST":
                self._faults.arm(Fault.model_validate_json(await request.body()))
            case "DELETE":
                self._faults.clear()
        return JSONResponse({"faults": self._faults.armed()})

    async def _requests(self, request: Request) -> Response:
        return JSONResponse(self._faults.counts())

    async def _set_rest(self, request: Request) -> Response:
        if request.method == "PUT":
            self._door.set(Conditions.model_validate_json(await request.body()))
        return JSONResponse(self._door.shown())

    async def _set_link(self, request: Request) -> Response:
        if self._book is None:
            return _no_link()
        if request.method == "PUT":
            _break(self._book, LinkFaults.model_validate_json(await request.body()))
        return JSONResponse(_shown(self._book))

    async def _new_mirrors(self, request: Request) -> Response:
        if self._book is None:
            return _no_link()
        asked = NewMirrors.model_validate_json(await request.body())
        return JSONResponse({"made": await run_in_threadpool(self._make_mirrors, asked)})

    async def _set_cluster(self, request: Request) -> Response:
        asked = ClusterChange.model_validate_json(await request.body())
        if asked.dedicated is not None:
            self._cluster.dedicated = asked.dedicated
        if asked.reachable is not None:
            self._cluster.reachable = asked.reachable
        self._cluster.set_group_states(asked.groups or {})
        return JSONResponse({"dedicated": self._cluster.dedicated, "reachable": self._cluster.reachable})


def _no_link() -> Response:
    return JSONResponse({"error": "no cluster link ends at this cluster"}, 404)


def _break(book: LinkBook, asked: LinkFaults) -> None:
    if asked.reachable is not None:
        book.cut_path(not asked.reachable)
    if asked.stuck is not None:
        stuck = frozenset(asked.stuck)
        book.change(lambda link: replace(link, stuck=stuck))
    for topic, error in (asked.fail or {}).items():
        book.change(partial(mirrors.fail, topic=topic, error=error, now=book.clock()))
    for topic, lag in (asked.lag or {}).items():
        topics = None if topic == "*" else [topic]
        book.change(partial(rest_only.trailing, lag=lag, topics=topics))


def _shown(book: LinkBook) -> dict[str, Any]:
    link = book.link
    return {
        "reachable": not book.path_cut,
        "stuck": sorted(link.stuck),
        "state": link.state(book.clock()),
        "unreached_since": link.unreached_since,
        "mirrors": {topic: mirror.status for topic, mirror in link.mirrors.items()},
    }


def _checked(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except ValidationError as error:
            return JSONResponse({"error": error.errors(include_url=False, include_context=False)}, 422)

    return handle
