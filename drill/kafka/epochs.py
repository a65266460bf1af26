"""Leader epochs above those that librdkafka's mock gives, so that they go back where clients come to another cluster.

Every cluster counts its leaders by itself: a standby's epochs may be below those that a client knows of the lost site,
and a client ignores what is older than what it knows (KIP-320). All that the cluster tells is raised, records' batches
with it; what clients send is lowered again.
"""

from __future__ import annotations

import dataclasses
import struct
from typing import Any, Final

from kio.index import load_response_schema
from kio.serial import entity_reader

from drill.kafka.codec import read_request, request_like, written
from drill.kafka.connection import Forward, Gate, Verdict
from drill.kafka.messages import FETCH, LIST_OFFSETS, METADATA, OFFSET_FOR_LEADER_EPOCH, framed
from drill.network.splice import Bytes

_NAMING_EPOCHS: Final = frozenset({FETCH, LIST_OFFSETS, OFFSET_FOR_LEADER_EPOCH})
_NAMES: Final = frozenset({"leader_epoch", "current_leader_epoch", "last_fetched_epoch"})
_LENGTH_AT: Final = 8
_EPOCH_AT: Final = 12
_BATCH_BEGINS: Final = 12
"""Of a batch: where its length is told, where its epoch is, which no checksum covers, and what the length leaves out
(https://kafka.apache.org/documentation/#recordbatch)."""


class RaisedEpochs:
    """A gate in front of another: every leader epoch is `by` higher than the cluster's own."""

    def __init__(self, inner: Gate, by: int) -> None:
        self._inner = inner
        self._by = by
        self.sees = inner.sees | _NAMING_EPOCHS | {METADATA}

    def wants(self, api_key: int) -> bool:
        """As the inner gate, and what names an epoch."""
        return api_key in _NAMING_EPOCHS or self._inner.wants(api_key)

    def request(self, api_key: int, version: int, frame: Bytes) -> Verdict:
        """Lower what the client knows. What the inner gate decides stands."""
        verdict = self._inner.request(api_key, version, frame) if self._inner.wants(api_key) else None
        if verdict is not None or api_key not in _NAMING_EPOCHS:
            return verdict
        lowered = _shifted(read_request(api_key, version, frame), -self._by)
        return Forward(request_like(api_key, version, frame, lowered))

    def response(self, api_key: int, version: int, frame: Bytes) -> Bytes:
        """Raise what the cluster tells."""
        if api_key in self._inner.sees:
            frame = self._inner.response(api_key, version, frame)
        if api_key not in _NAMING_EPOCHS and api_key != METADATA:
            return frame
        schema = load_response_schema(api_key, version)
        body = 8 + (schema.__header_schema__.__version__ == 1)
        message, _ = entity_reader(schema)(memoryview(frame).toreadonly(), body)
        return framed(bytes(frame[4:body]) + written(schema, _shifted(message, self._by)))


def _shifted(value: Any, by: int) -> Any:
    """A message, or a part of it, whose epochs are that much higher; -1 stands for none."""
    if isinstance(value, tuple):
        return tuple(_shifted(item, by) for item in value)
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    changed: dict[str, Any] = {}
    for field in dataclasses.fields(value):
        old = getattr(value, field.name)
        if field.name in _NAMES and isinstance(old, int):
            changed[field.name] = type(old)(max(-1, old + by) if old >= 0 else old)
        elif field.name == "records" and old is not None:
            changed[field.name] = _batches(old, by)
        elif isinstance(old, tuple) or dataclasses.is_dataclass(old):
            changed[field.name] = _shifted(old, by)
    return dataclasses.replace(value, **changed)


def _batches(records: Any, by: int) -> bytes:
    """Batches of records, of which the last may be cut off."""
    raised = bytearray(records)
    at = 0
    while at + _EPOCH_AT + 4 <= len(raised):
        (epoch,) = struct.unpack_from(">i", raised, at + _EPOCH_AT)
        struct.pack_into(">i", raised, at + _EPOCH_AT, max(0, epoch) + by)
        at += _BATCH_BEGINS + struct.unpack_from(">i", raised, at + _LENGTH_AT)[0]
    return bytes(raised)
