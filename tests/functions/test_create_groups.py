"""Groups of the new protocol are made on the standby before their members come, and what can't be made is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from confluent_kafka import (
    Consumer,
    ConsumerGroupState,
    ConsumerGroupType,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AclOperation  # type: ignore[attr-defined]

from failover.errors import KafkaUnauthorized, KafkaUnavailable
from failover.execution.group_protocols import load_group_protocols, save_group_protocols
from failover.kafka.client import settings
from failover.kafka.groups import GroupStates, create_group, group_protocols, group_states
from failover.ledger.ledger import Ledger
from failover.plan.model import parse
from failover.readiness.group_protocols import protocols
from failover.readiness.snapshot import PlanSnapshot

GROUPS = ["fulfilment", "billing", "archive"]
NOBODY = "127.0.0.1:9"
Call = Callable[[str, dict[str, Any]], dict[str, Any]]


@pytest.fixture(scope="module")
def bootstrap() -> Iterator[str]:
    """librdkafka's mock cluster; it lets strangers join by either protocol, which Apache Kafka does not."""
    mock = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "x", "log_level": 0})
    (broker,) = mock.list_topics(timeout=10).brokers.values()
    for topic in ("orders", "failover-canary"):
        mock.produce(topic, b"so that there is such a topic")
    assert mock.flush(10) == 0
    yield f"{broker.host}:{broker.port}"


@pytest.fixture
def plan(plan_text: str, bootstrap: str) -> dict[str, Any]:
    """The example plan with three groups, its standby on the mock cluster."""
    document = dict(yaml.safe_load(plan_text))
    document["protect"]["groups"] = GROUPS
    for site, address in (("east", NOBODY), ("west", bootstrap)):
        kafka = document["sites"][site]["kafka"]
        kafka |= {"bootstrap": address, "security_protocol": "PLAINTEXT"}
        kafka.pop("credentials", None)
    return document


@pytest.fixture
def step(deployed: Any, replan: Callable[[str], None], plan: dict[str, Any], call: Call) -> Callable[..., Any]:
    """Calls create_groups, and gives its report."""
    replan(yaml.safe_dump(plan))
    started = {"start": {"plan": "orders", "to": "west"}, "execution_name": "orders-1-failover"}
    execution = call("claim", started)["execution"]

    def run(**more: Any) -> dict[str, Any]:
        return call("create_groups", {"execution": execution | more})

    return run


def book(deployed: Any) -> Ledger:
    return Ledger(deployed("dynamodb"), "ledger")


def test_a_group_is_made_and_keeps_the_offsets_it_had(bootstrap: str) -> None:
    before = TopicPartition("orders", 1, 7)
    member = Consumer({"bootstrap.servers": bootstrap, "group.id": "fulfilment", "log_level": 0})
    member.commit(offsets=[before], asynchronous=False)
    create_group(settings(bootstrap, "PLAINTEXT", None), "fulfilment", "failover-canary")
    (after,) = member.committed([TopicPartition("orders", 1)], timeout=5)
    assert after.offset == before.offset
    member.close()


def test_only_groups_of_the_new_protocol_are_made_and_those_unknown_are_named(step: Any, deployed: Any) -> None:
    save_group_protocols(book(deployed), "orders", {"fulfilment": "consumer", "billing": "classic"})
    report = step()
    assert (report["status"], report["observed"]["created"]) == ("done", ["fulfilment"])
    assert report["observed"]["protocol_unknown"] == ["archive"]
    assert step()["status"] == "done"


def test_a_dry_run_makes_none(step: Any, deployed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    save_group_protocols(book(deployed), "orders", dict.fromkeys(GROUPS, "consumer"))
    monkeypatch.setattr("failover.kafka.groups.create_group", lambda *_: pytest.fail("made"))
    assert step(dry_run=True)["observed"]["would_create"] == GROUPS


@pytest.mark.parametrize(
    ("error", "status"),
    [(KafkaUnavailable("no coordinator yet"), "waiting"), (KafkaUnauthorized("needs an ACL"), "done")],
)
def test_a_group_that_cannot_be_made_is_named_and_tried_again_if_that_may_help(
    step: Any, deployed: Any, monkeypatch: pytest.MonkeyPatch, error: Exception, status: str
) -> None:
    save_group_protocols(book(deployed), "orders", {"fulfilment": "consumer", "billing": "consumer"})

    def make(_: Any, group: str, topic: str) -> None:
        if group == "billing":
            raise error

    monkeypatch.setattr("failover.kafka.groups.create_group", make)
    report = step()
    assert (report["status"], report["observed"]["created"]) == (status, ["fulfilment"])
    assert report["observed"]["failed"] == [f"group billing: {error}"]


def test_a_cluster_that_answers_nobody_is_told_in_time() -> None:
    with pytest.raises(KafkaUnavailable, match="fulfilment"):
        create_group(settings(NOBODY, "PLAINTEXT", None), "fulfilment", "orders", timeout=0.2)


class Admin:
    """An admin client of a cluster that tells of groups, or of why not."""

    def __init__(self, types: dict[str, ConsumerGroupType], *errors: int) -> None:
        self.types, self.errors = types, errors

    def list_consumer_groups(self, **_: Any) -> Future[Any]:
        listed: Future[Any] = Future()
        valid = [SimpleNamespace(group_id=group, type=kind) for group, kind in self.types.items()]
        listed.set_result(SimpleNamespace(valid=valid, errors=[KafkaError(error) for error in self.errors]))
        return listed

    def describe_consumer_groups(self, groups: list[str], **_: Any) -> dict[str, Future[Any]]:
        described: Future[Any] = Future()
        described.set_result(SimpleNamespace(authorized_operations=[AclOperation.READ]))
        return dict.fromkeys(groups, described)

    def poll(self, *_: Any) -> None:
        """Nothing was reported aside."""


@pytest.fixture
def findings(deployed: Any, plan: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Callable[[Admin], list[str]]:
    """What readiness finds at an active cluster with such an admin client, by status."""

    def look(admin: Admin) -> list[str]:
        monkeypatch.setattr("failover.kafka.client.AdminClient", lambda *_: admin)
        snapshot = PlanSnapshot(parse(yaml.safe_dump(plan)), book(deployed), 1000.0)
        return [finding.status for finding in protocols(snapshot)]

    return look


def test_readiness_keeps_the_protocols_for_when_nobody_can_tell_them(findings: Any, deployed: Any) -> None:
    new, classic = ConsumerGroupType.CONSUMER, ConsumerGroupType.CLASSIC
    assert findings(Admin({"fulfilment": new, "billing": classic})) == ["pass", "pass", "unknown"]
    kept = {"fulfilment": "consumer", "billing": "classic"}
    assert load_group_protocols(book(deployed), "orders") == kept
    assert findings(Admin({"fulfilment": new}, KafkaError.COORDINATOR_NOT_AVAILABLE)) == ["unknown"]
    assert findings(Admin({})) == ["pass", "pass", "unknown"]
    assert load_group_protocols(book(deployed), "orders") == kept


def test_a_cluster_older_than_the_new_protocol_has_classic_groups_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    old = Admin({}, KafkaError._UNSUPPORTED_FEATURE)
    monkeypatch.setattr("failover.kafka.client.AdminClient", lambda *_: old)
    told = group_protocols(settings(NOBODY, "PLAINTEXT", None), GROUPS)
    assert told == dict.fromkeys(GROUPS, "classic")


@pytest.mark.parametrize(
    ("described", "told"),
    [
        (ConsumerGroupState.EMPTY, GroupStates({"fulfilment": "EMPTY"}, {})),
        (ConsumerGroupState.STABLE, GroupStates({"fulfilment": "STABLE"}, {})),
        (ConsumerGroupState.DEAD, GroupStates({}, {"fulfilment": "its coordinator says DEAD"})),
        (ConsumerGroupState.UNKNOWN, GroupStates({}, {"fulfilment": "its coordinator says UNKNOWN"})),
    ],
)
def test_a_group_whose_coordinator_does_not_know_it_is_not_said_to_be_idle(
    monkeypatch: pytest.MonkeyPatch, described: ConsumerGroupState, told: GroupStates
) -> None:
    answer: Future[Any] = Future()
    answer.set_result(SimpleNamespace(state=described))
    admin = SimpleNamespace(
        describe_consumer_groups=lambda groups, **_: dict.fromkeys(groups, answer), poll=lambda *_: None
    )
    monkeypatch.setattr("failover.kafka.client.AdminClient", lambda *_: admin)
    assert group_states(settings(NOBODY, "PLAINTEXT", None), ["fulfilment"]) == told


def test_why_a_groups_state_is_not_told_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    answer: Future[Any] = Future()
    answer.set_exception(KafkaException(KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED)))
    admin = SimpleNamespace(
        describe_consumer_groups=lambda groups, **_: dict.fromkeys(groups, answer), poll=lambda *_: None
    )
    monkeypatch.setattr("failover.kafka.client.AdminClient", lambda *_: admin)
    states = group_states(settings(NOBODY, "PLAINTEXT", None), ["fulfilment"])
    assert not states.states and "Group authorization failed" in states.unknown["fulfilment"]
