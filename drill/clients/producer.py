"""A service that writes: numbered records at a steady pace, every one's fate in its log.

Settings are librdkafka's defaults but for idempotence and `linger.ms`; what a drill overrides is in its configuration.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer, libversion
from pydantic import BaseModel, Field

from drill.clients.record_log import RecordLog
from drill.clients.record_number import headers_of
from drill.clients.stop import StopRequest
from drill.process import announce, configuration

VALUE_BYTES = 200
LONGEST_BURST_S = 0.02
SERVE_S = 0.05
Settings = dict[str, str | int | float | bool]


class ProducerConfig(BaseModel):
    """What the producer is told. `rate`: records a second in total, even over every partition of every topic."""

    bootstrap: str
    topics: list[str] = Field(min_length=1)
    partitions: int = Field(default=4, ge=1)
    rate: float = Field(gt=0)
    log: Path
    first_number: int = 0
    """The first record's; producers of one drill share no number."""
    idempotent: bool = True
    settings: Settings = Field(default_factory=dict)


def client_settings(config: ProducerConfig) -> Settings:
    """Every setting that differs from librdkafka's defaults."""
    return {
        "bootstrap.servers": config.bootstrap,
        "client.id": "orders-writer",
        "enable.idempotence": config.idempotent,
        "linger.ms": 5,
        **config.settings,
    }


class Pace:
    """When the next record is due. A stall is not made up for in a burst longer than `LONGEST_BURST_S` seconds."""

    def __init__(self, rate: float, now: float) -> None:
        self._interval = 1 / rate
        self._next = now

    def due(self, now: float) -> bool:
        """Whether a record is due; if so, it is counted as sent."""
        if now < self._next:
            return False
        self._next = max(self._next, now - LONGEST_BURST_S) + self._interval
        return True

    def wait_s(self, now: float) -> float:
        """Seconds until a record is due."""
        return max(0.0, self._next - now)


class RecordNumbers:
    """Numbers records, and spreads them evenly over every partition of every topic."""

    def __init__(self, config: ProducerConfig) -> None:
        self._slots = [(topic, p) for p in range(config.partitions) for topic in config.topics]
        self._next = self._first = config.first_number

    def next(self) -> NumberedRecord:
        """The next record to be sent, now."""
        n = self._next
        self._next += 1
        sequence, slot = divmod(n - self._first, len(self._slots))
        topic, partition = self._slots[slot]
        now = time.time()
        value = json.dumps({"n": n, "sequence": sequence, "sent_at": round(now, 6)}).encode().ljust(VALUE_BYTES)
        key = f"{topic}-{partition}-{sequence}".encode()
        return NumberedRecord(n=n, topic=topic, partition=partition, at=now, key=key, value=value)


@dataclass(frozen=True, kw_only=True)
class NumberedRecord:
    """A record. `at`: when it was made, seconds since 1970."""

    n: int
    topic: str
    partition: int
    at: float
    key: bytes
    value: bytes

    @property
    def place(self) -> str:
        """Its number and its partition, as a log has them."""
        return f"{self.n} {self.topic} {self.partition}"


class Sender(Protocol):
    """A client that writes."""

    def send(self) -> None:
        """Send the next record."""

    def serve(self, seconds: float) -> None:
        """Wait up to `seconds` for answers and write them down."""

    def finish(self) -> None:
        """Wait for what is on its way."""


class Writer:
    """Hands records to librdkafka."""

    def __init__(self, config: ProducerConfig, log: RecordLog, stop: StopRequest) -> None:
        self._log = log
        self._stop = stop
        self._numbers = RecordNumbers(config)
        self._producer = Producer({**client_settings(config), "error_cb": self._on_error})

    def send(self) -> None:
        """Send the next record. A full queue delays it, it is not given up."""
        record = self._numbers.next()
        self._log.write(f"s {record.place} {record.at:.6f}")

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is None:
                self._log.write(f"a {record.place} {message.offset()} {time.time():.6f}")
            else:
                self._failed(record, error)

        while True:
            try:
                self._producer.produce(
                    record.topic,
                    value=record.value,
                    key=record.key,
                    partition=record.partition,
                    headers=headers_of(record.n),
                    on_delivery=delivered,
                )
                return
            except BufferError:
                if self._stop.expired:
                    return
                self.serve(SERVE_S)
            except KafkaException as refused:
                self._failed(record, refused.args[0])
                return

    def serve(self, seconds: float) -> None:
        """Wait up to `seconds` for acknowledgements and write them down. No error ends the service."""
        try:
            self._producer.poll(seconds)
        except KafkaException as fatal:
            self._on_error(fatal.args[0])
        except SystemError as raised:  # a fatal error, and answers in the same call
            if not isinstance(raised.__cause__, KafkaException):
                raise
            self._on_error(raised.__cause__.args[0])
        self._log.tick()

    def finish(self) -> None:
        """Wait for what is on its way, as long as the stop allows; the rest stays in the log as sent, and no more."""
        while len(self._producer) and not self._stop.expired:
            self.serve(SERVE_S)

    def _failed(self, record: NumberedRecord, error: KafkaError) -> None:
        self._log.write(f"f {record.place} {time.time():.6f} {error.name()} {' '.join(error.str().split())}")

    def _on_error(self, error: KafkaError) -> None:
        self._log.notice("x" if error.fatal() else "e", error.name(), error.str())


def write_until_stopped(sender: Sender, rate: float, stop: StopRequest) -> None:
    """Send at this rate until told to stop, then wait for the last answers."""
    pace = Pace(rate, time.monotonic())
    while not stop.requested:
        while pace.due(now := time.monotonic()):
            sender.send()
        sender.serve(0)
        # Not the client's own wait: it counts in whole milliseconds, and would spin through the last one.
        time.sleep(min(pace.wait_s(now), SERVE_S))
    sender.finish()


def run(make: Callable[[ProducerConfig, RecordLog, StopRequest], Sender]) -> None:
    """Write with a client of librdkafka that is made so, until told to stop."""
    config = configuration(ProducerConfig)
    stop = StopRequest()
    stop.listen()
    log = RecordLog(config.log)
    writer = make(config, log, stop)
    announce({"settings": client_settings(config), "version": libversion()[0]})
    write_until_stopped(writer, config.rate, stop)
    log.close()


def main() -> None:
    """Write until told to stop."""
    run(Writer)


if __name__ == "__main__":
    main()
