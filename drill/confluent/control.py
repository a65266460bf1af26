"""The drill's own handle on the stand-in, under /control: no part of Confluent's API, and not authenticated."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from drill.confluent import mirrors
from drill.confluent.faults import Fault, Faults
from drill.confluent.running_link import LinkBook


class LinkFaults(BaseModel):
    """Faults of the link itself; what is left out stays as it is.

    `reachable` false cuts the way to the source, which may be well; `stuck` topics never become STOPPED;
    `fail` names topics and the `mirror_topic_error` they fail with.
    """

    reachable: bool | None = None
    stuck: list[str] | None = None
    fail: dict[str, str] | None = None


def routes(book: LinkBook | None, faults: Faults) -> list[Route]:
    """Routes to be mounted at /control."""

    async def promoted(request: Request) -> Response:
        ends = {} if book is None else mirrors.promoted(book.link)
        return JSONResponse({topic: {str(p): end for p, end in rows.items()} for topic, rows in ends.items()})

    async def set_faults(request: Request) -> Response:
        match request.method:
            case "POST":
                faults.arm(Fault.model_validate_json(await request.body()))
            case "DELETE":
                faults.clear()
        return JSONResponse({"faults": faults.armed()})

    async def requests(request: Request) -> Response:
        return JSONResponse(faults.counts())

    async def set_link(request: Request) -> Response:
        if book is None:
            return JSONResponse({"error": "no cluster link ends at this cluster"}, 404)
        if request.method == "PUT":
            _break(book, LinkFaults.model_validate_json(await request.body()))
        link = book.link
        return JSONResponse(
            {
                "reachable": not book.path_cut,
                "stuck": sorted(link.stuck),
                "state": link.state(book.clock()),
                "unreached_since": link.unreached_since,
                "mirrors": {topic: mirror.status for topic, mirror in link.mirrors.items()},
            }
        )

    return [
        Route("/promoted", promoted, methods=["GET"]),
        Route("/faults", _checked(set_faults), methods=["GET", "POST", "DELETE"]),
        Route("/requests", requests, methods=["GET"]),
        Route("/link", _checked(set_link), methods=["GET", "PUT"]),
    ]


def _break(book: LinkBook, asked: LinkFaults) -> None:
    if asked.reachable is not None:
        book.cut_path(not asked.reachable)
    if asked.stuck is not None:
        stuck = frozenset(asked.stuck)
        book.change(lambda link: replace(link, stuck=stuck))
    for topic, error in (asked.fail or {}).items():
        book.change(partial(mirrors.fail, topic=topic, error=error, now=book.clock()))


def _checked(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except ValidationError as error:
            return JSONResponse({"error": error.errors(include_url=False, include_context=False)}, 422)

    return handle
