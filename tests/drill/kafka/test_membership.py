"""Whose requests a cluster of the drill takes for a group: those of its members, and of an admin client."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from kio.index import load_request_schema, load_response_schema
from kio.schema.errors import ErrorCode
from kio.serial import entity_reader

from drill.kafka.cluster import Guard
from drill.kafka.codec import written
from drill.kafka.connection import Answered
from drill.kafka.messages import HEARTBEAT, OFFSET_COMMIT, SYNC_GROUP, framed
from drill.kafka.refusal import _filled, _item

VERSIONS = {OFFSET_COMMIT: 7, HEARTBEAT: 3, SYNC_GROUP: 3}


def ask(guard: Guard, api_key: int, **fields: Any) -> list[ErrorCode]:
    """The errors that the guard answers a request of group fulfilment with; none: the cluster sees it."""
    version = VERSIONS[api_key]
    message = _filled(load_request_schema(api_key, version), ErrorCode.none, group_id="fulfilment", **fields)
    frame = framed(struct.pack(">hhih", api_key, version, 1, -1) + written(type(message), message))
    answer = guard.request(api_key, version, frame)
    if answer is None:
        return []
    assert isinstance(answer, Answered)
    response: Any = entity_reader(load_response_schema(api_key, version))(memoryview(answer.frame), 8)[0]
    if api_key != OFFSET_COMMIT:
        return [response.error_code]
    return [partition.error_code for topic in response.topics for partition in topic.partitions]


def commit(guard: Guard, generation: int, member: str) -> list[ErrorCode]:
    topic_schema = _item(load_request_schema(OFFSET_COMMIT, VERSIONS[OFFSET_COMMIT]), "topics")
    partition = _filled(_item(topic_schema, "partitions"), ErrorCode.none, partition_index=0, committed_offset=500)
    topic = _filled(topic_schema, ErrorCode.none, name="orders", partitions=(partition,))
    return ask(guard, OFFSET_COMMIT, generation_id_or_member_epoch=generation, member_id=member, topics=(topic,))


@pytest.mark.parametrize("member", ["", "a-member-of-the-lost-cluster"])
def test_a_commit_that_outlived_its_session_is_refused_as_a_broker_refuses_it(member: str) -> None:
    """librdkafka forgets its member id with the session, and not its generation; it sends the commit to whatever
    coordinator it finds next. Taken, it would undo what was clamped."""
    assert commit(Guard(), 3, member) == [ErrorCode.unknown_member_id]


def test_a_commit_from_outside_the_group_is_taken() -> None:
    assert commit(Guard(), -1, "") == []


def test_a_member_that_joined_here_commits_and_is_heard() -> None:
    guard = Guard()
    assert ask(guard, HEARTBEAT, generation_id=3, member_id="m") == [ErrorCode.unknown_member_id]
    assert ask(guard, SYNC_GROUP, generation_id=1, member_id="m") == []
    assert ask(guard, HEARTBEAT, generation_id=1, member_id="m") == []
    assert commit(guard, 1, "m") == []
