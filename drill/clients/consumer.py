"""A service that reads: one member of a consumer group that commits every second and writes down what it received."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition, libversion
from pydantic import BaseModel, Field

from drill.clients.producer import Settings
from drill.clients.record_log import RecordLog
from drill.clients.record_number import number_of
from drill.clients.stop import StopRequest
from drill.process import announce, configuration

POLL_S = 0.05


class ConsumerConfig(BaseModel):
    """What the consumer is told."""

    bootstrap: str
    topics: list[str] = Field(min_length=1)
    group: str
    log: Path
    settings: Settings = Field(default_factory=dict)


def client_settings(config: ConsumerConfig) -> Settings:
    """Every setting that differs from librdkafka's defaults."""
    return {
        "bootstrap.servers": config.bootstrap,
        "client.id": "orders-reader",
        "group.id": config.group,
        "auto.offset.reset": "earliest",
        "auto.commit.interval.ms": 1000,
        **config.settings,
    }


class Reader:
    """Reads a group's share of the topics and writes down every record and every change of partitions."""

    def __init__(self, config: ConsumerConfig, log: RecordLog) -> None:
        self._log = log
        self._consumer = Consumer({**client_settings(config), "error_cb": self._on_error})
        self._consumer.subscribe(
            config.topics, on_assign=self._on("assigned"), on_revoke=self._on("revoked"), on_lost=self._on("lost")
        )

    def read(self, seconds: float) -> None:
        """Wait up to `seconds` for a record. No error ends the service: the client gets over it or says it is fatal."""
        try:
            message = self._consumer.poll(seconds)
        except KafkaException as failed:
            self._on_error(failed.args[0])
            time.sleep(seconds)
            return
        if message is not None:
            self._received(message)
        self._log.tick()

    def finish(self) -> None:
        """Commit, and leave the group."""
        self._consumer.close()

    def _received(self, message: Message) -> None:
        error = message.error()
        if error is not None:
            self._on_error(error)
            return
        n = number_of(message.headers())
        if n is None:
            self._log.notice("e", "UNNUMBERED", f"{message.topic()} {message.partition()} {message.offset()}")
            return
        self._log.write(f"r {n} {message.topic()} {message.partition()} {message.offset()} {time.time():.6f}")

    def _on(self, what: str) -> Callable[[Consumer, list[TopicPartition]], None]:
        def changed(_consumer: Consumer, partitions: list[TopicPartition]) -> None:
            self._log.notice("p", what, ",".join(sorted(f"{p.topic}:{p.partition}" for p in partitions)))

        return changed

    def _on_error(self, error: KafkaError) -> None:
        self._log.notice("x" if error.fatal() else "e", error.name(), error.str())


class Receiver(Protocol):
    """What reads a group's share, with whichever library."""

    def read(self, seconds: float) -> None:
        """Wait up to `seconds` for records. No error ends the service."""

    def finish(self) -> None:
        """Commit, and leave the group."""


Make = Callable[[ConsumerConfig, RecordLog], Receiver]


def read_until_stopped(make: Make, settings_of: Callable[[ConsumerConfig], Settings], version: str) -> None:
    """The whole of a reading process, with a library of that version: read until told to stop."""
    config = configuration(ConsumerConfig)
    stop = StopRequest()
    stop.listen()
    log = RecordLog(config.log)
    reader = make(config, log)
    announce({"settings": settings_of(config), "version": version})
    while not stop.requested:
        reader.read(POLL_S)
    log.flush()
    reader.finish()
    log.close()


def main() -> None:
    """Read until told to stop."""
    read_until_stopped(Reader, client_settings, libversion()[0])


if __name__ == "__main__":
    main()
