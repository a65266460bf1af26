"""Rescued records, produced into the plan's recovery topic on the active cluster, each with headers of its origin.

Who was killed while it wrote does not know how far it came. So before anything is written the topic is read from where
it ended when it was last known, and what of this execution is there is not written again. All records of a partition go
to one partition of the topic, in their order: the highest offset that is there says what is.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Final
from zlib import crc32

from confluent_kafka import Message

from failover.errors import KafkaUnauthorized, KafkaUnavailable, RescueIncomplete
from failover.kafka.client import Settings
from failover.kafka.offsets import log_ends
from failover.kafka.range_reader import RangeReader, partitions_of
from failover.kafka.writer import Row, Writer
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.ledger.topic_tables import load_execution_table, save_execution_table
from failover.rescue.archive import Archive
from failover.rescue.line import Record, record_of
from failover.rescue.stranded import Spot, StrandedRange

EXECUTION: Final = "failover-execution"
TOPIC: Final = "failover-topic"
PARTITION: Final = "failover-partition"
OFFSET: Final = "failover-offset"
RECOVER_S: Final = 6.0
_TABLE: Final = "recovered"
_POSITIONS: Final = "#positions"
"""Beside the topics: no topic's name has such a sign."""


@dataclass(frozen=True, kw_only=True)
class Recovered:
    """How far a partition's records are in the recovery topic."""

    next_offset: int
    """Of the origin: the segments before it are there."""
    records: int = 0
    """How many those are."""
    read_to: int = 0
    """Records of a segment that is not known to be there as a whole: up to here a look found them."""


@dataclass
class Recovery:
    """What is known of the recovery topic, by the ledger and by a look."""

    positions: dict[int, int]
    """Of each of its partitions, up to where it was read."""
    spots: dict[Spot, Recovered] = field(default_factory=dict)


def load_recovery(book: Ledger, execution: Execution) -> Recovery | None:
    """What was known when it was last kept; None if nothing was begun.

    Raises:
        LedgerUnavailable
    """
    rows = load_execution_table(book, execution, _TABLE)
    if _POSITIONS not in rows:
        return None
    positions = {int(number): offset for number, offset in rows.pop(_POSITIONS).items()}
    spots = {(topic, int(number)): Recovered(**row) for topic, of in rows.items() for number, row in of.items()}
    return Recovery(positions, spots)


def save_recovery(book: Ledger, execution: Execution, recovery: Recovery) -> None:
    """Keep it.

    Raises:
        LeaseLost, LedgerUnavailable
    """
    rows: dict[str, dict[str, object]] = {_POSITIONS: {str(number): at for number, at in recovery.positions.items()}}
    for (topic, partition), recovered in sorted(recovery.spots.items()):
        rows.setdefault(topic, {})[str(partition)] = asdict(recovered)
    save_execution_table(book, execution, _TABLE, rows)


def begin(chosen: Settings, topic: str) -> Recovery:
    """Where the recovery topic ends before anything is written to it.

    Raises:
        RescueIncomplete: there is no such topic.
        KafkaUnavailable, KafkaUnauthorized
    """
    return Recovery(_ends(chosen, topic))


def recover(
    chosen: Settings, archive: Archive, *, topic: str, ranges: Sequence[StrandedRange], earlier: Recovery
) -> Recovery:
    """Look what is there, and write what is not, for `RECOVER_S`; answers what is known then.

    Raises:
        RescueIncomplete, RescueDamaged, KafkaUnavailable, KafkaUnauthorized, ServiceUnavailable, ServiceRejected
    """
    deadline = time.monotonic() + RECOVER_S
    spots = dict(earlier.spots)
    for spot, offset in _look(chosen, archive.execution, topic, earlier.positions).items():
        begin_of = next((entry.begin for entry in ranges if entry.spot == spot), 0)
        before = spots.get(spot, Recovered(next_offset=begin_of))
        spots[spot] = replace(before, read_to=max(before.read_to, offset + 1))
    count = len(earlier.positions)
    with Writer(chosen, topic) as writer:
        for entry in ranges:
            recovered = spots.get(entry.spot, Recovered(next_offset=entry.begin))
            if recovered.next_offset >= entry.end:
                continue
            for segment in archive.chain(entry.spot, recovered.next_offset):
                if time.monotonic() > deadline:
                    return Recovery(_ends(chosen, topic), spots)
                body = archive.read(archive.key(entry.spot, segment.begin), segment.sha256)
                records = [record_of(line) for line in body.splitlines()]
                missing = [record for record in records if record.offset >= recovered.read_to]
                rows = [_row(archive.execution, entry, record) for record in missing]
                writer.write(rows, crc32(f"{entry.topic}/{entry.partition}".encode()) % count)
                recovered = replace(recovered, next_offset=segment.end, records=recovered.records + len(records))
                spots[entry.spot] = recovered
    return Recovery(_ends(chosen, topic), spots)


def unrecovered(ranges: Sequence[StrandedRange], recovery: Recovery) -> list[StrandedRange]:
    """The partitions whose records are not all in the recovery topic."""
    return [
        entry
        for entry in ranges
        if entry.spot not in recovery.spots or recovery.spots[entry.spot].next_offset < entry.end
    ]


def _ends(chosen: Settings, topic: str) -> dict[int, int]:
    numbers = partitions_of(chosen, topic)
    if not numbers:
        raise RescueIncomplete(f"there is no recovery topic {topic} on the active cluster: create it, and redrive")
    ends = log_ends(chosen, [(topic, number) for number in numbers])
    if ends.refused:
        raise KafkaUnauthorized(
            f"Kafka does not tell where the recovery topic ends: {next(iter(ends.refused.values()))}"
        )
    if ends.unknown:
        raise KafkaUnavailable(f"Kafka did not tell where the recovery topic ends: {next(iter(ends.unknown.values()))}")
    return {number: ends.by_partition[topic, number] for number in numbers}


def _look(chosen: Settings, execution: str, topic: str, positions: Mapping[int, int]) -> dict[Spot, int]:
    """The highest origin of this execution's records in the topic, by partition of the origin."""
    ends = _ends(chosen, topic)
    ranges = {(topic, number): (at, ends[number]) for number, at in positions.items() if at < ends.get(number, 0)}
    highest: dict[Spot, int] = {}
    deadline, silent = time.monotonic() + RECOVER_S, True
    with RangeReader(chosen) as reader:
        if ranges:
            reader.add(ranges)
        while reader.unread:
            for part in reader.read(0.2):
                silent = False
                for spot, offset in filter(None, (_origin(message, execution) for message in part.messages)):
                    highest[spot] = max(offset, highest.get(spot, offset))
            if time.monotonic() > deadline and silent:
                raise KafkaUnavailable(f"Kafka let nothing be read of the recovery topic {topic} in {RECOVER_S:g} s")
            if time.monotonic() > deadline:
                raise RescueIncomplete(f"the recovery topic {topic} can't be read to its end: look who writes to it")
    return highest


def _origin(message: Message, execution: str) -> tuple[Spot, int] | None:
    headers = dict(message.headers() or [])
    if headers.get(EXECUTION) != execution.encode():
        return None
    topic, partition, offset = (bytes(headers[name]).decode() for name in (TOPIC, PARTITION, OFFSET))  # type: ignore[arg-type]
    return (topic, int(partition)), int(offset)


def _row(execution: str, entry: StrandedRange, record: Record) -> Row:
    origin = {EXECUTION: execution, TOPIC: entry.topic, PARTITION: str(entry.partition), OFFSET: str(record.offset)}
    headers: list[tuple[str, str | bytes | None]] = [*record.headers, *origin.items()]
    return Row(key=record.key, value=record.value, headers=headers, timestamp=max(record.timestamp, 0))
