"""The endpoints of cluster links and their configuration."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from drill.confluent import link_bodies
from drill.confluent.endpoints import CLUSTER, LINK, ApiError, Endpoint, flag, read
from drill.confluent.link_configs import DEFAULTS, IGNORED, Change
from drill.confluent.link_creation import LinkCreation, NewLink
from drill.confluent.link_state import LinkBook
from drill.confluent.links import Links
from drill.confluent.shapes import Shape


class _ConfigValue(BaseModel):
    value: str


class _ConfigOperation(BaseModel):
    name: str
    value: str | None = None
    operation: str | None = None


class _ConfigBatch(BaseModel):
    data: list[_ConfigOperation]
    validate_only: bool = False


def link_of(links: Links, request: Request) -> LinkBook:
    """The link that the path names.

    Raises:
        ApiError: 404, in the words of a real cluster.
    """
    name = request.path_params["link_name"]
    book = links.get(name)
    if book is None:
        raise ApiError(404, f"The cluster link doesn't exist: Cluster link '{name}' does not exist.")
    return book


class LinkEndpoints:
    """The links of a cluster."""

    def __init__(self, shape: Shape, links: Links, creation: LinkCreation, unmanaged_row: bool, created: int) -> None:
        self._shape = shape
        self._links = links
        self._creation = creation
        self._unmanaged_row = unmanaged_row
        self._created = created

    def endpoints(self) -> list[Endpoint]:
        config = f"{LINK}/configs/{{config}}"
        return [
            Endpoint(operation="listKafkaLinks", method="GET", path=f"{CLUSTER}/links", handler=self._list),
            Endpoint(operation="createKafkaLink", method="POST", path=f"{CLUSTER}/links", handler=self._create),
            Endpoint(operation="getKafkaLink", method="GET", path=LINK, handler=self._get),
            Endpoint(operation="deleteKafkaLink", method="DELETE", path=LINK, handler=self._delete),
            Endpoint(operation="listKafkaLinkConfigs", method="GET", path=f"{LINK}/configs", handler=self._configs),
            Endpoint(
                operation="updateKafkaLinkConfigBatch",
                method="PUT",
                path=f"{LINK}/configs:alter",
                handler=self._alter_configs,
            ),
            Endpoint(operation="getKafkaLinkConfigs", method="GET", path=config, handler=self._config),
            Endpoint(operation="updateKafkaLinkConfig", method="PUT", path=config, handler=self._set_config),
            Endpoint(operation="deleteKafkaLinkConfig", method="DELETE", path=config, handler=self._unset_config),
        ]

    async def _list(self, request: Request) -> Response:
        unmanaged = self._unmanaged_row or self._creation.has_unmanaged
        return JSONResponse(link_bodies.links(self._shape, self._links.all(), unmanaged))

    async def _create(self, request: Request) -> Response:
        name, new = request.query_params.get("link_name", ""), await read(request, NewLink)
        validate_only, validate_link = flag(request, "validate_only"), flag(request, "validate_link", default=True)
        create = partial(self._creation.create, validate_only=validate_only, validate_link=validate_link)
        await run_in_threadpool(create, name, new)
        return Response(status_code=self._created)

    async def _delete(self, request: Request) -> Response:
        book = link_of(self._links, request)
        force, validate_only = flag(request, "force"), flag(request, "validate_only")
        await run_in_threadpool(partial(self._creation.delete, book, force=force, validate_only=validate_only))
        return Response(status_code=200)

    async def _get(self, request: Request) -> Response:
        book = link_of(self._links, request)
        return JSONResponse(link_bodies.link(self._shape, book, with_tasks=flag(request, "include_tasks")))

    async def _configs(self, request: Request) -> Response:
        return JSONResponse(link_bodies.configs(self._shape, link_of(self._links, request)))

    async def _config(self, request: Request) -> Response:
        book = link_of(self._links, request)
        return JSONResponse(link_bodies.config(self._shape, book, _config_name(request)))

    async def _set_config(self, request: Request) -> Response:
        book, name = link_of(self._links, request), _config_name(request, IGNORED)
        book.configure([Change(name, (await read(request, _ConfigValue)).value)])
        return Response(status_code=204)

    async def _unset_config(self, request: Request) -> Response:
        link_of(self._links, request).configure([Change(_config_name(request), None)])
        return Response(status_code=204)

    async def _alter_configs(self, request: Request) -> Response:
        book, batch = link_of(self._links, request), await read(request, _ConfigBatch)
        changes = [Change(row.name, None if row.operation == "DELETE" else row.value or "") for row in batch.data]
        book.configure(changes, validate_only=batch.validate_only or flag(request, "validate_only"))
        return Response(status_code=204)


def _config_name(request: Request, more: Collection[str] = ()) -> str:
    name = str(request.path_params["config"])
    if name not in DEFAULTS and name not in more:
        raise ApiError(404, f"Config {name} cannot be found for LINK {request.path_params['link_name']}.")
    return name
