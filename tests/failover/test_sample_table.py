"""Samples in the ledger: they come back as they were, and a busy plan's take few of its units."""

from __future__ import annotations

import random
from math import ceil
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failover.ledger.ledger import Ledger
from failover.loss.sample_table import TOPICS_A_ROW, from_rows, load_samples, save_samples, to_rows
from failover.loss.samples import PROOFS, Sample
from tests.claims import reaches
from tests.ledger_in_memory import DynamoDB

ITEM_AT_MOST = 400_000
WRITE_UNIT = 1024
OFFSETS = st.integers(0, 2**40)
SAMPLES = st.builds(
    Sample,
    at=st.integers(0, 2**41).map(lambda thousandths: thousandths / 1000),
    lag=OFFSETS,
    fetched_to=OFFSETS,
    rate=st.none() | st.integers(0, 999).map(float),
    proof=st.sampled_from(PROOFS),
    last_fetched_to=OFFSETS,
)


def busy(topics: int, partitions: int = 6) -> dict[str, dict[int, Sample]]:
    """Every partition takes records, each topic as many and as long as chance has it."""
    chance = random.Random(2611)
    samples: dict[str, dict[int, Sample]] = {}
    for number in range(topics):
        end, rate = 10 ** chance.uniform(3, 9), 10 ** chance.uniform(-1, 2.5)
        samples[f"orders.topic-{number:05}.v1"] = {
            partition: Sample(
                at=1_796_000_000.123,
                lag=int(chance.expovariate(1 / rate)),
                fetched_to=(fetched_to := int(end * chance.uniform(0.8, 1.2))),
                rate=rate * chance.uniform(0.8, 1.3),
                proof="the source answered",
                last_fetched_to=fetched_to,
            )
            for partition in range(partitions)
        }
    return samples


def test_samples_of_several_topics_and_partitions_come_back_as_they_were() -> None:
    first = Sample(at=1.25, lag=3, fetched_to=100, rate=None, proof=PROOFS[0], last_fetched_to=130)
    other = Sample(at=2.5, lag=0, fetched_to=7, rate=1.24, proof=PROOFS[2], last_fetched_to=7)
    samples = {"orders": {0: first, 1: other}, "payments": {5: other}}
    assert from_rows(to_rows(samples)) == samples


@pytest.mark.slow
@given(st.dictionaries(st.text(max_size=4), st.dictionaries(st.integers(0, 99), SAMPLES, min_size=1), max_size=4))
def test_samples_come_back_as_they_were(samples: dict[str, dict[int, Sample]]) -> None:
    assert from_rows(to_rows(samples)) == samples
    reaches(len(samples) > 1)


@given(st.floats(1e-6, 1e9))
def test_a_rate_is_rounded_up_and_by_no_more_than_a_hundredth(rate: float) -> None:
    sample = Sample(at=0.0, lag=0, fetched_to=0, rate=rate, proof=PROOFS[0], last_fetched_to=0)
    rounded = from_rows(to_rows({"orders": {0: sample}}))["orders"][0].rate
    reaches(rounded != rate)
    assert rounded is not None and rate * (1 - 1e-6) <= rounded <= rate * 1.0101


def test_600_busy_partitions_take_five_units_and_no_look_at_what_was_there(dynamodb: DynamoDB, book: Ledger) -> None:
    save_samples(book, "orders", "west", busy(100))
    assert [operation for operation, _ in dynamodb.requests] == ["PutItem"]
    assert [ceil(size / WRITE_UNIT) for size in sizes(book)] == [5]


def test_a_table_of_one_item_is_read_by_one_request(dynamodb: DynamoDB, book: Ledger) -> None:
    save_samples(book, "orders", "west", busy(1))
    dynamodb.requests.clear()
    samples = load_samples(book, "orders", "west")
    assert (len(samples), [operation for operation, _ in dynamodb.requests]) == (1, ["GetItem"])


@pytest.mark.slow
def test_those_of_20000_mirrors_are_read_as_they_were_kept_and_fit_in_their_items(book: Ledger) -> None:
    samples = busy(20 * TOPICS_A_ROW, 1)
    save_samples(book, "orders", "west", samples)
    assert load_samples(book, "orders", "west").keys() == samples.keys()
    assert len(sizes(book)) == 20 and max(sizes(book)) < ITEM_AT_MOST


def sizes(book: Ledger) -> list[int]:
    """Of the items of the table: names and values in bytes."""
    items = book.list_items("orders", "plan-table#samples-west")
    return [sum(map(_size, item.items())) for item in items]


def _size(attribute: tuple[str, Any]) -> int:
    name, value = attribute
    return len(name) + len(value if isinstance(value, bytes) else str(value))
