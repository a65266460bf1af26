"""The drill's own handle on the stand-in, on a port of its own: no part of Confluent's API, and not authenticated.

| under /control | what it does |
|---|---|
| GET /promoted | each STOPPED mirror's log end offsets at the moment it was made writable |
| GET, POST, DELETE /faults | faults of single calls: `faults.Fault` |
| GET /requests | how often each operation was asked for, and what it answered |
| GET, PUT /rest | the way to the API: latency, a rate limit, down for a while: `door.Conditions` |
| GET, PUT /link, /links/{name} | faults of a link (of the first one, or of the named one): `LinkFaults` |
| POST /mirrors | mirror topics that appear at once under a link, as auto-create makes them: `NewMirrors` |
| PUT /cluster | the cluster's own: `ClusterChange` |
| PUT /peers | control URLs of other clusters' stand-ins, by cluster id |
| POST /oauth/token | an identity provider's token endpoint; DELETE revokes every token it issued |
| /peer | what the other stand-in asks: `peer_api` |

Three faults have nothing to do with each other: the API is down (/rest), the brokers can't be reached by the API or by
other clusters' links (/cluster), and the path of a link is cut (/link).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from drill.confluent import transitions, virtual_topics
from drill.confluent.acls import Acl, AclTable
from drill.confluent.auth import Authenticator
from drill.confluent.faults import Fault, Faults
from drill.confluent.link_state import LinkBook
from drill.confluent.links import Links
from drill.confluent.listener import Conditions, Door
from drill.confluent.local_cluster import LocalCluster
from drill.confluent.mirror_operations import Refusal
from drill.confluent.mirroring import Mirroring
from drill.confluent.mirrors import TransitionError
from drill.confluent.peers import Peers

_STUCK = TransitionError("INTERNAL_ERROR", "The mirror topic can't be stopped")


class _Command(BaseModel):
    model_config = ConfigDict(extra="forbid")


class LinkFaults(_Command):
    """Faults of a link; what is left out stays as it is.

    `reachable` false: the way to the source is cut; the source itself may be well.
    `stuck`: topics that never become STOPPED; a list, or each with the code of its `mirror_state_transition_errors`.
    `fail`: topics, and the `mirror_topic_error` they fail with.
    `refuse`: topics that every verb is refused for, and with what message.
    `error`: a `link_error` that the whole link fails with; NO_ERROR: it is well again.
    `lag`: how far topics of the API only trail, in records a partition; "*": all of them.
    `offsets_ahead`: groups' offsets are synced so far beyond the mirrors' log ends at least, for partitions that the
    group has committed an offset of at all.
    """

    reachable: bool | None = None
    stuck: list[str] | dict[str, str] | None = None
    fail: dict[str, str] | None = None
    refuse: dict[str, str] | None = None
    error: str | None = None
    lag: dict[str, int] | None = None
    offsets_ahead: int | None = Field(default=None, ge=0)


class NewMirrors(_Command):
    """Mirror topics that are there at once, ACTIVE, under a link (None: the first); on the wire only if `wired`, and
    there with as many partitions as the brokers give them."""

    topics: list[str] = Field(min_length=1)
    link: str | None = None
    partitions: int = Field(default=2, ge=1)
    wired: bool = False


class ClusterChange(_Command):
    """What is changed of the cluster; what is left out stays as it is.

    `dedicated` false: lags of groups are 404; `reachable` false: neither the API nor other clusters' links can reach
    the brokers, which serve their clients all the same; `groups`: the state a group is said to be in (null: as the
    brokers say); `acls`: all there are; `topic_configs`: what is not the default, by topic.
    """

    dedicated: bool | None = None
    reachable: bool | None = None
    groups: dict[str, str | None] | None = None
    acls: list[Acl] | None = None
    topic_configs: dict[str, dict[str, str]] | None = None


class PeerUrls(RootModel[dict[str, str]]):
    """Control URLs by cluster id."""


class Control:
    """The control API of one stand-in."""

    def __init__(
        self,
        door: Door,
        faults: Faults,
        cluster: LocalCluster,
        acls: AclTable,
        links: Links,
        mirroring: Mirroring,
        peers: Peers,
        authenticator: Authenticator,
    ) -> None:
        self._door = door
        self._faults = faults
        self._cluster = cluster
        self._acls = acls
        self._links = links
        self._mirroring = mirroring
        self._peers = peers
        self._authenticator = authenticator

    def routes(self) -> list[Route]:
        """To be mounted at /control."""
        return [
            Route("/promoted", self._promoted, methods=["GET"]),
            Route("/faults", _checked(self._set_faults), methods=["GET", "POST", "DELETE"]),
            Route("/requests", self._requests, methods=["GET"]),
            Route("/rest", _checked(self._set_rest), methods=["GET", "PUT"]),
            Route("/link", _checked(self._set_link), methods=["GET", "PUT"]),
            Route("/links/{name}", _checked(self._set_link), methods=["GET", "PUT"]),
            Route("/mirrors", _checked(self._new_mirrors), methods=["POST"]),
            Route("/cluster", _checked(self._set_cluster), methods=["PUT"]),
            Route("/peers", _checked(self._set_peers), methods=["PUT"]),
            Route("/oauth/token", self._authenticator.issue, methods=["POST"]),
            Route("/oauth/token", self._revoke, methods=["DELETE"]),
        ]

    async def _promoted(self, request: Request) -> Response:
        ends = {topic: rows for book in self._links.all() for topic, rows in transitions.promoted(book.link).items()}
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
        book = self._book(request.path_params.get("name"))
        if book is None:
            return _no_link()
        if request.method == "PUT":
            _break(book, LinkFaults.model_validate_json(await request.body()))
        return JSONResponse(_shown(book))

    async def _new_mirrors(self, request: Request) -> Response:
        new = NewMirrors.model_validate_json(await request.body())
        book = self._book(new.link)
        if book is None:
            return _no_link()
        counts = dict.fromkeys(new.topics, new.partitions)
        create = partial(self._mirroring.create, wired=new.wired, at_once=True)
        return JSONResponse({"made": await run_in_threadpool(create, book, counts)})

    async def _set_cluster(self, request: Request) -> Response:
        change = ClusterChange.model_validate_json(await request.body())
        if change.dedicated is not None:
            self._cluster.dedicated = change.dedicated
        if change.reachable is not None:
            self._cluster.reachable = change.reachable
        if change.acls is not None:
            acls = frozenset(change.acls)
            self._acls.change(lambda _: acls)
        for topic, configs in (change.topic_configs or {}).items():
            self._cluster.configure_topic(topic, configs)
        self._cluster.set_group_states(change.groups or {})
        return JSONResponse({"dedicated": self._cluster.dedicated, "reachable": self._cluster.reachable})

    async def _set_peers(self, request: Request) -> Response:
        for cluster_id, url in PeerUrls.model_validate_json(await request.body()).root.items():
            self._peers.set(cluster_id, url)
        return JSONResponse({})

    async def _revoke(self, request: Request) -> Response:
        self._authenticator.revoke()
        return JSONResponse({})

    def _book(self, name: str | None) -> LinkBook | None:
        return self._links.first() if name is None else self._links.get(name)


def _no_link() -> Response:
    return JSONResponse({"error": "there is no such cluster link at this cluster"}, 404)


def _break(book: LinkBook, faults: LinkFaults) -> None:
    now = book.clock()
    if faults.reachable is not None:
        book.cut_path(not faults.reachable)
    if faults.offsets_ahead is not None:
        book.offsets_ahead = faults.offsets_ahead
    if faults.refuse is not None:
        book.refused = {topic: Refusal(400, message) for topic, message in faults.refuse.items()}
    if faults.stuck is not None:
        codes = faults.stuck if isinstance(faults.stuck, dict) else dict.fromkeys(faults.stuck, _STUCK.code)
        stuck = {topic: TransitionError(code, _STUCK.message) for topic, code in codes.items()}
        book.change(lambda link: transitions.stick(link, stuck))
    for topic, error in (faults.fail or {}).items():
        book.change(partial(transitions.fail, topic=topic, error=error, now=now))
    if faults.error is not None:
        book.change(partial(transitions.fail_link, error=faults.error, now=now))
    for topic, lag in (faults.lag or {}).items():
        topics = None if topic == "*" else [topic]
        book.change(partial(virtual_topics.trailing, lag=lag, topics=topics))
    book.wake.set()


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
