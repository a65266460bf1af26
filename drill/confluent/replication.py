"""The link's data path: reading offsets of both clusters, and copying records from the source into the mirrors.

A record keeps its partition, its order and so its offset, its key, value, headers and timestamp. One call of `copy`
appends exactly the ranges it is given and leaves nothing behind in any buffer, so that what a lost source strands is
what was not agreed to be copied before it was lost.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import wait
from dataclasses import dataclass
from typing import NamedTuple

from confluent_kafka import OFFSET_END, Consumer, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

log = logging.getLogger(__name__)

Hurry = Callable[[], bool]
"""Whether something more urgent waits, so that the current work should be left at the next whole record."""

SLICE_S = 0.02


class Spot(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int


@dataclass(frozen=True)
class Range:
    """Records to be copied: offsets from `start` up to, not including, `end`."""

    start: int
    end: int


@dataclass(frozen=True)
class Plan:
    """What a cycle copies, and which mirrors can't go on (topic: `mirror_topic_error`)."""

    ranges: Mapping[Spot, Range]
    broken: Mapping[str, str]


class MirrorDiverged(RuntimeError):
    """A record can't get the offset in the mirror that it has in the source."""

    def __init__(self, spot: Spot, expected: int, actual: int) -> None:
        super().__init__(
            f"the mirror of {spot.topic}-{spot.partition} needs offset {expected} next, but it is {actual}: "
            "start over with empty clusters"
        )
        self.topic = spot.topic


class AppendFailed(RuntimeError):
    """The mirror's cluster did not take records; the next cycle reads its log ends anew and goes on from there."""


def plan_cycle(
    agreed: Mapping[Spot, int], high_watermarks: Mapping[Spot, int], log_ends: Mapping[Spot, int], copied: set[Spot]
) -> Plan:
    """What to copy now: up to the high watermarks that the cycle before saw (`agreed`), so that a mirror trails its
    source by about one interval, as a real one does."""
    broken = {
        spot.topic: "UNEXPECTED_TRUNCATION"
        for spot in copied
        if spot in high_watermarks and spot in log_ends and high_watermarks[spot] < log_ends[spot]
    }
    ranges = {
        spot: Range(log_ends[spot], agreed[spot])
        for spot in copied
        if spot.topic not in broken and spot in agreed and log_ends.get(spot, agreed[spot]) < agreed[spot]
    }
    return Plan(ranges, broken)


def end_offsets(admin: AdminClient, spots: Collection[Spot], timeout_s: float, hurry: Hurry) -> dict[Spot, int]:
    """The high watermark of every partition that answered in time; partitions that did not are missing."""
    if not spots:
        return {}
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    specs = {TopicPartition(spot.topic, spot.partition): latest for spot in spots}
    try:
        answers = admin.list_offsets(specs, request_timeout=timeout_s)
    except KafkaException as error:
        log.info("offsets could not be asked for: %s", error)
        return {}
    deadline = time.monotonic() + timeout_s
    while wait(answers.values(), SLICE_S).not_done and time.monotonic() < deadline and not hurry():
        pass
    ends: dict[Spot, int] = {}
    for spot, answer in answers.items():
        if not answer.done() or answer.exception() is not None:
            continue
        offset = answer.result().offset
        if offset >= 0:  # a request that timed out can come back without an error, with offset -1001
            ends[Spot(spot.topic, spot.partition)] = offset
    return ends


class DataPath:
    """The clients of both clusters. Used by one thread.

    The bootstrap addresses are raw ones: a mirror's own appends go round the guard that refuses everyone else's. A spot
    is named as the mirror is; its source has the same name without `prefix`.

    The source has an admin client of this alone, which is not asked for the end of a topic that it knows is not there:
    librdkafka 2.16 ends the whole process when metadata come in that moment (its
    rd_kafka_topic_partition_list_query_leaders_async gives one operation to two threads).
    """

    def __init__(
        self,
        local: AdminClient,
        source_bootstrap: str,
        local_bootstrap: str,
        prefix: str = "",
        timeout_s: float = 0.75,
    ) -> None:
        self._prefix = prefix
        self._timeout_s = timeout_s
        self._local_bootstrap = local_bootstrap
        self._source_admin = admin_client(source_bootstrap)
        self._source_topics: Collection[str] | None = None
        self._local_admin = local
        self._source = Consumer(
            {
                **client_settings(source_bootstrap),
                "group.id": "cluster-link",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "isolation.level": "read_uncommitted",  # a link copies what is not committed yet, too
                "auto.offset.reset": "error",
                "fetch.wait.max.ms": 10,
                "fetch.error.backoff.ms": 50,
                "queued.max.messages.kbytes": 4096,
                "fetch.message.max.bytes": 524288,
            }
        )
        self._producer = self._new_producer()

    def high_watermarks(self, spots: Collection[Spot], hurry: Hurry, *, was_there: bool = False) -> dict[Spot, int]:
        """The source's high watermarks; empty if it can't be reached. `was_there`: it answered a moment ago, so all of
        them are asked for in one call, which costs a third and can't be broken off."""
        mirror_of = {self._source_of(spot): spot for spot in spots}
        present = [spot for spot in mirror_of if self._source_topics is None or spot.topic in self._source_topics]
        ends = self._ends_at_once(present) if was_there and present else None
        if ends is None:
            ends = end_offsets(self._source_admin, present, self._timeout_s, hurry)
        high = {mirror_of[at_source]: end for at_source, end in ends.items()}
        if (high or not present) and len(high) < len(spots) and not hurry():
            # librdkafka remembers for many seconds that a topic did not exist; only asking for all topics mends that
            self.source_answers()
        return high

    def _ends_at_once(self, spots: Collection[Spot]) -> dict[Spot, int] | None:
        """The end of every partition; None if there is any that did not answer."""
        rows = [TopicPartition(spot.topic, spot.partition, OFFSET_END) for spot in spots]
        try:
            rows_read = self._source.offsets_for_times(rows, timeout=self._timeout_s)
        except KafkaException:
            return None
        if any(row.error is not None or row.offset < 0 for row in rows_read):
            return None
        return {Spot(row.topic, row.partition): row.offset for row in rows_read}

    def _source_of(self, spot: Spot) -> Spot:
        return Spot(spot.topic.removeprefix(self._prefix), spot.partition)

    def source_answers(self) -> bool:
        """Whether the source answers at all, whatever topics it has; which they are is kept."""
        try:
            self._source_topics = self._source_admin.list_topics(timeout=min(0.3, self._timeout_s)).topics.keys()
        except KafkaException:
            return False
        return True

    def log_ends(self, spots: Collection[Spot]) -> dict[Spot, int]:
        """The mirrors' log ends."""
        return end_offsets(self._local_admin, spots, 5.0, lambda: False)

    def copy(self, ranges: Mapping[Spot, Range], hurry: Hurry, limit_s: float = 5.0) -> dict[Spot, int]:
        """Copy the ranges, or what of them comes within `limit_s` seconds without `hurry`; new log ends.

        Raises:
            MirrorDiverged: a record's offset would not be, or was not, the same in the mirror.
            AppendFailed: the mirror's cluster did not take a record.
        """
        if not ranges:
            return {}
        appended = {spot: span.start for spot, span in ranges.items()}
        open_spots = set(ranges)
        failures: list[Exception] = []
        self._source.assign([TopicPartition(*self._source_of(s), span.start) for s, span in ranges.items()])
        try:
            deadline = time.monotonic() + limit_s
            while open_spots and time.monotonic() < deadline and not hurry() and not failures:
                for message in self._source.consume(500, SLICE_S):
                    self._append(message, ranges, appended=appended, open_spots=open_spots, failures=failures)
                self._producer.poll(0)
        finally:
            self._source.unassign()
            self._flush()
        if failures:
            raise failures[0]
        return appended

    def _append(
        self,
        message: Message,
        ranges: Mapping[Spot, Range],
        appended: dict[Spot, int],
        open_spots: set[Spot],
        failures: list[Exception],
    ) -> None:
        if message.error() is not None:
            log.info("fetch: %s", message.error())
            return
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        assert topic is not None and partition is not None and offset is not None
        spot = Spot(self._prefix + topic, partition)
        if spot not in open_spots:
            return
        if offset != appended[spot]:
            failures.append(MirrorDiverged(spot, appended[spot], offset))
            open_spots.discard(spot)
            return

        def delivered(error: object, report: Message) -> None:
            if error is not None:
                failures.append(AppendFailed(f"{spot.topic}-{spot.partition} at offset {offset}: {error}"))
            elif report.offset() != offset:
                failures.append(MirrorDiverged(spot, offset, report.offset() or 0))

        try:
            self._produce(spot, message, delivered)
        except KafkaException as error:  # a fatal error of the producer: only a new one goes on
            failures.append(AppendFailed(f"{spot.topic}-{spot.partition} at offset {offset}: {error}"))
            self._producer = self._new_producer()
            return
        appended[spot] = offset + 1
        if appended[spot] >= ranges[spot].end:
            open_spots.discard(spot)

    def _produce(self, spot: Spot, message: Message, delivered: Callable[[object, Message], None]) -> None:
        kind, timestamp = message.timestamp()
        while True:
            try:
                self._producer.produce(
                    spot.topic,
                    value=message.value(),
                    key=message.key(),
                    partition=spot.partition,
                    timestamp=timestamp if kind else 0,
                    headers=message.headers(),
                    on_delivery=delivered,
                )
                return
            except BufferError:
                self._producer.poll(SLICE_S)

    def _flush(self) -> None:
        """Wait until nothing is in flight. What its cluster refuses to take is purged, and so never comes late."""
        if self._producer.flush(10) > 0:
            log.warning("the mirror's cluster took nothing for ten seconds")
            self._producer.purge()
            self._producer.flush(1)
            self._producer = self._new_producer()

    def _new_producer(self) -> Producer:
        return Producer(
            {
                **client_settings(self._local_bootstrap),
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 2,
                "message.max.bytes": 10_000_000,
                "queue.buffering.max.kbytes": 16384,
            }
        )


def admin_client(bootstrap: str) -> AdminClient:
    """An admin client; several threads may share it."""
    return AdminClient(client_settings(bootstrap))


def client_settings(bootstrap: str) -> dict[str, str | int | bool | float]:
    """librdkafka settings of every client here: come back fast, say little."""
    return {
        "bootstrap.servers": bootstrap,
        "client.id": "cluster-link",
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": 500,
        "topic.metadata.refresh.interval.ms": 5000,
        "log_level": 2,
    }
