"""What clients will meet on the standby is looked at before they come: leader epochs, and groups that can't be made."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AclOperation  # type: ignore[attr-defined]

from failover.errors import KafkaUnavailable
from failover.kafka.client import settings
from failover.kafka.groups import unreadable_groups
from failover.kafka.offsets import leader_epochs
from failover.readiness.leader_epochs import compared

ORDERS, PAYMENTS = ("orders", 0), ("payments", 3)
CHOSEN = settings("kafka:9092", "PLAINTEXT", None)


def ended(value: Any) -> Future[Any]:
    future: Future[Any] = Future()
    if isinstance(value, KafkaError):
        future.set_exception(KafkaException(value))
    else:
        future.set_result(value)
    return future


class Cluster:
    """Answers with what it is made with."""

    def __init__(self, epochs: list[Any] | None = None, operations: dict[str, Any] | None = None) -> None:
        self._epochs, self._operations = epochs or [], operations or {}

    def list_offsets(self, asked: Any, **_: Any) -> dict[Any, Future[Any]]:
        return dict(zip(asked, map(ended, self._epochs), strict=True))

    def describe_consumer_groups(self, groups: list[str], **_: Any) -> dict[str, Future[Any]]:
        return {group: ended(self._operations[group]) for group in groups}

    def poll(self, *_: Any) -> None:
        """Nothing is wrong with the connections."""


def epoch(value: int | None) -> Any:
    return SimpleNamespace(offset=7, leader_epoch=value)


def allowed(*operations: AclOperation) -> Any:
    return SimpleNamespace(authorized_operations=list(operations) or None)


def test_lower_epochs_are_named_with_whom_they_stop() -> None:
    finding = compared({ORDERS: 2, PAYMENTS: 0}, {ORDERS: 2, PAYMENTS: 4})
    assert finding.status == "warn" and "1 of 2" in finding.fact and "payments[3] 0 < 4" in finding.fact
    assert "librdkafka 2.3 to 2.11" in finding.remedy


def test_epochs_that_are_not_lower_pass_and_such_as_nobody_tells_do_not() -> None:
    assert compared({ORDERS: 5, PAYMENTS: 4}, {ORDERS: 2, PAYMENTS: 4}).status == "pass"
    for standby, active in (({}, {ORDERS: 1}), ({ORDERS: 1}, {}), ({ORDERS: 1}, {PAYMENTS: 1})):
        assert compared(standby, active).status == "warn"


def test_an_epoch_that_is_not_told_is_none_and_not_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("failover.kafka.client.AdminClient", lambda _: Cluster([epoch(None), epoch(3)]))
    assert leader_epochs(CHOSEN, [ORDERS, PAYMENTS]) == {PAYMENTS: 3}
    refused = KafkaError(KafkaError.LEADER_NOT_AVAILABLE)
    monkeypatch.setattr("failover.kafka.client.AdminClient", lambda _: Cluster([refused, epoch(3)]))
    assert leader_epochs(CHOSEN, [ORDERS, PAYMENTS]) == {PAYMENTS: 3}
    monkeypatch.setattr("failover.kafka.client.AdminClient", lambda _: Cluster([refused]))
    with pytest.raises(KafkaUnavailable):
        leader_epochs(CHOSEN, [ORDERS])


def test_groups_that_may_not_be_read_are_named_and_those_that_are_not_told_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    described = {
        "billing": allowed(AclOperation.READ, AclOperation.DESCRIBE),
        "described": allowed(AclOperation.DESCRIBE),
        "hidden": KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED),
        "nobodys": allowed(),
        "elsewhere": KafkaError(KafkaError.NOT_COORDINATOR),
    }
    monkeypatch.setattr("failover.kafka.client.AdminClient", lambda _: Cluster(operations=described))
    assert unreadable_groups(CHOSEN, list(described)) == ["described", "hidden"]
    assert unreadable_groups(CHOSEN, []) == []
    with pytest.raises(KafkaUnavailable):
        unreadable_groups(CHOSEN, ["elsewhere"])
