"""Producer ids as a broker hands them out, and what it refuses a producer that comes with somebody else's.

librdkafka's mock gives ids at random and takes every batch. A cluster counts its ids up from 0, so two clusters hand
out the same ones; a producer that moved over goes on with the id and the sequence that it had, which a partition that
knows nothing of it takes. A newcomer with that id on that partition is out of order with its first batch
(`ProducerAppendInfo` of Apache Kafka), which ends it.

A transactional id that nobody initialized here gets a new producer id, whatever its producer has from elsewhere
(`TransactionCoordinator`); the mock calls that unknown, for ever. A batch that was there before is the mock's affair,
which stores it twice.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any, Final, NamedTuple

from kio.index import load_response_schema
from kio.schema.errors import ErrorCode

from drill.kafka.codec import request_like, response_to
from drill.kafka.connection import Answered, Forward, Verdict
from drill.kafka.messages import INIT_PRODUCER_ID
from drill.network.splice import Bytes

_LENGTH: Final = struct.Struct(">i")
_LENGTH_AT: Final = 8
_BATCH_BEGINS: Final = 12
_MAGIC_AT: Final = 16
_MAGIC: Final = 2
_PRODUCER: Final = struct.Struct(">qhii")
_PRODUCER_AT: Final = 43
"""Of a batch: where its length is, and what that leaves out; its format; then the producer's id and epoch, the sequence
of the first record, and how many there are (https://kafka.apache.org/documentation/#recordbatch)."""
_NAMES_PRODUCER: Final = 3
"""The first version of a request for an id that names the one its producer has."""
_SEQUENCES: Final = 2**31
_CACHED: Final = 5
"""How many batches of a producer a partition can tell again, as many as may be in flight."""


class Batch(NamedTuple):
    """A batch of an idempotent producer."""

    producer: int
    epoch: int
    first: int
    next: int
    """The sequence that follows its last record."""


class ProducerIds:
    """The ids that a cluster has handed out, and the producers that its partitions know."""

    def __init__(self) -> None:
        self._unused = count()
        self._transactional_ids: set[str] = set()
        self._batches: dict[tuple[str, int, int], deque[Batch]] = {}

    def forget(self) -> None:
        """Partitions and coordinators are new ones. The ids that are used stay so."""
        self._batches.clear()
        self._transactional_ids.clear()

    def verdict(self, version: int, frame: Bytes, request: Any) -> Verdict:
        """An id for who asks for one; to whoever has a transactional id its coordinator gives it, which is the mock."""
        of_transactions = request.transactional_id
        if of_transactions is None:
            schema: Any = load_response_schema(INIT_PRODUCER_ID, version)
            answer = schema(
                throttle_time=timedelta(), error_code=ErrorCode.none, producer_id=next(self._unused), producer_epoch=0
            )
            return Answered(response_to(frame, schema, answer))
        is_new = of_transactions not in self._transactional_ids
        self._transactional_ids.add(of_transactions)
        if not is_new or version < _NAMES_PRODUCER:
            return None
        anew = replace(
            request, producer_id=type(request.producer_id)(-1), producer_epoch=type(request.producer_epoch)(-1)
        )
        return Forward(request_like(INIT_PRODUCER_ID, version, frame, anew))

    def refusal_of(self, request: Any) -> ErrorCode | None:
        """What the producer of these batches is answered; None: they are taken. One that is out of order has all that
        came with it refused."""
        spots = [
            (topic.name, row.index, batch)
            for topic in request.topic_data
            for row in topic.partition_data
            for batch in _batches(row.records or b"")
        ]
        if not all(self._is_next(name, partition, batch) for name, partition, batch in spots):
            return ErrorCode.out_of_order_sequence_number
        for name, partition, batch in spots:
            latest = self._batches.setdefault((name, partition, batch.producer), deque(maxlen=_CACHED))
            if batch not in latest:
                latest.append(batch)
        return None

    def _is_next(self, topic: str, partition: int, batch: Batch) -> bool:
        latest = self._batches.get((topic, partition, batch.producer))
        if not latest or batch in latest:
            return True
        return batch.first == (latest[-1].next if batch.epoch == latest[-1].epoch else 0)


def _batches(records: Bytes) -> Iterator[Batch]:
    """The batches of idempotent producers among these."""
    at = 0
    while at + _PRODUCER_AT + _PRODUCER.size <= len(records) and records[at + _MAGIC_AT] == _MAGIC:
        producer, epoch, first, size = _PRODUCER.unpack_from(records, at + _PRODUCER_AT)
        if producer >= 0:
            yield Batch(producer, epoch, first, (first + size) % _SEQUENCES)
        at += _BATCH_BEGINS + _LENGTH.unpack_from(records, at + _LENGTH_AT)[0]
