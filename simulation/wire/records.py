"""Records at librdkafka's clients: ranges that are read as they are, and the recovery topic they are written to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final

import confluent_kafka
from confluent_kafka import TIMESTAMP_CREATE_TIME, KafkaError, KafkaException, TopicPartition

from simulation.sites import LOG_END, RECOVERY_PARTITIONS, RECOVERY_TOPIC, TOPICS, Spot, Written
from simulation.wire.kafka import Brokers, Client, Kafka

_MESSAGE_TIMEOUT_S: Final = 5.0
Delivered = Callable[[KafkaError | None, Any], None]


def install(brokers: Brokers) -> None:
    """Have the brokers of now answer those of librdkafka's clients that read ranges, and write many records."""
    library: Any = confluent_kafka
    consumer, producer = library.Consumer, library.Producer
    library.Consumer = lambda settings: (
        _RangeConsumer(brokers(settings), settings) if settings["group.id"] == "failover-rescue" else consumer(settings)
    )
    library.Producer = lambda settings: (
        _RowsProducer(brokers(settings), settings) if "enable.idempotence" in settings else producer(settings)
    )


@dataclass(frozen=True, kw_only=True)
class _Message:
    """A record that was read, or what a consumer is told of a partition in its place."""

    spot: Spot
    at: int
    row: Written | None = None
    problem: KafkaError | None = None

    def topic(self) -> str:
        """Its topic."""
        return self.spot[0]

    def partition(self) -> int:
        """Its partition."""
        return self.spot[1]

    def offset(self) -> int:
        """Its offset."""
        return self.at

    def error(self) -> KafkaError | None:
        """What it is told in place of a record."""
        return self.problem

    def timestamp(self) -> tuple[int, int]:
        """Of its producer."""
        return TIMESTAMP_CREATE_TIME, 1_795_000_000_000 + self.at

    def key(self) -> bytes | None:
        """Its key."""
        return self.row.key if self.row else None

    def value(self) -> bytes | None:
        """Its value."""
        return self.row.value if self.row else None

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        """Its headers."""
        return list(self.row.headers) if self.row else None


class _RangeConsumer(Client):
    """Consumer of several partitions that is told where each ends."""

    def __init__(self, brokers: Kafka, settings: Any) -> None:
        super().__init__(brokers, settings)
        self._positions: dict[Spot, int] = {}

    def incremental_assign(self, partitions: Sequence[TopicPartition]) -> None:
        """Read these, too."""
        for row in partitions:
            self._positions[row.topic, row.partition] = row.offset

    def incremental_unassign(self, partitions: Sequence[TopicPartition]) -> None:
        """Read these no more."""
        for row in partitions:
            self._positions.pop((row.topic, row.partition), None)

    def consume(self, _: int, timeout: float) -> list[_Message]:
        """What the assigned partitions hold from where they were read to, and that each ends there."""
        if not self._positions:
            self.brokers.clock.sleep(timeout)
            return []
        positions = dict(self._positions)

        def read(site: str) -> list[_Message]:
            return [message for spot, at in positions.items() for message in self._read(site, spot, at)]

        try:
            messages: list[_Message] = self.brokers.ask(self.settings, "fetch", read, timeout)
        except KafkaException:
            return []
        for message in messages:
            if message.problem is None and message.spot in self._positions:
                self._positions[message.spot] = message.at + 1
        return messages

    def list_topics(self, topic: str, timeout: float = 3.0) -> Any:
        """The partitions of a topic."""

        def metadata(_: str) -> Any:
            count = RECOVERY_PARTITIONS if topic == RECOVERY_TOPIC else 1
            return SimpleNamespace(topics={topic: SimpleNamespace(error=None, partitions=dict.fromkeys(range(count)))})

        return self.brokers.ask(self.settings, "metadata", metadata, timeout)

    def _read(self, site: str, spot: Spot, at: int) -> list[_Message]:
        rows = self.brokers.sites.recovered[spot[1]] if spot[0] == RECOVERY_TOPIC else _log(spot[0])
        records = [_Message(spot=spot, at=number, row=row) for number, row in enumerate(rows) if number >= at]
        return [*records, _Message(spot=spot, at=len(rows), problem=KafkaError(KafkaError._PARTITION_EOF))]


class _RowsProducer(Client):
    """Producer of many records, idempotent as long as it lives: what has landed does not land again."""

    def __init__(self, brokers: Kafka, settings: Any) -> None:
        super().__init__(brokers, settings)
        self._queue: list[tuple[int, Written, Delivered]] = []
        self._landed: set[int] = set()
        self._begun: float | None = None

    def __len__(self) -> int:
        return len(self._queue)

    def produce(
        self, topic: str, value: Any, key: Any, *, partition: int, headers: Any, timestamp: int, on_delivery: Delivered
    ) -> None:
        """To be sent by the next poll."""
        self._begun = self.brokers.clock.now if self._begun is None else self._begun
        encoded = tuple((name, part.encode() if isinstance(part, str) else part) for name, part in headers)
        self._queue.append((partition, Written(key=key, value=value, headers=encoded), on_delivery))

    def poll(self, timeout: float = 0.0) -> Any:
        """Send what is to be sent."""
        if not self._queue:
            return 0
        queue = list(self._queue)

        def land(_: str) -> None:
            for partition, row, _delivered in queue:
                if id(row) not in self._landed:
                    self._landed.add(id(row))
                    self.brokers.sites.recovered[partition].append(row)

        error = None
        try:
            self.brokers.ask(self.settings, "produce", land, timeout)
        except KafkaException:
            if self.brokers.clock.now - (self._begun or 0.0) < _MESSAGE_TIMEOUT_S:
                return 0
            error = KafkaError(KafkaError._MSG_TIMED_OUT)
        self._queue, self._begun = [], None
        for _, _, delivered in queue:
            delivered(error, None)
        return len(queue)

    def purge(self) -> None:
        """Send no more."""
        self._queue = []


def _log(topic: str) -> list[Written]:
    count = LOG_END if topic in TOPICS else 0
    return [Written(key=f"{topic}-{number}".encode(), value=b"%d" % number) for number in range(count)]
