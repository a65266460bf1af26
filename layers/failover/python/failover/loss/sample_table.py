"""Samples in the ledger: a table for each site that mirrors, by columns, as samples are alike in time, proof and rate:
with every partition busy, 600 take 5 KB of the ledger, and by rows 8 KB.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from math import ceil, floor, log10
from typing import Any, Final

from failover.ledger.ledger import Ledger
from failover.ledger.topic_tables import load_plan_table, save_plan_table
from failover.loss.samples import PROOFS, Sample, Samples

TOPICS_A_ROW: Final = 1000
RATE_DIGITS: Final = 3
NOISE_DIGITS: Final = 6
"""Behind its point a float that should be whole has others than 0 only further on."""


def load_samples(book: Ledger, plan: str, site: str) -> dict[str, dict[int, Sample]]:
    """Of the mirrors on that site; empty if none was kept.

    Raises:
        LedgerUnavailable
    """
    return from_rows(load_plan_table(book, plan, table_of(site)))


def save_samples(book: Ledger, plan: str, site: str, samples: Samples) -> None:
    """Keep the samples of the mirrors on that site, in place of those before; the last writer wins.

    Raises:
        LedgerUnavailable
    """
    save_plan_table(book, plan, table_of(site), to_rows(samples), rows_an_item=1)


def table_of(site: str) -> str:
    """The name of the table."""
    return f"samples-{site}"


def to_rows(samples: Samples) -> dict[str, dict[str, Any]]:
    """The form samples have in the ledger: a row for so many topics, each with a column for all their partitions."""
    rest, rows = iter(samples.items()), dict[str, dict[str, Any]]()
    while topics := dict(islice(rest, TOPICS_A_ROW)):
        values = [_values(*spot) for of_topic in topics.values() for spot in sorted(of_topic.items())]
        columns = [list(column) for column in zip(*values, strict=True)]
        rows[str(len(rows))] = {"topics": {topic: len(topics[topic]) for topic in topics}, "columns": columns}
    return rows


def from_rows(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[int, Sample]]:
    """Samples as the ledger kept them."""
    samples: dict[str, dict[int, Sample]] = {}
    for row in rows.values():
        of_row = zip(*row["columns"], strict=True)
        for topic, partitions in row["topics"].items():
            samples[topic] = dict(map(_partition, islice(of_row, partitions)))
    return samples


def _values(partition: int, sample: Sample) -> tuple[Any, ...]:
    """The last is by how far its end of the log has moved since the sample was fresh."""
    return (
        partition,
        round(sample.at, 3),
        sample.lag,
        sample.fetched_to,
        _rounded_up(sample.rate),
        PROOFS.index(sample.proof),
        sample.last_fetched_to - sample.fetched_to,
    )


def _partition(values: tuple[Any, ...]) -> tuple[int, Sample]:
    partition, at, lag, fetched_to, rate, proof, moved = values
    sample = Sample(
        at=at, lag=lag, fetched_to=fetched_to, rate=rate, proof=PROOFS[proof], last_fetched_to=fetched_to + moved
    )
    return int(partition), sample


def _rounded_up(rate: float | None) -> float | None:
    """To so many digits; up, so that what came in is never more than what a loss is estimated from."""
    if not rate:
        return rate
    digits = RATE_DIGITS - 1 - floor(log10(rate))
    return round(ceil(round(rate * 10.0**digits, NOISE_DIGITS)) / 10.0**digits, digits)
