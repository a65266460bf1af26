"""The endpoints of mirror topics."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType

from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from drill.confluent.bidirectional_operations import BothSides
from drill.confluent.endpoints import CLUSTER, LINK, ApiError, Endpoint, flag, read
from drill.confluent.link_state import LinkBook
from drill.confluent.links import Links
from drill.confluent.mirror_bodies import MirrorBodies
from drill.confluent.mirror_creation import MirrorCreation, NewMirror
from drill.confluent.mirrors import Link, Mirror, Row, Verb
from drill.confluent.rest_links import link_of

OPERATIONS: Mapping[Verb, str] = MappingProxyType(
    {
        Verb.FAILOVER: "updateKafkaMirrorTopicsFailover",
        Verb.PROMOTE: "updateKafkaMirrorTopicsPromote",
        Verb.PAUSE: "updateKafkaMirrorTopicsPause",
        Verb.RESUME: "updateKafkaMirrorTopicsResume",
        Verb.REVERSE_AND_START: "updateKafkaMirrorTopicsReverseAndStartMirror",
        Verb.REVERSE_AND_PAUSE: "updateKafkaMirrorTopicsReverseAndPauseMirror",
        Verb.TRUNCATE_AND_RESTORE: "updateKafkaMirrorTopicsTruncateAndRestoreMirror",
    }
)


class _AlterMirrors(BaseModel):
    mirror_topic_names: list[str] | None = None
    mirror_topic_name_pattern: str | None = None


class MirrorEndpoints:
    """The mirror topics of a cluster, under its links. `dry_run_counts`: whether the dry run of a restore counts what
    would be truncated already, which is not known of a real cluster."""

    def __init__(
        self,
        bodies: MirrorBodies,
        links: Links,
        creation: MirrorCreation,
        both_sides: BothSides,
        dry_run_counts: bool,
        created: int,
    ) -> None:
        self._bodies = bodies
        self._links = links
        self._creation = creation
        self._both_sides = both_sides
        self._dry_run_counts = dry_run_counts
        self._created = created

    def endpoints(self) -> list[Endpoint]:
        return [
            Endpoint(
                operation="listKafkaMirrorTopics",
                method="GET",
                path=f"{CLUSTER}/links/-/mirrors",
                handler=self._list_all,
            ),
            Endpoint(
                operation="listKafkaMirrorTopicsUnderLink", method="GET", path=f"{LINK}/mirrors", handler=self._list
            ),
            Endpoint(operation="createKafkaMirrorTopic", method="POST", path=f"{LINK}/mirrors", handler=self._create),
            Endpoint(
                operation="readKafkaMirrorTopic", method="GET", path=f"{LINK}/mirrors/{{topic}}", handler=self._get
            ),
            *(
                Endpoint(
                    operation=operation,
                    method="POST",
                    path=f"{LINK}/mirrors:{verb}",
                    handler=partial(self._alter, verb),
                )
                for verb, operation in OPERATIONS.items()
            ),
        ]

    async def _list(self, request: Request) -> Response:
        book = link_of(self._links, request)
        return JSONResponse(self._bodies.mirrors(_of_status(request, [book]), under=book.link.name))

    async def _list_all(self, request: Request) -> Response:
        return JSONResponse(self._bodies.mirrors(_of_status(request, self._links.all()), under="-"))

    async def _create(self, request: Request) -> Response:
        book, new = link_of(self._links, request), await read(request, NewMirror)
        await run_in_threadpool(self._creation.create, book, self._links.source_of(book), new)
        return Response(status_code=self._created)

    async def _get(self, request: Request) -> Response:
        link, topic = link_of(self._links, request).link, request.path_params["topic"]
        mirror = link.mirrors.get(topic)
        if mirror is None:  # our choice of the spec's two 404 codes
            raise ApiError(404, "This server does not host this topic-partition.", 40403)
        errors = flag(request, "include_state_transition_errors")
        return JSONResponse(self._bodies.mirror(link, mirror, with_errors=errors))

    async def _alter(self, verb: Verb, request: Request) -> Response:
        book, command = link_of(self._links, request), await read(request, _AlterMirrors)
        validate_only = flag(request, "validate_only")
        rows = await self._rows(verb, book, _names(command, book), validate_only)
        if validate_only and not self._dry_run_counts:
            rows = tuple(replace(row, cuts=None) for row in rows)
        with_cuts = flag(request, "include_partition_level_truncation_data")
        return JSONResponse(self._bodies.altered(book.link.name, rows, with_cuts=with_cuts))

    async def _rows(self, verb: Verb, book: LinkBook, names: list[str], validate_only: bool) -> tuple[Row, ...]:
        source, both = self._links.source_of(book), self._both_sides
        if verb is Verb.TRUNCATE_AND_RESTORE:
            restore = partial(both.truncate_and_restore, book, source, names, validate_only=validate_only)
            return await run_in_threadpool(restore)
        if verb.reverses:
            return await run_in_threadpool(
                partial(both.reverse, book, source, verb, names, validate_only=validate_only)
            )
        return book.alter(verb, names, validate_only=validate_only)


def _of_status(request: Request, books: list[LinkBook]) -> Iterator[tuple[Link, Mirror]]:
    status = request.query_params.get("mirror_status")
    for link in (book.link for book in books):
        for mirror in link.mirrors.values():
            if status is None or mirror.status == status:
                yield link, mirror


def _names(command: _AlterMirrors, book: LinkBook) -> list[str]:
    names, pattern = command.mirror_topic_names, command.mirror_topic_name_pattern
    if (names is None) == (pattern is None):  # our choice
        raise ApiError(400, "Exactly one of mirror_topic_names and mirror_topic_name_pattern must be given")
    if pattern is None:
        return names or []
    try:
        return [topic for topic in book.link.mirrors if re.fullmatch(pattern, topic)]
    except re.error as error:
        raise ApiError(400, f"Invalid mirror_topic_name_pattern: {error}") from None
