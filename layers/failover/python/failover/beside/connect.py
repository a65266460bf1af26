"""A Connect cluster's REST API, of its workers or of Confluent Cloud, which tell the same of a connector's state
(https://docs.confluent.io/platform/current/connect/references/restapi.html#get--connectors)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, TypeAdapter, ValidationError

from failover.beside.json_api import JsonApi
from failover.errors import ServiceUnavailable

WHAT: Final = "Connect"


@dataclass(frozen=True, kw_only=True)
class Connector:
    """A connector, and the states of its tasks: RUNNING, PAUSED, STOPPED, FAILED, UNASSIGNED, or a later word."""

    state: str
    tasks: tuple[str, ...] = ()


class _State(BaseModel):
    state: str


class _Status(BaseModel):
    connector: _State
    tasks: list[_State] = []


class _Row(BaseModel):
    status: _Status


_ROWS: Final = TypeAdapter(dict[str, _Row])


def connectors(api: JsonApi) -> dict[str, Connector]:
    """Every connector, by its name.

    Raises:
        ServiceUnavailable, ServiceRejected, CredentialsMissing
    """
    try:
        rows = _ROWS.validate_python(api.get("/connectors", expand="status"))
    except ValidationError as error:
        raise ServiceUnavailable(f"Connect told states that can't be read: {error.error_count()} problems") from None
    return {
        name: Connector(state=row.status.connector.state, tasks=tuple(task.state for task in row.status.tasks))
        for name, row in rows.items()
    }
