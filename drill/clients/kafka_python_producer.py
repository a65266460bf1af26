"""The service that writes, on kafka-python."""

from __future__ import annotations

import time
from queue import Empty, SimpleQueue
from typing import Any

from kafka import KafkaProducer, __version__
from kafka.errors import KafkaError

from drill.clients.producer import (
    SERVE_S,
    NumberedRecord,
    ProducerConfig,
    RecordNumbers,
    Settings,
    write_until_stopped,
)
from drill.clients.record_log import RecordLog
from drill.clients.record_number import headers_of
from drill.clients.stop import StopRequest
from drill.process import announce, configuration


def client_settings(config: ProducerConfig) -> Settings:
    """Every setting that differs from the library's defaults."""
    return {"bootstrap_servers": config.bootstrap, "client_id": "orders-writer", "linger_ms": 5, **config.settings}


class Writer:
    """Hands records to kafka-python, whose own thread answers."""

    def __init__(self, config: ProducerConfig, log: RecordLog, stop: StopRequest) -> None:
        self._log = log
        self._stop = stop
        self._numbers = RecordNumbers(config)
        self._answers: SimpleQueue[str] = SimpleQueue()
        self._unanswered = 0
        self._producer = KafkaProducer(**client_settings(config))

    def send(self) -> None:
        """Send the next record."""
        record = self._numbers.next()
        self._log.write(f"s {record.place} {record.at:.6f}")

        def acknowledged(metadata: Any) -> None:
            self._answers.put(f"a {record.place} {metadata.offset} {time.time():.6f}")

        self._unanswered += 1
        try:
            future = self._producer.send(
                record.topic, record.value, key=record.key, partition=record.partition, headers=headers_of(record.n)
            )
        except KafkaError as error:
            self._answers.put(_failed(record, error))
            return
        future.add_callback(acknowledged)
        future.add_errback(lambda error: self._answers.put(_failed(record, error)))

    def serve(self, seconds: float) -> None:
        """Wait up to `seconds` for an answer, and write down all that are there."""
        try:
            self._write_down(self._answers.get(timeout=seconds) if seconds else self._answers.get_nowait())
            while True:
                self._write_down(self._answers.get_nowait())
        except Empty:
            self._log.tick()

    def finish(self) -> None:
        """Wait for what is on its way, as long as the stop allows."""
        while self._unanswered and not self._stop.expired:
            self.serve(SERVE_S)

    def _write_down(self, line: str) -> None:
        self._unanswered -= 1
        self._log.write(line)


def _failed(record: NumberedRecord, error: Exception) -> str:
    return f"f {record.place} {time.time():.6f} {type(error).__name__} {' '.join(str(error).split())}"


def main() -> None:
    """Write until told to stop."""
    config = configuration(ProducerConfig)
    stop = StopRequest()
    stop.listen()
    log = RecordLog(config.log)
    writer = Writer(config, log, stop)
    announce({"settings": client_settings(config), "version": __version__})
    write_until_stopped(writer, config.rate, stop)
    log.close()


if __name__ == "__main__":
    main()
