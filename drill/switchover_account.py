"""What a switchover did to the clients, record by record, from what they wrote down and what the clusters hold. Pure.

A record is lost if it was acknowledged and the cluster that is active now does not hold it: a switchover leaves none
behind. What a figure can't be told of is None, never 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from pydantic import BaseModel, ConfigDict

from drill.clients.read_log import ClusterLog
from drill.clients.record_log import ConsumerLog, Key, ProducerLog
from drill.record_accounting import out_of_order


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Gaps(_Part):
    """The longest time, in seconds, in which a client's work stood still."""

    gap_writers_s: float | None
    """Between two acknowledged records."""
    gap_readers_s: float | None
    """Between two received records."""


class ClientsAccount(_Part):
    """What a pair of clients, a writer and a reader, went through. Counts are records."""

    settings: str
    switchover: Gaps
    acknowledged: int
    failed: int
    """By the writer's client, with an error."""
    lost: int | None
    """Acknowledged, and not in the log of the active cluster."""
    out_of_order: int | None
    """In that log behind a record of the same partition that was sent later."""
    twice: int | None
    """In that log more than once."""
    read_again: int
    never_read: int | None


def clients_account(
    settings: str,
    written: ProducerLog,
    read: ConsumerLog,
    active: ClusterLog | None,
    *,
    since: float,
    topics: Sequence[str],
) -> ClientsAccount:
    """Match a pair's logs with the log of the cluster that is active in the end. `since`: when the switchover began."""
    acknowledged = {record.n for record in written.acknowledged}
    received = Counter(record.n for record in read.received)
    stored = None if active is None else [record for record in active.records if record.topic in topics]
    copies = None if stored is None else Counter(record.n for record in stored)
    return ClientsAccount(
        settings=settings,
        switchover=Gaps(
            gap_writers_s=longest_gap((record.at for record in written.acknowledged), since),
            gap_readers_s=longest_gap((record.at for record in read.received), since),
        ),
        acknowledged=len(acknowledged),
        failed=len(written.failed),
        lost=None if copies is None else len(acknowledged - copies.keys()),
        out_of_order=None
        if stored is None
        else _out_of_order(_by_partition(((record.topic, record.partition), record.n) for record in stored)),
        twice=None if copies is None else sum(count - 1 for count in copies.values()),
        read_again=sum(count - 1 for count in received.values()),
        never_read=None if copies is None else len(copies.keys() - received.keys()),
    )


def longest_gap(times: Iterable[float], since: float) -> float | None:
    """The longest time between two of these moments, the second of them at or after `since`; None without such two."""
    return max((after - before for before, after in pairwise(sorted(times)) if after >= since), default=None)


def _by_partition(records: Iterable[tuple[Key, int]]) -> Mapping[Key, list[int]]:
    """The numbers of a log's records, by partition, in the log's order."""
    numbers: dict[Key, list[int]] = {}
    for key, n in records:
        numbers.setdefault(key, []).append(n)
    return numbers


def _out_of_order(by_partition: Mapping[Key, Sequence[int]]) -> int:
    """Records whose first copy is behind one that was sent later."""
    return sum(out_of_order(list(dict.fromkeys(numbers))) for numbers in by_partition.values())
