"""What a transaction coordinator answers a producer whose transactional id nobody initialized here.

The mock calls its producer id unknown, which clients get over otherwise than over what a broker says: that the id is
not the one of this transactional id (`TransactionCoordinator` of Apache Kafka; fatal to a Java producer).
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from kio.index import load_response_schema
from kio.schema.errors import ErrorCode
from kio.serial import entity_reader

from drill.kafka.codec import written
from drill.kafka.messages import ADD_OFFSETS_TO_TXN, ADD_PARTITIONS_TO_TXN, END_TXN, framed
from drill.network.splice import Bytes

TO_COORDINATOR: Final = frozenset({ADD_PARTITIONS_TO_TXN, ADD_OFFSETS_TO_TXN, END_TXN})
"""What is asked of the coordinator of a transactional id."""


def with_invalid_mapping(api_key: int, version: int, frame: Bytes) -> Bytes:
    """The answer to such a request as a broker gives it; the very frame if it is none to a stranger."""
    schema = load_response_schema(api_key, version)
    body = 8 + (schema.__header_schema__.__version__ == 1)
    message, _ = entity_reader(schema)(memoryview(frame).toreadonly(), body)
    mended = _mended(message)
    return frame if mended == message else framed(bytes(frame[4:body]) + written(schema, mended))


def _mended(value: Any) -> Any:
    if value is ErrorCode.unknown_producer_id:
        return ErrorCode.invalid_producer_id_mapping
    if isinstance(value, tuple):
        return tuple(map(_mended, value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        values = {field.name: _mended(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return dataclasses.replace(value, **values)
    return value
