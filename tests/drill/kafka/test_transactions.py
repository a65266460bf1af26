"""A cluster of the drill answers transactional producers that it does not know as a broker does."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from kio.index import load_response_schema
from kio.schema.errors import ErrorCode
from kio.serial import entity_reader

from drill.kafka.cluster import Guard
from drill.kafka.codec import written
from drill.kafka.messages import ADD_OFFSETS_TO_TXN, ADD_PARTITIONS_TO_TXN, END_TXN, framed
from drill.kafka.refusal import _filled, _item


def answer(api_key: int, error: ErrorCode, version: int = 1) -> bytes:
    """A mock's answer with this error wherever it has one."""
    schema = load_response_schema(api_key, version)
    fields: dict[str, Any] = {}
    if api_key == ADD_PARTITIONS_TO_TXN:
        topic = _item(schema, "results_by_topic_v3_and_below")
        partition = _item(topic, "results_by_partition")
        results = tuple(_filled(partition, error, partition_index=n) for n in range(2))
        fields["results_by_topic_v3_and_below"] = (_filled(topic, error, name="orders", results_by_partition=results),)
    return framed(struct.pack(">i", 7) + written(schema, _filled(schema, error, **fields)))


def errors(api_key: int, frame: bytes, version: int = 1) -> set[str]:
    message: Any = entity_reader(load_response_schema(api_key, version))(memoryview(frame), 8)[0]
    if api_key != ADD_PARTITIONS_TO_TXN:
        return {message.error_code.name}
    topics = message.results_by_topic_v3_and_below
    return {row.partition_error_code.name for topic in topics for row in topic.results_by_partition}


@pytest.mark.parametrize("api_key", [ADD_PARTITIONS_TO_TXN, ADD_OFFSETS_TO_TXN, END_TXN])
def test_a_producer_of_another_cluster_is_told_that_its_id_is_not_mapped_here(api_key: int) -> None:
    guard = Guard()
    assert api_key in guard.sees
    told = bytes(guard.response(api_key, 1, answer(api_key, ErrorCode.unknown_producer_id)))
    assert errors(api_key, told) == {"invalid_producer_id_mapping"}
    assert told[4:8] == struct.pack(">i", 7), "of the same request"
    assert len(told) == 4 + int.from_bytes(told[:4], "big")


@pytest.mark.parametrize("error", [ErrorCode.none, ErrorCode.concurrent_transactions, ErrorCode.not_coordinator])
def test_every_other_answer_to_a_transaction_is_the_mocks(error: ErrorCode) -> None:
    frame = answer(END_TXN, error)
    assert Guard().response(END_TXN, 1, frame) is frame
