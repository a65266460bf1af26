"""Topics that exist in the API only: thousands of mirrors without thousands of topics on the wire. Pure.

Their offsets are made up: the source's high watermark grows by `records_per_s`, and the mirror trails it by `lag`.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import replace

from pydantic import BaseModel, ConfigDict, Field

from drill.confluent.local_cluster import Topic
from drill.confluent.mirrors import Link, Mirror, Partition


class RestOnly(BaseModel):
    """How many topics there are, and what they look like.

    `pattern` makes a name of the number `n`; `lag`: records that a partition trails its source by at most;
    `unknown`: how many of the topics were never fetched; `records_per_s`: what each partition's source takes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: int = Field(default=0, ge=0)
    pattern: str = "bulk-{n:05d}"
    partitions: int = Field(default=2, ge=1)
    lag: int = Field(default=0, ge=0)
    unknown: int = Field(default=0, ge=0)
    records_per_s: float = Field(default=0.0, ge=0)
    seed: int = 1

    def names(self) -> list[str]:
        return [self.pattern.format(n=number) for number in range(self.count)]


def mirrors(what: RestOnly, now: float) -> dict[str, Mirror]:
    """The mirror topics, all of them ACTIVE."""
    chance = random.Random(what.seed)
    return {
        name: Mirror(
            topic=name, partitions=_partitions(what, chance, fetched=number >= what.unknown), since=now, wired=False
        )
        for number, name in enumerate(what.names())
    }


def topics(what: RestOnly) -> list[Topic]:
    """The same topics at their source: a mirror that trails by its lag has that much to be told of."""
    return [
        Topic(
            name=topic,
            partitions=what.partitions,
            log_ends=tuple(p.source_high_watermark or 0 for p in mirror.partitions),
        )
        for topic, mirror in mirrors(what, 0.0).items()
    ]


def _partitions(what: RestOnly, chance: random.Random, fetched: bool) -> tuple[Partition, ...]:
    if not fetched:
        return (Partition(),) * what.partitions
    ends = [chance.randrange(1_000_000) for _ in range(what.partitions)]
    return tuple(Partition(end, end + chance.randint(0, what.lag), True) for end in ends)


def moved(link: Link, records: int) -> dict[str, tuple[Partition, ...]]:
    """The partitions after each source took so many records more and the link copied as many. One that is waited for
    catches up."""
    return {
        mirror.topic: tuple(_moved(partition, records, mirror.stopping is not None) for partition in mirror.partitions)
        for mirror in link.copied()
        if not mirror.wired and (records or mirror.stopping is not None)
    }


def _moved(partition: Partition, records: int, catches_up: bool) -> Partition:
    high = (partition.source_high_watermark or partition.log_end) + records
    log_end = high if catches_up else partition.log_end + records
    return Partition(log_end, high, partition.fetched or log_end > partition.log_end)


def trailing(link: Link, lag: int, topics: Iterable[str] | None = None) -> Link:
    """The link with these topics (None: all) trailing by so many records in each partition."""
    chosen: Mapping[str, Mirror] = link.mirrors
    if topics is not None:
        chosen = {topic: link.mirrors[topic] for topic in topics if topic in link.mirrors}
    return link.put(
        *(
            replace(m, partitions=tuple(Partition(p.log_end, p.log_end + lag, True) for p in m.partitions))
            for m in chosen.values()
            if not m.wired and not m.writable
        )
    )
