"""A record as one line of JSON, byte for byte: keys, values and headers in base64, null where there is none."""

from __future__ import annotations

import json
from base64 import b64decode
from binascii import b2a_base64
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME, Message

TimestampType = Literal["create", "append", "none"]
_TIMESTAMP_TYPES: Final = {TIMESTAMP_CREATE_TIME: b"create", TIMESTAMP_LOG_APPEND_TIME: b"append"}
_NAMES: Final = 1024
"""Of headers, whose JSON is kept: records of a topic have few, and each of them on every record."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """A record as it was in its partition."""

    offset: int
    timestamp: int
    """Milliseconds since 1970."""
    timestamp_type: TimestampType
    """Whose clock that is: the producer's, or the broker's."""
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


def line_of(message: Message) -> bytes:
    """The line of a record that was read, with its line break."""
    kind, timestamp = message.timestamp()
    headers = message.headers()
    return b'{"offset":%d,"timestamp":%d,"timestamp_type":"%s","key":%s,"value":%s,"headers":%s}\n' % (
        message.offset() or 0,
        timestamp,
        _TIMESTAMP_TYPES.get(kind, b"none"),
        _quoted(message.key()),
        _quoted(message.value()),
        _listed(headers) if headers else b"[]",
    )


def record_of(line: bytes) -> Record:
    """The record in a line."""
    row = json.loads(line)
    return Record(
        offset=row["offset"],
        timestamp=row["timestamp"],
        timestamp_type=row["timestamp_type"],
        key=_bytes(row["key"]),
        value=_bytes(row["value"]),
        headers=tuple((name, _bytes(value)) for name, value in row["headers"]),
    )


def _quoted(content: str | bytes | None) -> bytes:
    if content is None:
        return b"null"
    return b'"%s"' % b2a_base64(content if isinstance(content, bytes) else content.encode(), newline=False)


def _listed(headers: object) -> bytes:
    assert isinstance(headers, list)
    return b"[%s]" % b",".join([b"[%s,%s]" % (_named(name), _quoted(value)) for name, value in headers])


@lru_cache(_NAMES)
def _named(name: str) -> bytes:
    return json.dumps(name).encode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text)
