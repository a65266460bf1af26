"""Ranges of offsets, read as they are on the cluster: every record in them, and the proof that there are no others.

Records of transactions that are open or were aborted are read, too; markers of transactions and records that were
compacted away are offsets without a record. A reader knows of one only by a later offset that it is shown: a record, or
the end of the log.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from types import TracebackType
from typing import Final, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from failover.errors import KafkaUnauthorized, KafkaUnavailable
from failover.kafka.client import Settings, is_authorization, reporting, trouble, unauthorized
from failover.kafka.offsets import Spot, in_words

_QUEUED_KB: Final = 12 * 1024
_FETCH_BYTES: Final = 4 * 1024 * 1024
_FULL_MS: Final = 10
"""For which a partition is not fetched once so much is queued; by librdkafka's own second, a queue that is emptied in a
fifth of it stays empty for the rest."""
_MESSAGES: Final = 1000
_TIMEOUT_S: Final = 3.0
_NOT_THERE: Final = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_PARTITION,
    KafkaError._UNKNOWN_TOPIC,
}


@dataclass(frozen=True, kw_only=True)
class Part:
    """What was read of one partition."""

    spot: Spot
    begin: int
    end: int
    """Every offset from `begin` up to here is accounted for."""
    messages: tuple[Message, ...] = ()
    gone: int = 0
    """How many of them the cluster does not have any more."""


class RangeReader:
    """Reads ranges side by side, in as much memory however long they are. Use it as a context manager."""

    def __init__(self, chosen: Settings) -> None:
        self._chosen = chosen
        self._errors: list[KafkaError] = []
        self._ranges: dict[Spot, tuple[int, int]] = {}
        self._silent: set[Spot] = set()
        self._consumer = Consumer(
            {
                **chosen,
                "group.id": "failover-rescue",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "error",
                "isolation.level": "read_uncommitted",
                "check.crcs": True,
                "fetch.wait.max.ms": 100,
                "fetch.max.bytes": _FETCH_BYTES,
                "queued.max.messages.kbytes": _QUEUED_KB,
                "fetch.queue.backoff.ms": _FULL_MS,
                **reporting(self._errors),
            }
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()

    @property
    def unread(self) -> set[Spot]:
        """The partitions whose range is not read to its end."""
        return set(self._ranges)

    def add(self, ranges: Mapping[Spot, tuple[int, int]]) -> None:
        """Read these, too: from the first offset up to the second, of each partition."""
        self._ranges.update(ranges)
        self._silent.update(ranges)
        self._consumer.incremental_assign(
            [TopicPartition(topic, partition, begin) for (topic, partition), (begin, _) in ranges.items()]
        )

    def read(self, seconds: float) -> Iterator[Part]:
        """What comes within so many seconds, at most a few MB; nothing, if nothing does.

        Raises:
            KafkaUnauthorized: the credentials, or a topic, are refused.
            KafkaUnavailable: the cluster did not tell what became of an offset that it does not have.
        """
        messages = self._consumer.consume(_MESSAGES, timeout=seconds)
        if isinstance(refusal := trouble(self._chosen, self._errors, "let nothing be read"), KafkaUnauthorized):
            raise refusal
        yield from self._absent()
        for (topic, partition, failed), run in groupby(messages, _kind):
            spot = (str(topic), int(partition or 0))
            if spot not in self._ranges:
                continue
            if not failed:
                yield self._records(spot, tuple(run))
                continue
            for message in run:
                if spot in self._ranges and (part := self._event(spot, message)):
                    yield part

    def _records(self, spot: Spot, messages: tuple[Message, ...]) -> Part:
        _, end = self._ranges[spot]
        last = messages[-1].offset() or 0
        if last >= end:
            messages = tuple(message for message in messages if (message.offset() or 0) < end)
        return self._advance(spot, min(last + 1, end), messages)

    def _event(self, spot: Spot, message: Message) -> Part | None:
        begin, end = self._ranges[spot]
        error = message.error()
        assert error is not None
        if error.code() == KafkaError._PARTITION_EOF:
            reached = min(message.offset() or 0, end)
            return self._advance(spot, reached, ()) if reached > begin else None
        if is_authorization(error):
            raise unauthorized(f"does not let {in_words(spot)} be read", error)
        if error.code() == KafkaError._AUTO_OFFSET_RESET:
            return self._missing(spot)
        return None

    def _absent(self) -> Iterator[Part]:
        """Partitions that the cluster does not have: their clients are told so of the connection, not of them."""
        reported, self._errors[:] = list(self._errors), []
        for error in filter(is_authorization, reported):
            raise unauthorized("does not let stranded records be read", error)
        if not any(error.code() in _NOT_THERE for error in reported):
            return
        for spot in sorted(self._silent & self.unread):
            if self._is_no_topic(spot):
                begin, end = self._ranges[spot]
                yield self._advance(spot, end, (), gone=end - begin)

    def _missing(self, spot: Spot) -> Part | None:
        """The cluster has no such offset: it expired, or the log is shorter, because it is another one by now."""
        begin, end = self._ranges[spot]
        row = TopicPartition(*spot)
        try:
            low, high = self._consumer.get_watermark_offsets(row, timeout=_TIMEOUT_S)
        except KafkaException as error:
            raise KafkaUnavailable(f"{in_words(spot)} does not tell where its log begins: {error}") from error
        if low < 0 or high < 0:
            raise KafkaUnavailable(f"{in_words(spot)} tells {low} and {high} as its log's begin and end: no offsets")
        self._consumer.incremental_unassign([row])
        first_offset = low if low > begin else end if high < begin else begin
        resumed = min(first_offset, end)
        part = self._advance(spot, resumed, (), gone=resumed - begin, assigned=False)
        if spot in self._ranges:
            self._consumer.incremental_assign([TopicPartition(*spot, resumed)])
        return part if resumed > begin else None

    def _is_no_topic(self, spot: Spot) -> bool:
        """Whether the cluster, asked for that very topic, has no such partition."""
        topic, partition = spot
        try:
            described = self._consumer.list_topics(topic, timeout=_TIMEOUT_S).topics[topic]
        except KafkaException as error:
            raise KafkaUnavailable(f"{in_words(spot)} can't be read, nor its topic be looked at: {error}") from error
        if described.error is not None and is_authorization(described.error):
            raise unauthorized(f"does not let {in_words(spot)} be read", described.error)
        if described.error is not None:
            return described.error.code() in _NOT_THERE
        return partition not in described.partitions

    def _advance(
        self, spot: Spot, reached: int, messages: tuple[Message, ...], *, gone: int = 0, assigned: bool = True
    ) -> Part:
        begin, end = self._ranges[spot]
        self._silent.discard(spot)
        self._ranges[spot] = (reached, end)
        if reached >= end:
            del self._ranges[spot]
            if assigned:
                self._consumer.incremental_unassign([TopicPartition(*spot)])
        return Part(spot=spot, begin=begin, end=reached, messages=messages, gone=gone)


def partitions_of(chosen: Settings, topic: str) -> list[int]:
    """The partitions of a topic; none, if there is no such topic.

    Raises:
        KafkaUnauthorized: the credentials, or the topic, are refused.
        KafkaUnavailable: the cluster does not tell.
    """
    errors: list[KafkaError] = []
    consumer = Consumer({**chosen, "group.id": "failover-rescue", **reporting(errors)})
    try:
        described = consumer.list_topics(topic, timeout=_TIMEOUT_S).topics[topic]
    except KafkaException as error:
        raise trouble(chosen, errors, f"tells nothing of {topic}: {error}") from error
    finally:
        consumer.close()
    if described.error is not None and is_authorization(described.error):
        raise unauthorized(f"tells nothing of {topic}", described.error)
    if described.error is None:
        return sorted(described.partitions)
    if described.error.code() in _NOT_THERE:
        return []
    raise trouble(chosen, errors, f"tells nothing of {topic} now: {described.error}")


def _kind(message: Message) -> tuple[str | None, int | None, bool]:
    return message.topic(), message.partition(), message.error() is not None
