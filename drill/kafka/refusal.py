"""Answers that refuse a request, made without a broker, and as one would make them."""

from __future__ import annotations

import datetime
import typing
from dataclasses import MISSING, fields, is_dataclass
from types import UnionType
from typing import Any, Final

from kio.index import UnknownAPIKey, UnknownEntity, load_response_schema
from kio.schema.errors import ErrorCode

from drill.kafka.codec import read_request, response_to
from drill.kafka.messages import FIND_COORDINATOR, METADATA, OFFSET_COMMIT, PRODUCE
from drill.network.splice import Bytes

_EMPTY: Final[dict[str, Any]] = {
    "bool": False,
    "bytes": b"",
    "datetime_i64": datetime.datetime.fromtimestamp(0, datetime.UTC),
    "string": "",
    "timedelta_i32": datetime.timedelta(),
    "timedelta_i64": datetime.timedelta(),
}


class NoErrorAnswer(ConnectionError):
    """The answer to a request of this kind has no place for an error: all that is left is to close the connection."""


def refusal(api_key: int, version: int, frame: Bytes, error: ErrorCode) -> bytes:
    """The frame that answers a request with an error: for each partition, topic or key it names, else for all of it.

    Raises:
        NoErrorAnswer: if its answer can't say so.
    """
    try:
        schema = load_response_schema(api_key, version)
    except (UnknownAPIKey, UnknownEntity) as unknown:
        raise NoErrorAnswer(f"api key {api_key}, version {version}, is not known") from unknown
    parts = _parts(schema, api_key, version=version, frame=frame, error=error)
    if not parts and "error_code" not in schema.__dataclass_fields__:
        raise NoErrorAnswer(f"{schema.__name__} version {version} has no error code")
    return response_to(frame, schema, _filled(schema, error, **parts))


def _parts(schema: Any, api_key: int, version: int, frame: Bytes, error: ErrorCode) -> dict[str, Any]:
    """The fields of an answer that follow from what was requested."""
    if api_key == PRODUCE:
        topic = _item(schema, "responses")
        partition = _item(topic, "partition_responses")
        return {
            "responses": tuple(
                _filled(
                    topic,
                    error,
                    **_identity(topic, requested),
                    partition_responses=tuple(
                        _filled(partition, error, index=row.index, base_offset=-1) for row in requested.partition_data
                    ),
                )
                for requested in read_request(api_key, version, frame).topic_data
            )
        }
    if api_key == METADATA:
        topic = _item(schema, "topics")
        topics = read_request(api_key, version, frame).topics or ()
        return {"topics": tuple(_filled(topic, error, **_identity(topic, requested)) for requested in topics)}
    if api_key == OFFSET_COMMIT:
        topic = _item(schema, "topics")
        partition = _item(topic, "partitions")
        return {
            "topics": tuple(
                _filled(
                    topic,
                    error,
                    **_identity(topic, requested),
                    partitions=tuple(
                        _filled(partition, error, partition_index=row.partition_index) for row in requested.partitions
                    ),
                )
                for requested in read_request(api_key, version, frame).topics
            )
        }
    if api_key == FIND_COORDINATOR and version >= 4:
        coordinator = _item(schema, "coordinators")
        keys = read_request(api_key, version, frame).coordinator_keys
        nowhere = {"node_id": -1, "host": "", "port": -1}
        return {"coordinators": tuple(_filled(coordinator, error, key=key, **nowhere) for key in keys)}
    return {}


def _identity(topic: Any, requested: Any) -> dict[str, Any]:
    """Name, id or both, as far as request and answer have them in this version."""
    return {
        name: getattr(requested, name)
        for name in ("name", "topic_id")
        if name in topic.__dataclass_fields__ and hasattr(requested, name)
    }


def _filled(schema: Any, error: ErrorCode, **values: Any) -> Any:
    """A message with every field that is not in `values`, and has no default, empty; every error code is `error`."""
    types = typing.get_type_hints(schema)
    for field in fields(schema):
        kind = field.metadata.get("kafka_type")
        if kind == "error_code":
            values.setdefault(field.name, error)
        elif field.name not in values and field.default is MISSING and field.default_factory is MISSING:
            values[field.name] = _empty(types[field.name], kind, error)
    return schema(**values)


def _empty(type_: Any, kind: str | None, error: ErrorCode) -> Any:
    if typing.get_origin(type_) in (UnionType, typing.Union):
        return None
    if typing.get_origin(type_) is tuple:
        return ()
    if is_dataclass(type_):
        return _filled(type_, error)
    return _EMPTY.get(kind or "", 0)


def _item(schema: Any, name: str) -> Any:
    """The type of the items of an array."""
    array = typing.get_type_hints(schema)[name]
    if typing.get_origin(array) is not tuple:  # or null
        array = next(kind for kind in typing.get_args(array) if typing.get_origin(kind) is tuple)
    return typing.get_args(array)[0]
