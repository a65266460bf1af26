"""The routes of Confluent's Kafka REST v3 that concern a cluster link, over the state of the one link of this cluster.

Each route carries the spec's operationId. Error bodies are the spec's, or recorded ones; else "our choice".
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, TypeVar

from confluent_kafka import KafkaException
from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from drill.confluent.bodies import Bodies
from drill.confluent.faults import Faults, Handler
from drill.confluent.link_configs import DEFAULTS, Change, ConfigRefused
from drill.confluent.local_cluster import LocalCluster
from drill.confluent.mirrors import Verb
from drill.confluent.running_link import LinkBook

Model = TypeVar("Model", bound=BaseModel)

ROOT: Final = "/kafka/v3/clusters/{cluster_id}"
_LINK: Final = ROOT + "/links/{link_name}"


class ApiError(Exception):
    """A request that is answered with Confluent's error body."""

    def __init__(self, status: int, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error_code": status if code is None else code, "message": message}


class _AlterMirrors(BaseModel):
    mirror_topic_names: list[str] | None = None
    mirror_topic_name_pattern: str | None = None


class _ConfigValue(BaseModel):
    value: str


class _ConfigOperation(BaseModel):
    name: str
    value: str | None = None
    operation: str | None = None


class _ConfigBatch(BaseModel):
    data: list[_ConfigOperation]
    validate_only: bool = False


class KafkaRest:
    """The API of one cluster. `book` is None where no link ends at this cluster."""

    def __init__(
        self,
        cluster_id: str,
        credentials: tuple[str, str],
        bodies: Bodies,
        book: LinkBook | None,
        cluster: LocalCluster,
        groups: tuple[str, ...],
        unmanaged_row: bool,
    ) -> None:
        self._cluster_id = cluster_id
        self._authorization = base64.b64encode(":".join(credentials).encode())
        self._bodies = bodies
        self._book = book
        self._cluster = cluster
        self._groups = groups
        self._unmanaged_row = unmanaged_row

    def routes(self, faults: Faults) -> list[Route]:
        """Every route, with its faults in effect."""

        def route(method: str, path: str, operation: str, handler: Handler) -> Route:
            guarded = faults.around(operation, partial(self._guarded, handler))
            return Route(path, guarded, methods=[method], name=operation)

        verbs = {verb: f"updateKafkaMirrorTopics{verb.capitalize()}" for verb in Verb}
        return [
            route("GET", ROOT, "getKafkaCluster", self._get_cluster),
            route("GET", f"{ROOT}/topics", "listKafkaTopics", self._topics),
            route("GET", f"{ROOT}/consumer-groups", "listKafkaConsumerGroups", self._consumer_groups),
            route("GET", f"{ROOT}/consumer-groups/{{group}}/lags", "listKafkaConsumerLags", self._consumer_lags),
            route("GET", f"{ROOT}/links", "listKafkaLinks", self._links),
            route("GET", f"{ROOT}/links/-/mirrors", "listKafkaMirrorTopics", self._all_mirrors),
            route("GET", _LINK, "getKafkaLink", self._link),
            route("GET", f"{_LINK}/configs", "listKafkaLinkConfigs", self._configs),
            route("PUT", f"{_LINK}/configs:alter", "updateKafkaLinkConfigBatch", self._alter_configs),
            route("GET", f"{_LINK}/configs/{{config}}", "getKafkaLinkConfigs", self._config),
            route("PUT", f"{_LINK}/configs/{{config}}", "updateKafkaLinkConfig", self._set_config),
            route("DELETE", f"{_LINK}/configs/{{config}}", "deleteKafkaLinkConfig", self._unset_config),
            route("GET", f"{_LINK}/mirrors", "listKafkaMirrorTopicsUnderLink", self._mirrors),
            route("GET", f"{_LINK}/mirrors/{{topic}}", "readKafkaMirrorTopic", self._mirror),
            *(
                route("POST", f"{_LINK}/mirrors:{verb}", operation, partial(self._alter, verb))
                for verb, operation in verbs.items()
            ),
        ]

    async def _guarded(self, handler: Handler, request: Request) -> Response:
        try:
            self._authenticate(request)
            cluster_id = request.path_params["cluster_id"]
            if cluster_id != self._cluster_id:
                raise ApiError(404, f"Cluster {cluster_id} cannot be found.")
            return await handler(request)
        except ApiError as error:
            return JSONResponse(error.body, error.status)
        except ConfigRefused as error:
            return JSONResponse({"error_code": error.code, "message": str(error)}, 400)
        except KafkaException as error:  # retriable Kafka errors carry 50003
            return JSONResponse({"error_code": 50003, "message": str(error)}, 500)

    def _authenticate(self, request: Request) -> None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic" or not hmac.compare_digest(given.strip().encode(), self._authorization):
            raise ApiError(401, "Authentication failed", 40101)

    def _link_of(self, request: Request) -> LinkBook:
        name = request.path_params["link_name"]
        if self._book is None or self._book.link.name != name:
            raise ApiError(404, f"The cluster link doesn't exist: Cluster link '{name}' does not exist.")
        return self._book

    async def _get_cluster(self, request: Request) -> Response:
        return JSONResponse(self._bodies.cluster())

    async def _topics(self, request: Request) -> Response:
        return JSONResponse(self._bodies.topics(await run_in_threadpool(self._cluster.topics)))

    async def _consumer_groups(self, request: Request) -> Response:
        return JSONResponse(self._bodies.groups(await run_in_threadpool(self._cluster.known_groups, self._groups)))

    async def _consumer_lags(self, request: Request) -> Response:
        group = request.path_params["group"]
        lags = await run_in_threadpool(self._cluster.group_lags, group)
        if not lags:
            raise ApiError(404, "Consumer group offsets could not be found.")
        return JSONResponse(self._bodies.group_lags(group, lags))

    async def _links(self, request: Request) -> Response:
        book = self._book
        rows = [] if book is None else [self._bodies.link(book.link, book.configs, book.clock(), None)]
        return JSONResponse(self._bodies.links(rows, self._unmanaged_row))

    async def _link(self, request: Request) -> Response:
        book = self._link_of(request)
        errors = book.offset_sync_errors if _flag(request, "include_tasks") else None
        return JSONResponse(self._bodies.link(book.link, book.configs, book.clock(), errors))

    async def _configs(self, request: Request) -> Response:
        book = self._link_of(request)
        return JSONResponse(self._bodies.configs(book.link.name, book.configs))

    async def _config(self, request: Request) -> Response:
        book, name = self._link_of(request), _config_name(request)
        return JSONResponse(self._bodies.config(book.link.name, book.configs, name))

    async def _set_config(self, request: Request) -> Response:
        book, name = self._link_of(request), _config_name(request)
        book.configure([Change(name, (await _body(request, _ConfigValue)).value)])
        return Response(status_code=204)

    async def _unset_config(self, request: Request) -> Response:
        self._link_of(request).configure([Change(_config_name(request), None)])
        return Response(status_code=204)

    async def _alter_configs(self, request: Request) -> Response:
        book, batch = self._link_of(request), await _body(request, _ConfigBatch)
        changes = [Change(row.name, None if row.operation == "DELETE" else row.value or "") for row in batch.data]
        book.configure(changes, validate_only=batch.validate_only or _flag(request, "validate_only"))
        return Response(status_code=204)

    async def _mirrors(self, request: Request) -> Response:
        book = self._link_of(request)
        return JSONResponse(self._bodies.mirrors(book.link.name, _of_status(request, book)))

    async def _all_mirrors(self, request: Request) -> Response:
        if self._book is None:
            return JSONResponse(self._bodies.mirrors("-", []))
        return JSONResponse(self._bodies.mirrors(self._book.link.name, _of_status(request, self._book), under="-"))

    async def _mirror(self, request: Request) -> Response:
        book, topic = self._link_of(request), request.path_params["topic"]
        mirror = book.link.mirrors.get(topic)
        if mirror is None:  # our choice of the spec's two 404 codes
            raise ApiError(404, "This server does not host this topic-partition.", 40403)
        errors = _flag(request, "include_state_transition_errors")
        return JSONResponse(self._bodies.mirror(book.link.name, mirror, with_errors=errors))

    async def _alter(self, verb: Verb, request: Request) -> Response:
        book, asked = self._link_of(request), await _body(request, _AlterMirrors)
        names, pattern = asked.mirror_topic_names, asked.mirror_topic_name_pattern
        if (names is None) == (pattern is None):  # our choice
            raise ApiError(400, "Exactly one of mirror_topic_names and mirror_topic_name_pattern must be given")
        if pattern is not None:
            try:
                names = [topic for topic in book.link.mirrors if re.fullmatch(pattern, topic)]
            except re.error as error:
                raise ApiError(400, f"Invalid mirror_topic_name_pattern: {error}") from None
        rows = book.alter(verb, names or [], validate_only=_flag(request, "validate_only"))
        return JSONResponse(self._bodies.altered(book.link.name, rows))


def _of_status(request: Request, book: LinkBook) -> list[Any]:
    wanted = request.query_params.get("mirror_status")
    return [mirror for mirror in book.link.mirrors.values() if wanted is None or mirror.status == wanted]


def _config_name(request: Request) -> str:
    name = str(request.path_params["config"])
    if name not in DEFAULTS:
        raise ApiError(404, f"Config {name} cannot be found for LINK {request.path_params['link_name']}.")
    return name


def _flag(request: Request, name: str) -> bool:
    return request.query_params.get(name, "false").lower() == "true"


async def _body(request: Request, model: type[Model]) -> Model:
    try:
        return model.model_validate_json(await request.body())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise ApiError(400, f"Cannot deserialize value of {where}: {first['msg']}") from None


async def no_such_route(request: Request, error: Exception) -> Response:
    """What Jetty and the REST server say about paths and methods they do not know."""
    if "/links//" in request.url.path:
        return JSONResponse({"error_code": 400, "message": "Invalid Cluster Link Name."}, 400)
    status = error.status_code if isinstance(error, HTTPException) else 500
    texts = {404: "Not Found", 405: "Method Not Allowed"}
    return JSONResponse({"error_code": status, "message": f"HTTP {status} {texts.get(status, 'Error')}"}, status)


async def broken(request: Request, error: Exception) -> Response:
    """A bug of ours; said the way the real server says its own."""
    return JSONResponse({"error_code": 500, "message": "Internal Server Error"}, 500)


HANDLERS: Final[Mapping[Any, Callable[..., Any]]] = {404: no_such_route, 405: no_such_route, Exception: broken}
