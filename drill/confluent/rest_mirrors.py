"""The endpoints of mirror topics."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from drill.confluent.endpoints import CLUSTER, LINK, ApiError, Endpoint, flag, read
from drill.confluent.link_book import LinkBook
from drill.confluent.links import Links
from drill.confluent.mirror_bodies import MirrorBodies
from drill.confluent.mirrors import Mirror, Verb
from drill.confluent.rest_links import link_of


class _AlterMirrors(BaseModel):
    mirror_topic_names: list[str] | None = None
    mirror_topic_name_pattern: str | None = None


class MirrorEndpoints:
    """The mirror topics of a cluster, under its links."""

    def __init__(self, bodies: MirrorBodies, links: Links) -> None:
        self._bodies = bodies
        self._links = links

    def endpoints(self) -> list[Endpoint]:
        verbs = {verb: f"updateKafkaMirrorTopics{verb.capitalize()}" for verb in Verb}
        return [
            Endpoint("listKafkaMirrorTopics", "GET", f"{CLUSTER}/links/-/mirrors", self._list_all),
            Endpoint("listKafkaMirrorTopicsUnderLink", "GET", f"{LINK}/mirrors", self._list),
            Endpoint("readKafkaMirrorTopic", "GET", f"{LINK}/mirrors/{{topic}}", self._get),
            *(
                Endpoint(operation, "POST", f"{LINK}/mirrors:{verb}", partial(self._alter, verb))
                for verb, operation in verbs.items()
            ),
        ]

    async def _list(self, request: Request) -> Response:
        book = link_of(self._links, request)
        return JSONResponse(self._bodies.mirrors(_of_status(request, [book]), under=book.link.name))

    async def _list_all(self, request: Request) -> Response:
        return JSONResponse(self._bodies.mirrors(_of_status(request, self._links.all()), under="-"))

    async def _get(self, request: Request) -> Response:
        book, topic = link_of(self._links, request), request.path_params["topic"]
        mirror = book.link.mirrors.get(topic)
        if mirror is None:  # our choice of the spec's two 404 codes
            raise ApiError(404, "This server does not host this topic-partition.", 40403)
        errors = flag(request, "include_state_transition_errors")
        return JSONResponse(self._bodies.mirror(book.link.name, mirror, with_errors=errors))

    async def _alter(self, verb: Verb, request: Request) -> Response:
        book = link_of(self._links, request)
        names = _names(await read(request, _AlterMirrors), book)
        rows = book.alter(verb, names, validate_only=flag(request, "validate_only"))
        return JSONResponse(self._bodies.altered(book.link.name, rows))


def _of_status(request: Request, books: list[LinkBook]) -> Iterator[tuple[str, Mirror]]:
    wanted = request.query_params.get("mirror_status")
    for book in books:
        for mirror in book.link.mirrors.values():
            if wanted is None or mirror.status == wanted:
                yield book.link.name, mirror


def _names(asked: _AlterMirrors, book: LinkBook) -> list[str]:
    names, pattern = asked.mirror_topic_names, asked.mirror_topic_name_pattern
    if (names is None) == (pattern is None):  # our choice
        raise ApiError(400, "Exactly one of mirror_topic_names and mirror_topic_name_pattern must be given")
    if pattern is None:
        return names or []
    try:
        return [topic for topic in book.link.mirrors if re.fullmatch(pattern, topic)]
    except re.error as error:
        raise ApiError(400, f"Invalid mirror_topic_name_pattern: {error}") from None
