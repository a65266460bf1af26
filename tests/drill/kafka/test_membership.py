"""Whose requests a cluster of the drill takes for a group: those of its members, and of an admin client. What a real
broker answers is in tests/real_kafka."""

from __future__ import annotations

from typing import Any

import pytest

from drill.kafka.cluster import Guard
from drill.kafka.connection import Answered
from drill.kafka.messages import CONSUMER_GROUP_HEARTBEAT, HEARTBEAT, OFFSET_COMMIT, SYNC_GROUP
from tests.kafka_requests import VERSIONS, commit_request, error_of, request

TAKEN = "taken"


def answered(guard: Guard, api_key: int, frame: bytes) -> str:
    verdict = guard.request(api_key, VERSIONS[api_key], frame)
    if verdict is None:
        return TAKEN
    assert isinstance(verdict, Answered)
    return error_of(api_key, verdict.frame)


def ask(guard: Guard, api_key: int, **fields: Any) -> str:
    return answered(guard, api_key, request(api_key, group_id="fulfilment", **fields))


def commit(guard: Guard, generation: int, member: str) -> str:
    return answered(guard, OFFSET_COMMIT, commit_request("fulfilment", generation, member))


@pytest.mark.parametrize("member", ["", "a-member-of-the-lost-cluster"])
def test_a_commit_that_outlived_its_session_is_refused_as_a_broker_refuses_it(member: str) -> None:
    """librdkafka forgets its member id with the session, and not its generation; it sends the commit to whatever
    coordinator it finds next. Taken, it would undo what was clamped."""
    assert commit(Guard(), 3, member) == "unknown_member_id"


def test_a_commit_from_outside_the_group_is_taken() -> None:
    assert commit(Guard(), -1, "") == TAKEN


def test_a_member_that_joined_here_commits_and_is_heard() -> None:
    guard = Guard()
    assert ask(guard, HEARTBEAT, generation_id=3, member_id="m") == "unknown_member_id"
    assert ask(guard, SYNC_GROUP, generation_id=1, member_id="m") == TAKEN
    assert ask(guard, HEARTBEAT, generation_id=1, member_id="m") == TAKEN
    assert commit(guard, 1, "m") == TAKEN


def test_a_member_of_the_newer_protocol_ends_unless_its_group_was_made_here() -> None:
    guard = Guard()
    of_the_lost_site = {"member_id": "m", "member_epoch": 7}
    assert commit(guard, -1, "") == TAKEN, "synced offsets make no group of this protocol"
    assert ask(guard, CONSUMER_GROUP_HEARTBEAT, **of_the_lost_site) == "group_id_not_found"
    assert ask(guard, CONSUMER_GROUP_HEARTBEAT, member_id="the controller's", member_epoch=0) == TAKEN
    assert ask(guard, CONSUMER_GROUP_HEARTBEAT, **of_the_lost_site) == "unknown_member_id"
