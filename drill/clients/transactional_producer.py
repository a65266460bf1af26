"""The service that writes, in transactions of half a second each. A record is acknowledged once its transaction is
committed; one that is aborted gives all its records back as failed, and whatever ends a producer has the service make a
new one."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from drill.clients import producer
from drill.clients.producer import NumberedRecord, ProducerConfig, RecordNumbers, Settings, run
from drill.clients.record_log import RecordLog
from drill.clients.record_number import headers_of
from drill.clients.stop import StopRequest

TRANSACTION_S: Final = 0.5
CALL_S: Final = 1.0


def client_settings(config: ProducerConfig) -> Settings:
    """Every setting that differs from librdkafka's defaults."""
    return {"transactional.id": f"orders-writer-{config.first_number}"} | producer.client_settings(config)


class TransactionalWriter:
    """Hands records to librdkafka, and commits them."""

    def __init__(self, config: ProducerConfig, log: RecordLog, stop: StopRequest) -> None:
        self._log = log
        self._stop = stop
        self._settings = client_settings(config)
        self._numbers = RecordNumbers(config)
        self._records: list[NumberedRecord] = []
        """Those of the transaction that is open; none: there is none."""
        self._offsets: dict[int, int] = {}
        self._began = 0.0
        self._renew()

    def send(self) -> None:
        """Send the next record, in the transaction that is open or in a new one."""
        record = self._numbers.next()
        self._log.write(f"s {record.place} {record.at:.6f}")
        try:
            if not self._records:
                self._producer.begin_transaction()
                self._began = time.monotonic()
            self._records.append(record)
            self._producer.produce(
                record.topic,
                value=record.value,
                key=record.key,
                partition=record.partition,
                headers=headers_of(record.n),
                on_delivery=partial(self._delivered, record.n),
            )
        except KafkaException as failed:
            self._give_up(failed.args[0])

    def serve(self, seconds: float) -> None:
        """Wait up to `seconds` for answers; commit, if that is due."""
        self._producer.poll(seconds)
        if self._records and time.monotonic() - self._began >= TRANSACTION_S:
            self._commit()
        self._log.tick()

    def finish(self) -> None:
        """Commit what is open, as long as the stop allows."""
        if self._records:
            self._commit()

    def _commit(self) -> None:
        error = self._until_over(self._producer.commit_transaction)
        if error is not None:
            self._give_up(error)
            return
        now = time.time()
        for record in self._records:
            if (offset := self._offsets.get(record.n)) is not None:
                self._log.write(f"a {record.place} {offset} {now:.6f}")
        self._forget()

    def _give_up(self, error: KafkaError) -> None:
        """Abort the transaction; its records are failed."""
        self._log.notice("e", error.name(), error.str())
        if error.fatal() or self._until_over(self._producer.abort_transaction) is not None:
            self._log.notice("x", error.name(), error.str())
            self._renew()
        for record in self._records:
            self._log.write(f"f {record.place} {time.time():.6f} {error.name()} {' '.join(error.str().split())}")
        self._forget()

    def _forget(self) -> None:
        self._records.clear()
        self._offsets.clear()

    def _renew(self) -> None:
        """Make a producer, and wait until its coordinator knows it."""
        while True:
            self._producer = Producer({**self._settings, "error_cb": self._on_error})
            error = self._until_over(self._producer.init_transactions)
            if error is None or self._stop.expired:
                return
            self._log.notice("e", error.name(), error.str())
            time.sleep(CALL_S)

    def _until_over(self, call: Callable[[float], None]) -> KafkaError | None:
        """Call until it succeeds or fails for good, or until the stop; why it failed."""
        while True:
            try:
                call(CALL_S)
            except KafkaException as failed:
                error: KafkaError = failed.args[0]
                if not error.retriable() or self._stop.expired:
                    return error
                self._log.tick()
            else:
                return None

    def _delivered(self, n: int, error: KafkaError | None, message: Message) -> None:
        offset = message.offset()
        if error is None and offset is not None:
            self._offsets[n] = offset

    def _on_error(self, error: KafkaError) -> None:
        self._log.notice("e", error.name(), error.str())


def main() -> None:
    """Write until told to stop."""
    run(TransactionalWriter)


if __name__ == "__main__":
    main()
