"""Kafka messages that a proxy must read or write: decoded with kio, and only these (https://kafka.apache.org/protocol)."""

from __future__ import annotations

import dataclasses
import io
import struct
import typing
from collections.abc import Callable
from typing import Any, Final

from kio.index import load_request_schema, load_response_schema
from kio.schema.errors import ErrorCode
from kio.serial import entity_reader, entity_writer

PRODUCE: Final = 0
METADATA: Final = 3
FIND_COORDINATOR: Final = 10
API_VERSIONS: Final = 18
DESCRIBE_CLUSTER: Final = 60
NAMES_BROKERS: Final = frozenset({METADATA, FIND_COORDINATOR, DESCRIBE_CLUSTER})

Address = tuple[str, int]
Advertise = Callable[[int], Address]
Learn = Callable[[int, Address], None]


def rewrite(api_key: int, version: int, frame: bytes, advertise: Advertise, learn: Learn) -> bytes:
    """A response (without its size) in which every broker's address is the one that `advertise` gives for its id.

    `learn` is told the address that stood there. Nothing else is changed, the cluster id least of all.
    """
    schema = load_response_schema(api_key, version)
    offset = _body_of_response(schema)
    message: Any
    message, _ = entity_reader(schema)(frame, offset)

    def moved(broker: Any, id_field: str) -> Any:
        node = int(getattr(broker, id_field))
        if node < 0 or not broker.host:
            return broker
        learn(node, (str(broker.host), int(broker.port)))
        host, port = advertise(node)
        return dataclasses.replace(broker, host=host, port=port)

    if api_key == FIND_COORDINATOR and not hasattr(message, "coordinators"):
        message = moved(message, "node_id")
    elif api_key == FIND_COORDINATOR:
        message = dataclasses.replace(message, coordinators=tuple(moved(c, "node_id") for c in message.coordinators))
    else:
        id_field = "node_id" if api_key == METADATA else "broker_id"
        message = dataclasses.replace(message, brokers=tuple(moved(b, id_field) for b in message.brokers))
    return frame[:offset] + _written(schema, message)


def metadata_request(correlation: int) -> bytes:
    """A Metadata request, version 1, that asks for no topic: only the brokers and the cluster are of interest."""
    body = struct.pack(">hhihi", METADATA, 1, correlation, -1, 0)
    return struct.pack(">i", len(body)) + body


def brokers_in(frame: bytes) -> dict[int, Address]:
    """The brokers in the answer to `metadata_request`."""
    message: Any
    message, _ = entity_reader(load_response_schema(METADATA, 1))(frame, 4)
    return {int(broker.node_id): (str(broker.host), int(broker.port)) for broker in message.brokers}


def produced_topics(version: int, request: bytes) -> set[str]:
    """The topics that a Produce request (without its size) writes to."""
    return {str(topic.name) for topic in _request(PRODUCE, version, request).topic_data}


def produce_refusal(version: int, request: bytes, error: ErrorCode) -> bytes:
    """The answer that refuses a whole Produce request, partition by partition; a frame with its size."""
    asked = _request(PRODUCE, version, request)
    schema: Any = load_response_schema(PRODUCE, version)
    topic_type = _item_type(schema, "responses")
    partition_type = _item_type(topic_type, "partition_responses")
    refused: dict[str, Any] = {"error_code": error, "base_offset": -1}
    if "record_errors" in partition_type.__dataclass_fields__:
        refused["record_errors"] = ()
    topics = tuple(
        topic_type(
            name=topic.name,
            partition_responses=tuple(partition_type(index=each.index, **refused) for each in topic.partition_data),
        )
        for topic in asked.topic_data
    )
    return _answer(schema, request, schema(responses=topics))


def read_request(api_key: int, version: int, request: bytes) -> Any:
    """A request's message."""
    return _request(api_key, version, request)


def stranger_refusal(api_key: int, version: int, request: bytes) -> bytes:
    """UNKNOWN_MEMBER_ID to a Heartbeat, or to every partition of an OffsetCommit; a frame with its size."""
    schema: Any = load_response_schema(api_key, version)
    error = ErrorCode.unknown_member_id
    if api_key != 8:
        return _answer(schema, request, schema(error_code=error))
    topic_type = _item_type(schema, "topics")
    partition_type = _item_type(topic_type, "partitions")
    topics = tuple(
        topic_type(
            name=topic.name,
            partitions=tuple(
                partition_type(partition_index=each.partition_index, error_code=error) for each in topic.partitions
            ),
        )
        for topic in _request(api_key, version, request).topics
    )
    return _answer(schema, request, schema(topics=topics))


def metadata_without_brokers(version: int, request: bytes, error: ErrorCode) -> bytes:
    """A Metadata answer that knows no broker, and an error for each topic asked for; a frame with its size."""
    asked = _request(METADATA, version, request)
    schema: Any = load_response_schema(METADATA, version)
    topic_type = _item_type(schema, "topics")
    topics = tuple(
        topic_type(name=topic.name, error_code=error, partitions=()) for topic in asked.topics or () if topic.name
    )
    fields: dict[str, Any] = {"brokers": (), "topics": topics}
    return _answer(schema, request, schema(**fields))


def _request(api_key: int, version: int, request: bytes) -> Any:
    schema = load_request_schema(api_key, version)
    (length,) = struct.unpack_from(">h", request, 8)
    offset = 10 + max(0, length)
    if schema.__header_schema__.__version__ == 2:
        offset += 1
    message, _ = entity_reader(schema)(request, offset)
    return message


def _answer(schema: Any, request: bytes, message: Any) -> bytes:
    body = request[4:8] + (b"\0" if _body_of_response(schema) == 5 else b"") + _written(schema, message)
    return struct.pack(">i", len(body)) + body


def _body_of_response(schema: Any) -> int:
    """Where the body begins, after the header: the correlation id, and an empty tag buffer in header version 1."""
    return 5 if schema.__header_schema__.__version__ == 1 else 4


def _written(schema: Any, message: Any) -> bytes:
    out = io.BytesIO()
    entity_writer(schema)(out, message)
    return out.getvalue()


def _item_type(schema: Any, name: str) -> Any:
    return typing.get_args(typing.get_type_hints(schema)[name])[0]
