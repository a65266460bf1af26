"""The account of a failover, record by record, from what the clients wrote down and what the standby holds. Pure.

Whose acknowledgement? The standby's, if its log holds that record at the acknowledged offset, at or after the end the
mirror had when it became STOPPED; any other is the lost site's, one that came after the promotion too: a client that
still reached the lost cluster loses its records as well.

Whose record did a consumer receive? Before the loss: the lost site's. Afterwards: the standby's, if its log holds the
record at that offset, and the record was written there or the mirrors were already STOPPED (no client may reach the
standby before); else the lost site's, handed out from a buffer of the client.

A figure that can't be determined is None, and `Account.unmeasured` says why; it is never 0.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import floor
from typing import TypeVar

from drill.clients.read_log import ClusterLog
from drill.clients.record_log import Acknowledged, ConsumerLog, Key, ProducerLog, Received

Promoted = Mapping[str, Mapping[str, int]]
"""Per topic and partition (as JSON has it, a string), the end of the standby's log when its mirror became STOPPED."""
OffsetRange = tuple[int, int]
"""First and last offset, both in it."""
Record = TypeVar("Record", Acknowledged, Received)


@dataclass(frozen=True, kw_only=True)
class PartitionAccount:
    """One partition. Times are seconds since 1970. `lost`: acknowledged by the lost site, absent from the standby;
    `lost_ranges` are its offsets on the lost site."""

    topic: str
    partition: int
    acknowledged: int
    acknowledged_by_lost_site: int | None
    acknowledged_by_standby: int | None
    mirrored_to: int | None
    lost: int | None
    lost_ranges: tuple[OffsetRange, ...]
    lost_but_consumed: int | None
    consumed: int
    duplicates: int
    out_of_order: int
    never_consumed: int | None
    skipped: int | None
    first_acknowledged_by_standby: float | None
    resumed: bool | None


@dataclass(frozen=True, kw_only=True)
class Second:
    """Records in one second, counted from the loss (-1 is the last second before it), by the cluster they touched."""

    second: int
    sent: int
    acknowledged_by_lost_site: int
    acknowledged_by_standby: int
    consumed_from_lost_site: int
    consumed_from_standby: int


@dataclass(frozen=True, kw_only=True)
class Account:
    """What became of every record. Counts are records, times seconds since 1970.

    `consumed` counts receptions, `duplicates` the receptions of a record beyond its first. A record is out of order if
    it is first received after a record of the same partition that was produced later. `never_consumed` is in the
    standby's log and was not received; it was `skipped` if a later record of its partition was received there: a reader
    that has not come to the end skips nothing. `in_flight`: sent before the loss and not acknowledged by the lost site,
    whose log may hold it nevertheless. `stored_twice` is in the standby's log more than once: produced again by a
    client that did not get the lost site's acknowledgement.
    """

    killed_at: float
    sent: int | None
    acknowledged: int | None
    acknowledged_by_lost_site: int | None
    acknowledged_by_standby: int | None
    failed: int | None
    undecided: int | None
    lost: int | None
    lost_but_consumed: int | None
    in_flight: int | None
    consumed: int | None
    consumed_from_lost_site: int | None
    consumed_from_standby: int | None
    duplicates: int | None
    out_of_order: int | None
    never_consumed: int | None
    skipped: int | None
    stored_twice: int | None
    first_acknowledged_by_standby: float | None
    first_consumed_from_standby: float | None
    every_partition_resumed_at: float | None
    recovered: bool
    partitions: tuple[PartitionAccount, ...]
    rates: tuple[Second, ...]
    errors: Mapping[str, int]
    unmeasured: tuple[str, ...]

    @property
    def rto_s(self) -> float | None:
        """Seconds from the loss to the first record acknowledged by the standby."""
        return _difference(self.first_acknowledged_by_standby, self.killed_at)


def account(
    producer: ProducerLog,
    consumer: ConsumerLog,
    standby: ClusterLog | None,
    *,
    killed_at: float,
    promoted: Promoted | None,
    writable_at: float | None,
) -> Account:
    """Match the logs record by record.

    Args:
        standby: the standby's whole log, read after the clients ended; None if it could not be read.
        promoted: None if the mirrors never became STOPPED, or nobody saw it.
        writable_at: when the last mirror became STOPPED; None as `promoted`.
    """
    matching = _Matching(
        producer, consumer, standby=standby, killed_at=killed_at, promoted=promoted, writable_at=writable_at
    )
    partitions = tuple(matching.partition(key) for key in matching.keys)
    resumed = [p.first_acknowledged_by_standby for p in partitions if p.acknowledged]
    acknowledged = len(producer.acknowledged) if producer.sent else None
    received = bool(consumer.received)
    by_standby = matching.acknowledged_by_standby
    consumed_from_standby = matching.consumed_from_standby
    return Account(
        killed_at=killed_at,
        sent=len(producer.sent) or None,
        acknowledged=acknowledged,
        acknowledged_by_lost_site=_minus(acknowledged, by_standby),
        acknowledged_by_standby=None if acknowledged is None or by_standby is None else len(by_standby),
        failed=len(producer.failed) if producer.sent else None,
        undecided=len(matching.undecided) if producer.sent else None,
        lost=_sum(p.lost for p in partitions),
        lost_but_consumed=_sum(p.lost_but_consumed for p in partitions) if received else None,
        in_flight=matching.in_flight(),
        consumed=len(consumer.received) or None,
        consumed_from_lost_site=_minus(len(consumer.received), consumed_from_standby) if received else None,
        consumed_from_standby=None if consumed_from_standby is None or not received else len(consumed_from_standby),
        duplicates=sum(p.duplicates for p in partitions) if received else None,
        out_of_order=sum(p.out_of_order for p in partitions) if received else None,
        never_consumed=_sum(p.never_consumed for p in partitions) if received else None,
        skipped=_sum(p.skipped for p in partitions) if received else None,
        stored_twice=None if standby is None else len(standby.records) - len(matching.stored),
        first_acknowledged_by_standby=_earliest(by_standby),
        first_consumed_from_standby=_earliest(consumed_from_standby),
        every_partition_resumed_at=None if not resumed or None in resumed else max(at for at in resumed if at),
        recovered=bool(resumed) and all(p.resumed for p in partitions if p.acknowledged),
        partitions=partitions,
        rates=matching.rates(),
        errors=Counter(f.error.split(" ")[0] for f in producer.failed)
        + Counter(
            n.detail.split(" ")[0] for n in (*producer.notices, *consumer.notices) if n.kind in {"error", "fatal"}
        ),
        unmeasured=matching.unmeasured,
    )


class _Matching:
    """The logs, indexed."""

    def __init__(
        self,
        producer: ProducerLog,
        consumer: ConsumerLog,
        standby: ClusterLog | None,
        killed_at: float,
        promoted: Promoted | None,
        writable_at: float | None,
    ) -> None:
        self._producer, self._consumer, self._standby = producer, consumer, standby
        self._killed_at, self._writable_at = killed_at, writable_at
        self._ends = {(t, int(p)): end for t, ends in (promoted or {}).items() for p, end in ends.items()}
        self.keys: list[Key] = sorted({(s.topic, s.partition) for s in producer.sent})
        self._records = standby.records if standby else ()
        self._at = {(r.topic, r.partition, r.offset): r.n for r in self._records}
        self.stored = {r.n for r in self._records}
        self._received_numbers = {r.n for r in consumer.received}
        answered = {a.n for a in producer.acknowledged} | {f.n for f in producer.failed}
        self.undecided = {s.n for s in producer.sent} - answered
        self._acknowledged = _by_partition(producer.acknowledged)
        self._received = _by_partition(consumer.received)
        self._stored = defaultdict[Key, dict[int, int]](dict)
        """Of each partition, where its records are, by their numbers."""
        for record in self._records:
            self._stored[record.topic, record.partition].setdefault(record.n, record.offset)
        self._attributable = standby is not None and all(key in self._ends for key in self.keys)
        self.acknowledged_by_standby = (
            [a for a in producer.acknowledged if self._written_to_standby(a)] if self._attributable else None
        )
        self.consumed_from_standby = self._find_consumed_from_standby()
        self.unmeasured = (*self._gaps_of_clients(), *self._gaps_of_clusters())

    def partition(self, key: Key) -> PartitionAccount:
        """The account of one partition."""
        acknowledged, received = self._acknowledged[key], self._received[key]
        by_standby = [a for a in acknowledged if self._written_to_standby(a)] if self._attributable else None
        lost = [a for a in acknowledged if a.n not in self._stored[key]] if self._complete(key) else None
        first_received = list(dict.fromkeys(r.n for r in received))
        received_numbers = set(first_received)
        return PartitionAccount(
            topic=key[0],
            partition=key[1],
            acknowledged=len(acknowledged),
            acknowledged_by_lost_site=_minus(len(acknowledged), by_standby),
            acknowledged_by_standby=None if by_standby is None else len(by_standby),
            mirrored_to=self._ends.get(key),
            lost=None if lost is None else len(lost),
            lost_ranges=ranges(a.offset for a in lost or ()),
            lost_but_consumed=None if lost is None else sum(a.n in received_numbers for a in lost),
            consumed=len(received),
            duplicates=len(received) - len(first_received),
            out_of_order=out_of_order(first_received),
            never_consumed=None if self._standby is None else len(self._stored[key].keys() - received_numbers),
            skipped=None if self._standby is None else self._skipped(key, received),
            first_acknowledged_by_standby=_earliest(by_standby),
            resumed=None if by_standby is None else any(a.n in received_numbers for a in by_standby),
        )

    def _skipped(self, key: Key, received: Sequence[Received]) -> int:
        """How many records of a partition were passed over by who received a later one."""
        stored, numbers = self._stored[key], {r.n for r in received}
        furthest = max((r.offset for r in received if self._is_stored(r)), default=-1)
        return sum(offset < furthest and n not in numbers for n, offset in stored.items())

    def in_flight(self) -> int | None:
        """How many records were on their way at the loss; None if the clusters can't be told apart."""
        if self.acknowledged_by_standby is None:
            return None
        by_standby = {a.n for a in self.acknowledged_by_standby}
        by_lost_site = {a.n for a in self._producer.acknowledged} - by_standby
        return sum(s.at <= self._killed_at and s.n not in by_lost_site for s in self._producer.sent)

    def rates(self) -> tuple[Second, ...]:
        """Every second of the run, those without a record too; none if the clusters can't be told apart."""
        if self.acknowledged_by_standby is None or self.consumed_from_standby is None:
            return ()
        sent = self._seconds(s.at for s in self._producer.sent)
        acknowledged = self._seconds(a.at for a in self._producer.acknowledged)
        by_standby = self._seconds(a.at for a in self.acknowledged_by_standby)
        consumed = self._seconds(r.at for r in self._consumer.received)
        from_standby = self._seconds(r.at for r in self.consumed_from_standby)
        seconds = sent.keys() | acknowledged.keys() | consumed.keys()
        if not seconds:
            return ()
        return tuple(
            Second(
                second=second,
                sent=sent[second],
                acknowledged_by_lost_site=acknowledged[second] - by_standby[second],
                acknowledged_by_standby=by_standby[second],
                consumed_from_lost_site=consumed[second] - from_standby[second],
                consumed_from_standby=from_standby[second],
            )
            for second in range(min(seconds), max(seconds) + 1)
        )

    def _seconds(self, times: Iterable[float]) -> Counter[int]:
        return Counter(floor(at - self._killed_at) for at in times)

    def _is_stored(self, record: Acknowledged | Received) -> bool:
        return self._at.get((record.topic, record.partition, record.offset)) == record.n

    def _written_to_standby(self, record: Acknowledged | Received) -> bool:
        end = self._ends.get((record.topic, record.partition))
        return end is not None and record.offset >= end and self._is_stored(record)

    def _complete(self, key: Key) -> bool:
        """Whether the standby's log of a partition is there from its first record on."""
        return self._standby is not None and self._standby.starts.get(key, 0) == 0

    def _find_consumed_from_standby(self) -> list[Received] | None:
        if not self._attributable:
            return None
        late = [r for r in self._consumer.received if r.at >= self._killed_at and self._is_stored(r)]
        writable_at = self._writable_at
        if writable_at is None:
            return [] if not late else None
        return [r for r in late if r.at >= writable_at or self._written_to_standby(r)]

    def _gaps_of_clients(self) -> Iterator[str]:
        if not self._producer.sent:
            yield "acknowledged, loss: the producer's log is empty"
        if not self._consumer.received:
            yield "consumed, duplicates, out of order: the consumer's log is empty"
        if self.undecided:
            count = len(self.undecided)
            yield f"acknowledged: of {count} records sent neither an acknowledgement nor an error came"
        if foreign := self._received_numbers - {s.n for s in self._producer.sent}:
            yield f"consumed: {len(foreign)} records were received that the producer did not write"

    def _gaps_of_clusters(self) -> Iterator[str]:
        if self._standby is None:
            yield "loss: the standby's log could not be read"
        elif self._standby.unnumbered:
            yield f"loss: {self._standby.unnumbered} records on the standby carry no number, so are not the producer's"
        if missing := [key for key in self.keys if key not in self._ends]:
            yield f"RTO, records by cluster: the log end at promotion is unknown of {names(missing)}"
        if trimmed := [key for key in self.keys if self._standby and not self._complete(key)]:
            yield f"loss: the standby has already deleted the oldest records of {names(trimmed)}"
        if self.acknowledged_by_standby == [] and self._producer.sent:
            yield "RTO: the standby acknowledged no record"
        if self._attributable and self.consumed_from_standby is None:
            yield "consumed by cluster: when the mirrors became STOPPED is unknown"


def ranges(offsets: Iterable[int]) -> tuple[OffsetRange, ...]:
    """The offsets as the fewest ranges, ascending."""
    merged: list[OffsetRange] = []
    for offset in sorted(set(offsets)):
        if merged and merged[-1][1] == offset - 1:
            merged[-1] = (merged[-1][0], offset)
        else:
            merged.append((offset, offset))
    return tuple(merged)


def out_of_order(first_received: Sequence[int]) -> int:
    """How many of a partition's records, in the order they were first received, come after one produced later."""
    count, highest = 0, -1
    for n in first_received:
        count += n < highest
        highest = max(highest, n)
    return count


def names(keys: Sequence[Key], most: int = 6) -> str:
    """Partitions for a person to read, at most `most` of them by name."""
    shown = ", ".join(f"{topic}:{partition}" for topic, partition in keys[:most])
    return shown if len(keys) <= most else f"{shown} and {len(keys) - most} more"


def _by_partition(records: Iterable[Record]) -> defaultdict[Key, list[Record]]:
    split = defaultdict[Key, list[Record]](list)
    for record in records:
        split[record.topic, record.partition].append(record)
    return split


def _sum(figures: Iterable[int | None]) -> int | None:
    """The sum; None if there is nothing to add, or a figure is None."""
    addends = list(figures)
    return None if not addends or None in addends else sum(figure or 0 for figure in addends)


def _earliest(records: Sequence[Acknowledged] | Sequence[Received] | None) -> float | None:
    return min((record.at for record in records or ()), default=None)


def _minus(total: int | None, part: Sequence[object] | None) -> int | None:
    return None if total is None or part is None else total - len(part)


def _difference(later: float | None, earlier: float) -> float | None:
    return None if later is None else later - earlier
