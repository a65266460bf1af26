"""Records written to a topic, all of them acknowledged, in the order they are given."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from confluent_kafka import KafkaError, Message, Producer

from failover.errors import KafkaUnauthorized, KafkaUnavailable
from failover.kafka.client import Settings, is_authorization, reporting, trouble, unauthorized

_TIMEOUT_S: Final = 5.0
_POLL_S: Final = 0.05


@dataclass(frozen=True, kw_only=True)
class Row:
    """A record to write."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, str | bytes | None]]
    timestamp: int
    """Milliseconds since 1970."""


class Writer:
    """Writes to one topic, idempotently as long as it lives. Use it as a context manager."""

    def __init__(self, chosen: Settings, topic: str) -> None:
        self._chosen = chosen
        self._topic = topic
        self._reported: list[KafkaError] = []
        self._failed: list[KafkaError] = []
        self._producer = Producer(
            {
                **chosen,
                "enable.idempotence": True,
                "linger.ms": 5,
                "message.timeout.ms": int(_TIMEOUT_S * 1000),
                **reporting(self._reported),
            }
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._producer.purge()

    def write(self, rows: Sequence[Row], partition: int) -> None:
        """Write records to a partition, and wait until each is acknowledged.

        Raises:
            KafkaUnauthorized: the credentials, or writing to the topic, are refused.
            KafkaUnavailable: one was not acknowledged in time; others may be in the topic.
        """
        for row in rows:
            while not self._failed and not self._produced(row, partition):
                self._producer.poll(_POLL_S)
        deadline = time.monotonic() + _TIMEOUT_S + 1
        while len(self._producer) and time.monotonic() < deadline and not self._failed:
            self._producer.poll(_POLL_S)
            if isinstance(refusal := self._trouble(""), KafkaUnauthorized):
                raise refusal
        if self._failed and is_authorization(self._failed[0]):
            raise unauthorized(f"does not let {self._topic} be written", self._failed[0])
        if self._failed or len(self._producer):
            raise self._trouble(f"acknowledged not every record for {self._topic}[{partition}]")

    def _produced(self, row: Row, partition: int) -> bool:
        """Whether librdkafka's queue had room for it."""
        try:
            self._producer.produce(
                self._topic,
                row.value,
                row.key,
                partition=partition,
                headers=row.headers,
                timestamp=row.timestamp,
                on_delivery=self._delivered,
            )
        except BufferError:
            return False
        return True

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failed.append(error)

    def _trouble(self, what: str) -> KafkaUnavailable:
        return trouble(self._chosen, self._reported, what)
