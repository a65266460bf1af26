"""A Schema Registry (https://docs.confluent.io/platform/current/schema-registry/develop/api.html)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

from failover.beside.json_api import JsonApi
from failover.errors import ServiceUnavailable

WHAT: Final = "the Schema Registry"
KEY_HEADER: Final = "__key_schema_id"
VALUE_HEADER: Final = "__value_schema_id"
_ID_BYTES: Final = 5
_GUID_BYTES: Final = 17


@dataclass(frozen=True, kw_only=True)
class Exporter:
    """A schema exporter, that feeds another registry."""

    name: str
    state: str
    """STARTING, RUNNING, PAUSED, or a word of later versions."""
    exported_at: datetime | None
    """When it last exported something."""
    trace: str
    """Its last error."""


class Registry:
    """One registry. Its methods raise what `JsonApi`'s raise."""

    def __init__(self, api: JsonApi) -> None:
        self._api = api

    def mode(self) -> str:
        """READWRITE, READONLY, IMPORT, or a word of later versions."""
        return str(_object(self._api.get("/mode")).get("mode"))

    def exporter(self, name: str) -> Exporter | None:
        """An exporter; None if there is none of that name."""
        body = self._api.find(f"/exporters/{quote(name, safe='')}/status")
        if body is None:
            return None
        status = _object(body)
        at = status.get("ts")
        return Exporter(
            name=name,
            state=str(status.get("state")),
            exported_at=datetime.fromtimestamp(at / 1000, UTC) if isinstance(at, int) and at > 0 else None,
            trace=str(status.get("trace") or ""),
        )

    def subjects(self) -> set[str]:
        """Every subject of the context that the URL leads to."""
        body = self._api.get("/subjects")
        if not isinstance(body, list):
            raise ServiceUnavailable("the Schema Registry answered no list of subjects")
        return set(map(str, body))

    def schema(self, identity: str) -> str | None:
        """The schema of an id, or of a GUID; None if it is not there."""
        kind = "ids" if identity.isdigit() else "guids"
        body = self._api.find(f"/schemas/{kind}/{identity}")
        return None if body is None else str(_object(body).get("schema"))


def schema_identities(
    key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes | None]]
) -> frozenset[str]:
    """Which schemas a record names: an id of 4 bytes behind a 0 before key and value, or in a header a 1 and a GUID
    (https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format).
    Other bytes may look like an id: only a registry tells."""
    named: Mapping[str, bytes | None] = dict(headers)
    identities = (
        _identity(named.get(header) or payload) for header, payload in ((KEY_HEADER, key), (VALUE_HEADER, value))
    )
    return frozenset(identity for identity in identities if identity)


def _identity(data: bytes | None) -> str | None:
    if data is None or len(data) < _ID_BYTES:
        return None
    if data[0] == 0:
        return str(int.from_bytes(data[1:_ID_BYTES]))
    return str(UUID(bytes=data[1:])) if data[0] == 1 and len(data) == _GUID_BYTES else None


def _object(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise ServiceUnavailable(f"{WHAT} answered what can't be read")
    return body
