"""What this cluster's brokers tell the brokers at the other end of a link: the other side of `peers`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from confluent_kafka import KafkaException
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from drill.confluent import transitions
from drill.confluent.acls import AclFilter, AclTable
from drill.confluent.link_state import LinkBook
from drill.confluent.links import Links
from drill.confluent.local_cluster import LocalCluster
from drill.confluent.mirroring import Mirroring
from drill.confluent.read_only import GuardUnreachable

Handler = Callable[[Request], Awaitable[Response]]


class _Topics(BaseModel):
    topics: list[str]


class _NewMirrors(BaseModel):
    topics: dict[str, list[int]]
    paused: bool = False


class PeerApi:
    """The routes under /control/peer. 503 where the brokers can't be reached, 404 without such a link."""

    def __init__(self, cluster: LocalCluster, acls: AclTable, links: Links, mirroring: Mirroring) -> None:
        self._cluster = cluster
        self._acls = acls
        self._links = links
        self._mirroring = mirroring

    def routes(self) -> list[Route]:
        """To be mounted at /control/peer."""
        routes: list[tuple[str, str, Handler]] = [
            ("GET", "", self._alive),
            ("GET", "/topics", self._topics),
            ("GET", "/acls", self._list_acls),
            ("GET", "/links/{name}", self._link),
            ("GET", "/links/{name}/stopped", self._stopped),
            ("POST", "/links/{name}/fence", self._fence),
            ("POST", "/links/{name}/mirrors", self._mirror),
        ]
        return [Route(f"/peer{path}", self._reachable(handler), methods=[method]) for method, path, handler in routes]

    def _reachable(self, handler: Handler) -> Handler:
        async def handle(request: Request) -> Response:
            if not self._cluster.reachable:
                return JSONResponse({}, 503)
            try:
                return await handler(request)
            except (KafkaException, GuardUnreachable):
                return JSONResponse({}, 503)

        return handle

    async def _alive(self, request: Request) -> Response:
        return JSONResponse({})

    async def _topics(self, request: Request) -> Response:
        topics = await run_in_threadpool(self._cluster.topics)
        rows = {t.name: {"partitions": t.partitions, "configs": self._cluster.topic_configs(t.name)} for t in topics}
        return JSONResponse(rows)

    async def _list_acls(self, request: Request) -> Response:
        return JSONResponse([acl.model_dump() for acl in self._acls.find(AclFilter())])

    async def _link(self, request: Request) -> Response:
        book = self._book(request)
        return JSONResponse({"mode": book.configs.mode if book else None})

    async def _stopped(self, request: Request) -> Response:
        book = self._book(request)
        ends = transitions.promoted(book.link) if book else {}
        return JSONResponse({topic: [rows[number] for number in sorted(rows)] for topic, rows in ends.items()})

    async def _fence(self, request: Request) -> Response:
        command = _Topics.model_validate_json(await request.body())
        if self._book(request) is None:
            return JSONResponse({}, 404)
        await run_in_threadpool(self._mirroring.close, command.topics)
        return JSONResponse({})

    async def _mirror(self, request: Request) -> Response:
        command, book = _NewMirrors.model_validate_json(await request.body()), self._book(request)
        if book is None:
            return JSONResponse({}, 404)
        await run_in_threadpool(self._mirroring.reverse, book, command.topics, command.paused)
        return JSONResponse({})

    def _book(self, request: Request) -> LinkBook | None:
        return self._links.get(request.path_params["name"])
