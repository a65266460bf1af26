"""What one cycle of the link copies."""

from __future__ import annotations

import time
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any, cast

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from hypothesis import given
from hypothesis import strategies as st

from drill.confluent.replication import Plan, Range, Spot, end_offsets, plan_cycle
from tests.claims import reaches

ORDERS = Spot("orders", 0)
offsets = st.integers(0, 50)


def test_a_cycle_copies_up_to_what_the_cycle_before_saw() -> None:
    plan = plan_cycle({ORDERS: 10}, {ORDERS: 15}, {ORDERS: 4}, {ORDERS})
    assert plan == Plan({ORDERS: Range(4, 10)}, {})


def test_the_first_look_copies_nothing() -> None:
    assert plan_cycle({}, {ORDERS: 15}, {ORDERS: 0}, {ORDERS}) == Plan({}, {})


def test_what_is_not_wanted_is_not_copied() -> None:
    assert plan_cycle({ORDERS: 10}, {ORDERS: 10}, {ORDERS: 0}, set()) == Plan({}, {})


def test_a_mirror_whose_log_end_is_unknown_is_not_copied() -> None:
    assert plan_cycle({ORDERS: 10}, {ORDERS: 10}, {}, {ORDERS}) == Plan({}, {})


def test_a_source_that_is_behind_its_mirror_was_truncated() -> None:
    other = Spot("orders", 1)
    plan = plan_cycle({other: 9}, {ORDERS: 3, other: 9}, {ORDERS: 4, other: 0}, {ORDERS, other})
    assert plan == Plan({}, {"orders": "UNEXPECTED_TRUNCATION"})


@given(offsets, offsets, offsets)
def test_never_beyond_what_was_agreed_and_never_a_gap(agreed: int, seen: int, log_end: int) -> None:
    plan = plan_cycle({ORDERS: agreed}, {ORDERS: seen}, {ORDERS: log_end}, {ORDERS})
    reaches(plan.ranges, floor=0.05)
    for span in plan.ranges.values():
        assert span.start == log_end < span.end == agreed
        assert seen >= log_end


class Admin:
    """Answers as librdkafka does: an offset, an error, an invalid offset without an error, or nothing."""

    def list_offsets(self, asked: dict[TopicPartition, object], request_timeout: float) -> dict[TopicPartition, Any]:
        outcomes: dict[int, Any] = {0: 7, 1: -1001, 2: KafkaException("no"), 3: None}
        answers: dict[TopicPartition, Any] = {}
        for row in asked:
            answers[row] = Future()
            outcome = outcomes[row.partition]
            if isinstance(outcome, Exception):
                answers[row].set_exception(outcome)
            elif outcome is not None:
                answers[row].set_result(SimpleNamespace(offset=outcome))
        return answers


def test_only_partitions_that_really_answered_have_an_end() -> None:
    spots = [Spot("orders", partition) for partition in range(4)]
    assert end_offsets(cast("AdminClient", Admin()), spots, 0.1, lambda: False) == {ORDERS: 7}


def test_looking_is_broken_off_when_something_is_urgent() -> None:
    begun = time.monotonic()
    end_offsets(cast("AdminClient", Admin()), [Spot("orders", 3)], 30.0, lambda: True)
    assert time.monotonic() - begun < 10
