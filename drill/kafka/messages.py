"""Kafka messages that a proxy must read or write: decoded with kio, and only these (https://kafka.apache.org/protocol).

A `frame` begins with its size, as on the wire.
"""

from __future__ import annotations

import dataclasses
import io
import struct
from collections.abc import Callable
from typing import Any, Final

from kio.index import load_request_schema, load_response_schema
from kio.serial import entity_reader, entity_writer

from drill.network.splice import Address, Bytes

PRODUCE: Final = 0
FETCH: Final = 1
METADATA: Final = 3
OFFSET_COMMIT: Final = 8
FIND_COORDINATOR: Final = 10
HEARTBEAT: Final = 12
SYNC_GROUP: Final = 14
API_VERSIONS: Final = 18
DESCRIBE_CLUSTER: Final = 60
CONSUMER_GROUP_HEARTBEAT: Final = 68

# From which version on an answer can name brokers; of Produce and Fetch it does if a leader has moved (KIP-951).
NAMES_BROKERS: Final = {PRODUCE: 10, FETCH: 16, METADATA: 0, FIND_COORDINATOR: 0, DESCRIBE_CLUSTER: 0}

_SIZE: Final = 4
_CLIENT_ID: Final = 12  # where a request's client id begins: after size, api key, version and correlation id

Advertise = Callable[[int], Address]
Learn = Callable[[int, Address], None]


def names_brokers(api_key: int, version: int) -> bool:
    """Whether the answer to such a request can hold addresses of brokers."""
    return version >= NAMES_BROKERS.get(api_key, version + 1)


def readdressed(api_key: int, version: int, frame: Bytes, advertise: Advertise, learn: Learn) -> Bytes:
    """A response in which every broker's address is the one that `advertise` gives for its id.

    `learn` is told the address that stood there. Nothing else is changed, the cluster id least of all; if it names no
    broker, it is the very `frame`.
    """
    schema = load_response_schema(api_key, version)
    body = _body_of_response(schema)
    message, _ = entity_reader(schema)(memoryview(frame).toreadonly(), body)

    def moved(broker: Any) -> Any:
        node = int(broker.broker_id if api_key == DESCRIBE_CLUSTER else broker.node_id)
        if node < 0 or not broker.host:  # a coordinator that is not known
            return broker
        learn(node, (str(broker.host), int(broker.port)))
        host, port = advertise(node)
        return dataclasses.replace(broker, host=host, port=port)

    if hasattr(message, "host"):  # FindCoordinator before version 4
        changed = moved(message)
    else:
        name = {PRODUCE: "node_endpoints", FETCH: "node_endpoints", FIND_COORDINATOR: "coordinators"}.get(
            api_key, "brokers"
        )
        named = getattr(message, name)
        if not named:
            return frame
        changed = dataclasses.replace(message, **{name: tuple(map(moved, named))})
    return framed(bytes(frame[_SIZE:body]) + written(schema, changed))


def metadata_request(correlation: int) -> bytes:
    """A Metadata request, version 1, that asks for no topic: only the brokers and the cluster are of interest."""
    return framed(struct.pack(">hhihi", METADATA, 1, correlation, -1, 0))


def brokers_in(frame: bytes) -> dict[int, Address]:
    """The brokers in the answer to `metadata_request`."""
    message: Any = entity_reader(load_response_schema(METADATA, 1))(frame, _SIZE + 4)[0]
    return {int(broker.node_id): (str(broker.host), int(broker.port)) for broker in message.brokers}


def read_request(api_key: int, version: int, frame: Bytes) -> Any:
    """A request's message."""
    schema = load_request_schema(api_key, version)
    body = _after_client_id(frame) + (schema.__header_schema__.__version__ == 2)  # an empty tag buffer
    message, _ = entity_reader(schema)(memoryview(frame).toreadonly(), body)
    return message


def response_to(frame: Bytes, schema: Any, message: Any) -> bytes:
    """The frame that answers the request `frame` with a message."""
    tags = bytes(_body_of_response(schema) - _SIZE - 4)
    return framed(bytes(frame[8:_CLIENT_ID]) + tags + written(schema, message))


def awaits_answer(version: int, frame: Bytes) -> int | bool:
    """Whether a Produce request is answered, which with acks=0 it is not; or how much of it must be there to know."""
    at = _CLIENT_ID + 2
    if len(frame) < at:
        return at
    at = _after_client_id(frame)
    if version >= 9:  # flexible: an empty tag buffer, then the transactional id after its length + 1 as a varint
        length = shift = 0
        while True:
            at += 1
            if len(frame) <= at:
                return at + 1
            length |= (frame[at] & 0x7F) << shift
            shift += 7
            if frame[at] < 0x80:
                break
        at += 1 + max(0, length - 1)
    elif version >= 3:
        if len(frame) < at + 2:
            return at + 2
        at += 2 + max(0, int.from_bytes(frame[at : at + 2], "big", signed=True))
    if len(frame) < at + 2:
        return at + 2
    return bytes(frame[at : at + 2]) != b"\0\0"


def written(schema: Any, message: Any) -> bytes:
    """A message on the wire."""
    out = io.BytesIO()
    entity_writer(schema)(out, message)
    return out.getvalue()


def framed(data: bytes) -> bytes:
    """A frame of header and body."""
    return len(data).to_bytes(_SIZE, "big") + data


def _after_client_id(frame: Bytes) -> int:
    return _CLIENT_ID + 2 + max(0, int.from_bytes(frame[_CLIENT_ID : _CLIENT_ID + 2], "big", signed=True))


def _body_of_response(schema: Any) -> int:
    """Where a frame's body begins: after the correlation id, and an empty tag buffer in header version 1."""
    return _SIZE + (5 if schema.__header_schema__.__version__ == 1 else 4)
