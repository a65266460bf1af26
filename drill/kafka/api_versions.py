"""What a cluster can do, as it tells clients in its answer to ApiVersions (https://kafka.apache.org/protocol).

The header of that answer never has tags. An answer that refuses the version of the request is laid out as version 0,
and tells which one to ask in (KIP-511); the mock's own is laid out as no version is: librdkafka makes do with it,
kafka-python and Java do not.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import Final

from drill.kafka.messages import API_VERSIONS, framed
from drill.kafka.varint import as_varint, varint
from drill.network.splice import Bytes

FLEXIBLE: Final = 3
_ERROR: Final = 8
_COUNT: Final = 10
_ENTRY: Final = struct.Struct(">hhh")


def with_apis(version: int, frame: Bytes, apis: Iterable[tuple[int, int, int]]) -> Bytes:
    """The answer with more in it: each an api key, its oldest and its newest version."""
    if _refuses(frame):
        return frame
    flexible, count, begin = _entries(version, frame)
    more = [_ENTRY.pack(*entry) + b"\0" * flexible for entry in apis]
    count += len(more)
    length = as_varint(count + 1) if flexible else count.to_bytes(4, "big")
    return framed(b"".join((frame[4:_COUNT], length, *more, frame[begin:])))


def at_most(version: int, frame: Bytes, newest: Mapping[int, int]) -> Bytes:
    """The answer without versions beyond the `newest` of an api key; the very frame if it has none. One that refuses
    the version of the request is as a broker's."""
    if _refuses(frame):
        return _as_brokers_refuse(frame)
    flexible, count, at = _entries(version, frame)
    changed: bytearray | None = None
    for _ in range(count):
        api_key, oldest, latest = _ENTRY.unpack_from(frame, at)
        if latest > newest.get(api_key, latest):
            changed = bytearray(frame) if changed is None else changed
            _ENTRY.pack_into(changed, at, api_key, oldest, newest[api_key])
        at += _ENTRY.size
        if flexible:
            at = _past_tags(frame, at)
    return frame if changed is None else changed


def _entries(version: int, frame: Bytes) -> tuple[bool, int, int]:
    """Whether the answer is flexible, how many entries it has, and where they begin."""
    if version < FLEXIBLE:
        return False, int.from_bytes(frame[_COUNT : _COUNT + 4], "big"), _COUNT + 4
    size, begin = varint(frame, _COUNT)
    return True, size - 1, begin


def _as_brokers_refuse(frame: Bytes) -> Bytes:
    own = _ENTRY.pack(API_VERSIONS, 0, FLEXIBLE - 1)
    return framed(b"".join((frame[4:_COUNT], (1).to_bytes(4, "big"), own)))


def _refuses(frame: Bytes) -> bool:
    return bytes(frame[_ERROR:_COUNT]) != b"\0\0"


def _past_tags(frame: Bytes, at: int) -> int:
    tags, at = varint(frame, at)
    for _ in range(tags):
        _, at = varint(frame, at)
        size, at = varint(frame, at)
        at += size
    return at
