"""A service that writes: numbered records at a steady pace, every one's fate in its log.

Settings are librdkafka's defaults but for idempotence and `linger.ms`; what a drill overrides is in its configuration.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from confluent_kafka import KafkaError, KafkaException, Message, Producer
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


class Writer:
    """Numbers records and hands them to a Kafka client. `n` counts the run; `sequence` counts its partition."""

    def __init__(self, config: ProducerConfig, log: RecordLog, stop: StopRequest) -> None:
        self._log = log
        self._stop = stop
        self._slots = [(topic, p) for p in range(config.partitions) for topic in config.topics]
        self._n = self._first = config.first_number
        self._producer = Producer({**client_settings(config), "error_cb": self._on_error})

    def send(self) -> None:
        """Send the next record. A full queue delays it, it is not given up."""
        n = self._n
        sequence, slot = divmod(n - self._first, len(self._slots))
        topic, partition = self._slots[slot]
        now = time.time()
        self._log.write(f"s {n} {topic} {partition} {now:.6f}")
        value = json.dumps({"n": n, "sequence": sequence, "sent_at": round(now, 6)}).encode()

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is None:
                self._log.write(f"a {n} {topic} {partition} {message.offset()} {time.time():.6f}")
            else:
                self._failed(n, topic, partition, error)

        self._n += 1
        while True:
            try:
                self._producer.produce(
                    topic,
                    value=value.ljust(VALUE_BYTES),
                    key=f"{topic}-{partition}-{sequence}".encode(),
                    partition=partition,
                    headers=headers_of(n),
                    on_delivery=delivered,
                )
                return
            except BufferError:
                if self._stop.expired:
                    return
                self.serve(SERVE_S)
            except KafkaException as refused:
                self._failed(n, topic, partition, refused.args[0])
                return

    def serve(self, seconds: float) -> None:
        """Wait up to `seconds` for acknowledgements and write them down."""
        self._producer.poll(seconds)
        self._log.tick()

    def finish(self) -> None:
        """Wait for what is on its way, as long as the stop allows; the rest stays in the log as sent, and no more."""
        while len(self._producer) and not self._stop.expired:
            self.serve(SERVE_S)

    def _failed(self, n: int, topic: str, partition: int, error: KafkaError) -> None:
        self._log.write(f"f {n} {topic} {partition} {time.time():.6f} {error.name()} {' '.join(error.str().split())}")

    def _on_error(self, error: KafkaError) -> None:
        self._log.notice("x" if error.fatal() else "e", error.name(), error.str())


def main() -> None:
    """Write until told to stop, then wait for the last answers."""
    config = configuration(ProducerConfig)
    stop = StopRequest()
    stop.listen()
    log = RecordLog(config.log)
    writer = Writer(config, log, stop)
    announce({"settings": client_settings(config)})
    pace = Pace(config.rate, time.monotonic())
    while not stop.requested:
        while pace.due(now := time.monotonic()):
            writer.send()
        writer.serve(0)
        # Not the client's own wait: it counts in whole milliseconds, and would spin through the last one.
        time.sleep(min(pace.wait_s(now), SERVE_S))
    writer.finish()
    log.close()


if __name__ == "__main__":
    main()
