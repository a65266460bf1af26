"""What a group has committed is told over REST where the cluster tells it there, else over Kafka; nothing is no offset,
and an offset of 0 is one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from failover.errors import (
    FailoverError,
    KafkaUnauthorized,
    KafkaUnavailable,
    LinkRejected,
    LinkUnavailable,
    ServiceUnavailable,
)
from failover.execution.committed_offsets import commit_offsets, committed_offsets
from failover.kafka.offsets import Commit, Offsets, Spot
from failover.link import GroupOffset
from failover.plan.model import Plan, parse

SPOT: Spot = ("orders", 0)
OVER_KAFKA = Offsets({SPOT: 9})


@pytest.fixture
def plan(plan_text: str) -> Plan:
    return parse(plan_text)


@pytest.fixture
def rest(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Sets what the cluster tells over REST; over Kafka it tells the same for good."""
    monkeypatch.setattr("failover.execution.committed_offsets.as_controller", lambda *_: OVER_KAFKA)

    def tell(answer: Any) -> None:
        class Cluster:
            def group_offsets(self, _: str) -> Any:
                if isinstance(answer, Exception):
                    raise answer
                return answer

        monkeypatch.setattr("failover.execution.committed_offsets.cluster_at", lambda *_: Cluster())

    return tell


def row(partition: int, committed: int) -> GroupOffset:
    return GroupOffset(topic="orders", partition=partition, committed=committed, log_end=100)


def test_a_sentinel_is_no_offset_and_the_first_one_is(plan: Plan, rest: Callable[[Any], None]) -> None:
    rest([row(0, 0), row(1, -1), row(2, 7)])
    assert committed_offsets(plan, "east", "fulfilment", [SPOT]) == Offsets({("orders", 0): 0, ("orders", 2): 7})
    rest([])
    assert committed_offsets(plan, "east", "fulfilment", [SPOT]) == Offsets()


@pytest.mark.parametrize("answer", [None, LinkUnavailable("503"), LinkRejected("403", code=403)])
def test_a_cluster_that_does_not_tell_over_rest_is_asked_over_kafka(
    plan: Plan, rest: Callable[[Any], None], answer: Any
) -> None:
    rest(answer)
    assert committed_offsets(plan, "east", "fulfilment", [SPOT]) == OVER_KAFKA


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (KafkaUnauthorized("not yours"), Commit(refused="group fulfilment: not yours")),
        (KafkaUnavailable("gone"), Commit(retry="group fulfilment: gone")),
        (ServiceUnavailable("no secret now"), Commit(retry="group fulfilment: no secret now")),
    ],
)
def test_only_what_is_refused_is_not_asked_for_again(
    plan: Plan, monkeypatch: pytest.MonkeyPatch, error: FailoverError, answer: Commit
) -> None:
    def fail(*_: Any) -> Commit:
        raise error

    monkeypatch.setattr("failover.execution.committed_offsets.as_controller", fail)
    assert commit_offsets(plan, "west", "fulfilment", {SPOT: 5}) == answer
