"""What every endpoint of the API is made of: its operation, its request, its error bodies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from drill.confluent.faults import Handler

Model = TypeVar("Model", bound=BaseModel)

CLUSTER = "/kafka/v3/clusters/{cluster_id}"
LINK = CLUSTER + "/links/{link_name}"


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One operation of the spec, by its operationId."""

    operation: str
    method: str
    path: str
    handler: Handler


class ApiError(Exception):
    """A request that is answered with Confluent's error body; `code` is the status unless it says more."""

    def __init__(self, status: int, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error_code": status if code is None else code, "message": message}

    def response(self) -> Response:
        return JSONResponse(self.body, self.status)


def flag(request: Request, name: str, default: bool = False) -> bool:
    """A boolean query parameter."""
    return request.query_params.get(name, str(default)).lower() == "true"


async def read(request: Request, model: type[Model]) -> Model:
    """The request's body.

    Raises:
        ApiError: 400, if it is no such thing.
    """
    try:
        return model.model_validate_json(await request.body())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise ApiError(400, f"Cannot deserialize value of {where}: {first['msg']}") from None
