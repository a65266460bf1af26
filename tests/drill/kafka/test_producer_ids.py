"""Two clusters of the drill hand out the same producer ids, and a newcomer that has the one of a producer which moved
over is refused where that one writes."""

from __future__ import annotations

from typing import Any

import pytest
from kio.index import load_request_schema
from kio.schema.errors import ErrorCode

from drill.kafka.cluster import Guard
from drill.kafka.codec import read_request
from drill.kafka.connection import Answered, Forward
from drill.kafka.messages import INIT_PRODUCER_ID, PRODUCE
from drill.kafka.refusal import _filled, _item
from tests.kafka_requests import VERSIONS, request, response_of

TAKEN = "taken"
MANY = 2**31 - 1


def batch(producer: int, first: int, count: int = 1, epoch: int = 0) -> bytes:
    """The part of a batch of records that tells whose it is."""
    head = bytes(8) + (49).to_bytes(4, "big") + bytes(4) + b"\2" + bytes(26)
    of_whom = producer.to_bytes(8, "big", signed=True) + epoch.to_bytes(2, "big")
    return head + of_whom + first.to_bytes(4, "big", signed=True) + count.to_bytes(4, "big")


def write(guard: Guard, records: bytes, *, topic: str = "orders", partition: int = 0) -> str:
    topic_schema = _item(load_request_schema(PRODUCE, VERSIONS[PRODUCE]), "topic_data")
    partition_schema = _item(topic_schema, "partition_data")
    rows = (_filled(partition_schema, ErrorCode.none, index=partition, records=records),)
    data = (_filled(topic_schema, ErrorCode.none, name=topic, partition_data=rows),)
    verdict = guard.request(PRODUCE, VERSIONS[PRODUCE], request(PRODUCE, acks=-1, topic_data=data))
    if verdict is None:
        return TAKEN
    assert isinstance(verdict, Answered)
    (answered,) = (row for t in response_of(PRODUCE, verdict.frame).responses for row in t.partition_responses)
    return str(answered.error_code.name)


def new_id(guard: Guard) -> int:
    verdict = guard.request(INIT_PRODUCER_ID, VERSIONS[INIT_PRODUCER_ID], request(INIT_PRODUCER_ID))
    assert isinstance(verdict, Answered)
    answer = response_of(INIT_PRODUCER_ID, verdict.frame)
    assert (answer.error_code, answer.producer_epoch) == (ErrorCode.none, 0)
    return int(answer.producer_id)


def test_every_cluster_counts_its_ids_from_the_same_one_and_hands_out_none_twice() -> None:
    east, west = Guard(), Guard()
    of_east = [new_id(east) for _ in range(3)]
    assert of_east == [new_id(west) for _ in range(3)]
    assert len(set(of_east)) == 3
    east.forget_clients()
    assert new_id(east) not in of_east


def test_the_id_of_a_transactional_producer_is_its_coordinators_who_knows_no_id_from_elsewhere() -> None:
    guard, version = Guard(), VERSIONS[INIT_PRODUCER_ID]
    frame = request(INIT_PRODUCER_ID, transactional_id="payments", producer_id=7, producer_epoch=3)
    sent_on = guard.request(INIT_PRODUCER_ID, version, frame)
    assert isinstance(sent_on, Forward)
    asked = read_request(INIT_PRODUCER_ID, version, sent_on.frame)
    assert (asked.transactional_id, asked.producer_id, asked.producer_epoch) == ("payments", -1, -1)
    assert guard.request(INIT_PRODUCER_ID, version, frame) is None, "it is known here by now"
    guard.forget_clients()
    assert guard.request(INIT_PRODUCER_ID, version, frame) == sent_on


def test_a_producer_that_moved_over_goes_on_and_a_newcomer_with_its_id_is_out_of_order() -> None:
    guard = Guard()
    assert write(guard, batch(0, 500, 10)) == TAKEN
    assert write(guard, batch(0, 510, 5)) == TAKEN
    assert write(guard, batch(0, 0)) == "out_of_order_sequence_number"
    assert write(guard, batch(0, 515)) == TAKEN, "nothing that was refused is known"


@pytest.mark.parametrize("elsewhere", [{"topic": "payments"}, {"partition": 1}])
def test_a_newcomer_is_out_of_order_only_where_the_other_writes(elsewhere: dict[str, Any]) -> None:
    guard = Guard()
    assert write(guard, batch(0, 500, 10)) == TAKEN
    assert write(guard, batch(0, 0), **elsewhere) == TAKEN
    assert write(guard, batch(1, 0)) == TAKEN, "it has another id"


def test_a_batch_that_is_sent_again_is_as_it_was_and_a_gap_is_none() -> None:
    guard = Guard()
    assert [write(guard, batch(0, first, 2)) for first in (0, 2, 0, 2, 4)] == [TAKEN] * 5
    assert write(guard, batch(0, 8)) == "out_of_order_sequence_number"


def test_a_new_epoch_begins_anew_and_sequences_begin_again_after_the_last() -> None:
    guard = Guard()
    assert write(guard, batch(0, MANY - 1, 2)) == TAKEN
    assert write(guard, batch(0, 0)) == TAKEN
    assert write(guard, batch(0, 5, epoch=1)) == "out_of_order_sequence_number"
    assert write(guard, batch(0, 0, epoch=1)) == TAKEN


def test_who_writes_without_an_id_is_never_out_of_order() -> None:
    guard = Guard()
    assert [write(guard, batch(-1, -1, 3)) for _ in range(2)] == [TAKEN] * 2


def test_of_several_batches_each_is_looked_at() -> None:
    guard = Guard()
    assert write(guard, batch(0, 500) + batch(1, 700)) == TAKEN
    assert write(guard, batch(0, 501) + batch(1, 0)) == "out_of_order_sequence_number"
    assert write(guard, batch(0, 501) + batch(1, 701)) == TAKEN


def test_a_new_partition_knows_nobody() -> None:
    guard = Guard()
    assert write(guard, batch(0, 500)) == TAKEN
    guard.forget_clients()
    assert write(guard, batch(0, 0)) == TAKEN
