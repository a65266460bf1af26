"""Whole Kafka messages, read and written with kio. What only forwards does without: kio takes long to import."""

from __future__ import annotations

import io
from typing import Any

from kio.index import load_request_schema
from kio.serial import entity_reader, entity_writer

from drill.kafka.messages import CLIENT_ID, after_client_id, framed
from drill.network.splice import Bytes


def read_request(api_key: int, version: int, frame: Bytes) -> Any:
    """A request's message."""
    schema = load_request_schema(api_key, version)
    body = after_client_id(frame) + (schema.__header_schema__.__version__ == 2)  # an empty tag buffer
    message, _ = entity_reader(schema)(memoryview(frame).toreadonly(), body)
    return message


def request_like(api_key: int, version: int, frame: Bytes, message: Any) -> bytes:
    """The frame of a request with the header of `frame`, and another message."""
    schema = load_request_schema(api_key, version)
    body = after_client_id(frame) + (schema.__header_schema__.__version__ == 2)
    return framed(bytes(frame[4:body]) + written(schema, message))


def response_to(frame: Bytes, schema: Any, message: Any) -> bytes:
    """The frame that answers the request `frame` with a message."""
    tags = b"\0" * (schema.__header_schema__.__version__ == 1)
    return framed(bytes(frame[8:CLIENT_ID]) + tags + written(schema, message))


def written(schema: Any, message: Any) -> bytes:
    """A message on the wire."""
    out = io.BytesIO()
    entity_writer(schema)(out, message)
    return out.getvalue()
