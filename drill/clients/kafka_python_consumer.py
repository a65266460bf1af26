"""The service that reads, on kafka-python."""

from __future__ import annotations

import time
from collections.abc import Iterable

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition, __version__
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaError

from drill.clients.consumer import ConsumerConfig, read_until_stopped
from drill.clients.producer import Settings
from drill.clients.record_log import RecordLog
from drill.clients.record_number import number_of


def client_settings(config: ConsumerConfig) -> Settings:
    """Every setting that differs from the library's defaults."""
    return {
        "bootstrap_servers": config.bootstrap,
        "client_id": "orders-reader",
        "group_id": config.group,
        "auto_offset_reset": "earliest",
        **config.settings,
    }


class Rebalances(ConsumerRebalanceListener):  # type: ignore[misc]
    """Writes down every change of partitions."""

    def __init__(self, log: RecordLog) -> None:
        self._log = log

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Partitions came."""
        self._notice("assigned", assigned)

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Partitions go."""
        self._notice("revoked", revoked)

    def _notice(self, what: str, partitions: Iterable[TopicPartition]) -> None:
        self._log.notice("p", what, ",".join(sorted(f"{p.topic}:{p.partition}" for p in partitions)))


class Reader:
    """Reads a group's share of the topics and writes down every record."""

    def __init__(self, config: ConsumerConfig, log: RecordLog) -> None:
        self._log = log
        self._consumer = KafkaConsumer(**client_settings(config))
        self._consumer.subscribe(config.topics, listener=Rebalances(log))

    def read(self, seconds: float) -> None:
        """Wait up to `seconds` for records. No error ends the service."""
        try:
            batches = self._consumer.poll(timeout_ms=int(seconds * 1000))
        except KafkaError as error:
            self._log.notice("e", type(error).__name__, str(error))
            time.sleep(seconds)
            return
        for records in batches.values():
            for record in records:
                self._received(record)
        self._log.tick()

    def finish(self) -> None:
        """Commit, and leave the group."""
        self._consumer.close()

    def _received(self, record: ConsumerRecord) -> None:
        n = number_of(record.headers)
        place = f"{record.topic} {record.partition} {record.offset}"
        if n is None:
            self._log.notice("e", "UNNUMBERED", place)
        else:
            self._log.write(f"r {n} {place} {time.time():.6f}")


def main() -> None:
    """Read until told to stop."""
    read_until_stopped(Reader, client_settings, __version__)


if __name__ == "__main__":
    main()
