"""The API of one cluster: the endpoints of Confluent's Kafka REST v3, behind authentication, with their faults.

Each route carries the spec's operationId. Error bodies are the spec's, or recorded ones; else "our choice".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final

from confluent_kafka import KafkaException
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from drill.confluent.auth import Authenticator
from drill.confluent.endpoints import ApiError, Endpoint
from drill.confluent.faults import Faults, Handler
from drill.confluent.kafka_topics import NotSupported, TopicNotCreated
from drill.confluent.link_configs import ConfigRefused
from drill.confluent.read_only import GuardUnreachable


class KafkaRest:
    """The API of one cluster."""

    def __init__(self, cluster_id: str, authenticator: Authenticator, endpoints: Iterable[Endpoint]) -> None:
        self._cluster_id = cluster_id
        self._authenticator = authenticator
        self._endpoints = list(endpoints)

    def routes(self, faults: Faults) -> list[Route]:
        """Every route, with its faults in effect."""
        return [
            Route(
                endpoint.path,
                faults.around(endpoint.operation, partial(self._guarded, endpoint.handler)),
                methods=[endpoint.method],
                name=endpoint.operation,
            )
            for endpoint in self._endpoints
        ]

    async def _guarded(self, handler: Handler, request: Request) -> Response:
        try:
            caller = self._authenticator.caller(request)
            cluster_id = request.path_params["cluster_id"]
            if cluster_id != self._cluster_id:
                raise ApiError(404, f"Cluster {cluster_id} cannot be found.")
            if request.method not in ("GET", "HEAD") and not caller.may_change:
                raise ApiError(403, "Request is not authorized", 40301)
            return await handler(request)
        except ApiError as error:
            return error.response()
        except ConfigRefused as error:
            return JSONResponse({"error_code": error.code, "message": str(error)}, 400)
        except NotSupported:
            message = "The version of this API is not supported in the underlying Kafka cluster."
            return JSONResponse({"error_code": 40035, "message": message}, 400)
        except (KafkaException, TopicNotCreated, GuardUnreachable) as error:  # retriable Kafka errors carry 50003
            return JSONResponse({"error_code": 50003, "message": str(error)}, 500)


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
