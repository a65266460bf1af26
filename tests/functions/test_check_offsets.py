"""check_offsets on a cluster that answers in parts, refuses, or is not ready yet: at the Kafka client's own door."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition

from failover.execution.inventory import Listed, save_inventory
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.ledger.topic_tables import load_execution_table

GROUP = "fulfilment"
Call = Callable[[str, dict[str, Any]], dict[str, Any]]


def ended(value: Any = None, error: int | None = None) -> Future[Any]:
    future: Future[Any] = Future()
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(KafkaException(KafkaError(error)))
    return future


@dataclass
class Cluster:
    """Four partitions of topic orders, and the offsets of one group."""

    ends: dict[int, int] = field(default_factory=lambda: {0: 100, 1: 101, 2: 102, 3: 103})
    stable: dict[int, int] = field(default_factory=dict)
    untold: dict[int, int] = field(default_factory=dict)
    """The error of each partition whose end is not told."""
    offsets: dict[int, int] = field(default_factory=dict)
    left_out: set[int] = field(default_factory=set)
    """Partitions that the answer about the group says nothing of."""
    group_error: int | None = None
    commit_error: int | None = None
    ignores_commits: int = 0
    commits: list[dict[int, int]] = field(default_factory=list)
    before_group: Callable[[str], Any] = lambda _: None
    """Called before the offsets of a group are told."""

    def list_offsets(self, asked: Any, isolation_level: IsolationLevel, **_: Any) -> dict[Any, Future[Any]]:
        stable = isolation_level == IsolationLevel.READ_COMMITTED
        return {
            each: ended(error=self.untold[each.partition])
            if each.partition in self.untold
            else ended(
                SimpleNamespace(offset=(self.stable if stable else {}).get(each.partition, self.ends[each.partition]))
            )
            for each in asked
        }

    def committed(self, group: str, asked: Any) -> list[TopicPartition]:
        self.before_group(group)
        if self.group_error is not None:
            raise KafkaException(KafkaError(self.group_error))
        return [
            TopicPartition(row.topic, row.partition, self.offsets.get(row.partition, -1001))
            for row in asked
            if row.partition not in self.left_out
        ]

    def alter_consumer_group_offsets(self, asked: Any, **_: Any) -> dict[str, Future[Any]]:
        (group,) = asked
        given = {each.partition: each.offset for each in group.topic_partitions}
        self.commits.append(given)
        error = None if self.commit_error is None else KafkaError(self.commit_error)
        if error is None and len(self.commits) > self.ignores_commits:
            self.offsets |= given
        rows = [SimpleNamespace(topic=p.topic, partition=p.partition, error=error) for p in group.topic_partitions]
        return {group.group_id: ended(SimpleNamespace(topic_partitions=rows))}

    def poll(self, *_: Any) -> None:
        """Nothing is wrong with the connections."""


@dataclass(frozen=True)
class Reader:
    """A consumer of the group."""

    cluster: Cluster
    group: str

    def committed(self, asked: Any, **_: Any) -> list[TopicPartition]:
        return self.cluster.committed(self.group, asked)

    def poll(self, *_: Any) -> None:
        """Nothing is wrong with the connections."""


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    there = Cluster()
    monkeypatch.setattr("failover.kafka.client.AdminClient", lambda _: there)
    monkeypatch.setattr("failover.kafka.client.Consumer", lambda settings: Reader(there, settings["group.id"]))
    return there


@pytest.fixture
def more_groups() -> list[str]:
    return []


@pytest.fixture
def plan_text(plan_text: str, more_groups: list[str]) -> str:
    plan = yaml.safe_load(plan_text)
    for site in plan["sites"].values():
        site["kafka"] |= {"rest_endpoint": "http://127.0.0.1:9"}
        site["kafka"].pop("credentials", None)
    plan["protect"]["groups"] = [GROUP, *more_groups]
    return str(yaml.safe_dump(plan))


@pytest.fixture
def check(deployed: Callable[..., Any], cluster: Cluster, call: Call) -> Callable[[], dict[str, Any]]:
    """Calls the step of a failover whose inventory has the topic."""
    started = {"start": {"plan": "orders", "to": "west", "epoch": 1}, "execution_name": "orders-1-failover"}
    execution = call("claim", started)["execution"]
    book = Ledger(deployed("dynamodb"), "ledger")
    inventory = {"orders": Listed("orders-link", "STOPPED", dict.fromkeys(range(4), 5))}
    save_inventory(book, Execution.model_validate(execution), inventory)
    return lambda: call("check_offsets", {"execution": execution})


@pytest.fixture
def recorded(deployed: Callable[..., Any]) -> Callable[[], dict[int, int]]:
    """The log ends that are kept as anchors."""
    book = Ledger(deployed("dynamodb"), "ledger")

    def load() -> dict[int, int]:
        execution = SimpleNamespace(plan="orders", name="orders-1-failover")
        return dict(load_execution_table(book, execution, "log-ends").get("orders", []))  # type: ignore[arg-type]

    return load


def test_a_part_of_the_ends_is_waited_for_and_a_later_call_completes_the_anchors(
    check: Callable[[], dict[str, Any]], cluster: Cluster, recorded: Callable[[], dict[int, int]]
) -> None:
    cluster.untold = {1: KafkaError.LEADER_NOT_AVAILABLE, 3: KafkaError.LEADER_NOT_AVAILABLE}
    report = check()
    assert (report["status"], report["observed"]["partitions"], report["observed"]["unknown_count"]) == (
        "waiting",
        2,
        2,
    )
    assert [each.split(":")[0] for each in report["observed"]["unknown"]] == ["orders[1]", "orders[3]"]
    assert recorded() == {0: 100, 2: 102}
    cluster.untold, cluster.ends = {}, {0: 900, 1: 101, 2: 102, 3: 103}
    assert check()["status"] == "done"
    assert recorded() == {0: 100, 1: 101, 2: 102, 3: 103}, "the ends as they were first seen"


def test_a_sentinel_is_no_log_end(
    check: Callable[[], dict[str, Any]], cluster: Cluster, recorded: Callable[[], dict[int, int]]
) -> None:
    cluster.ends[2] = -1001
    report = check()
    assert (report["status"], recorded()) == ("waiting", {0: 100, 1: 101, 3: 103})
    assert report["observed"]["unknown"] == ["orders[2]: the cluster told -1001, which is no offset"]


def test_a_topic_that_may_not_be_described_is_named_and_holds_nothing_up(
    check: Callable[[], dict[str, Any]], cluster: Cluster, recorded: Callable[[], dict[int, int]]
) -> None:
    cluster.untold = {1: KafkaError.TOPIC_AUTHORIZATION_FAILED}
    report = check()
    assert (report["status"], report["observed"]["unknown_count"]) == ("done", 1)
    assert report["observed"]["unknown"][0].startswith("orders[1]: ")
    assert "ACL or a role binding" in report["observed"]["unknown"][0]
    assert recorded() == {0: 100, 2: 102, 3: 103}


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, "ACL or a role binding"),
        (KafkaError.LEADER_NOT_AVAILABLE, "told no log ends"),
    ],
)
def test_no_end_at_all_is_waited_for_until_the_deadline_and_every_partition_is_named(
    check: Callable[[], dict[str, Any]], cluster: Cluster, error: int, why: str
) -> None:
    cluster.untold = dict.fromkeys(range(4), error)
    report = check()
    assert (report["status"], report["observed"]["partitions"]) == ("waiting", 0)
    assert [each.split(":")[0] for each in report["observed"]["unknown"]] == [f"orders[{n}]" for n in range(4)]
    assert all(why in each for each in report["observed"]["unknown"])
    cluster.untold = {}
    assert check()["status"] == "done"


def test_a_transaction_left_open_is_named_with_its_partition(
    check: Callable[[], dict[str, Any]], cluster: Cluster
) -> None:
    cluster.stable = {0: 60}
    report = check()
    assert (report["status"], report["observed"]["open_transactions"]) == ("done", ["orders[0] 60 < 100"])


@pytest.mark.parametrize(
    ("error", "reason", "status"),
    [
        (KafkaError.GROUP_AUTHORIZATION_FAILED, "ACL or a role binding", "done"),
        (KafkaError.COORDINATOR_LOAD_IN_PROGRESS, f"told no offsets of group {GROUP}", "waiting"),
    ],
)
def test_a_group_whose_offsets_are_not_told_is_named_and_waited_for_unless_it_is_refused(
    check: Callable[[], dict[str, Any]], cluster: Cluster, error: int, reason: str, status: str
) -> None:
    cluster.group_error = error
    report = check()
    assert (report["status"], report["observed"]["partitions"]) == (status, 4)
    (unknown,) = report["observed"]["unknown"]
    assert unknown.startswith(f"group {GROUP}: ") and reason in unknown


@pytest.mark.parametrize("more_groups", [["billing"]])
@pytest.mark.parametrize("error", [KafkaError.GROUP_AUTHORIZATION_FAILED, KafkaError.COORDINATOR_LOAD_IN_PROGRESS])
def test_a_group_whose_offsets_are_not_told_keeps_no_other_from_its_clamp(
    check: Callable[[], dict[str, Any]], cluster: Cluster, error: int
) -> None:
    def refuse(group: str) -> None:
        if group == GROUP:
            raise KafkaException(KafkaError(error))

    cluster.before_group, cluster.offsets = refuse, {3: 500}
    assert check()["observed"]["clamped"] == ["billing orders[3] 500 > 103"]


def test_a_partition_that_the_answer_leaves_out_is_not_taken_for_one_without_an_offset(
    check: Callable[[], dict[str, Any]], cluster: Cluster
) -> None:
    cluster.offsets, cluster.left_out = {0: 1, 3: 500}, {3}
    report = check()
    assert report["status"] == "waiting" and "orders[3]: the answer leaves it out" in report["observed"]["unknown"][0]
    cluster.left_out = set()
    assert check()["observed"]["clamped"] == [f"{GROUP} orders[3] 500 > 103"]


@pytest.mark.parametrize("more_groups", [["billing", "archive"]])
def test_groups_are_asked_side_by_side_since_clients_wait_for_them(
    check: Callable[[], dict[str, Any]], cluster: Cluster
) -> None:
    all_are_asked = Barrier(3, timeout=10)
    cluster.before_group = lambda _: all_are_asked.wait()
    report = check()
    assert (report["status"], report["observed"]["groups"]) == ("done", [GROUP, "billing", "archive"])


def test_an_offset_that_was_never_committed_is_not_ahead(check: Callable[[], dict[str, Any]], cluster: Cluster) -> None:
    cluster.ends = dict.fromkeys(range(4), 0)
    assert (check()["observed"]["ahead_count"], cluster.commits) == (0, [])


def test_a_clamp_that_does_not_take_at_once_is_made_again(
    check: Callable[[], dict[str, Any]], cluster: Cluster
) -> None:
    cluster.offsets, cluster.ignores_commits = {0: 500, 1: 1}, 1
    first = check()
    assert (first["status"], first["observed"]["ahead"]) == ("waiting", [f"{GROUP} orders[0] 500 > 100"])
    second = check()
    assert (second["status"], second["observed"]["ahead"]) == ("done", [])
    assert second["observed"]["clamped"] == [f"{GROUP} orders[0] 500 > 100"]
    assert cluster.commits == [{0: 100}, {0: 100}]


def test_a_clamp_that_the_coordinator_can_not_take_now_is_made_again(
    check: Callable[[], dict[str, Any]], cluster: Cluster
) -> None:
    cluster.offsets, cluster.commit_error = {0: 500}, KafkaError.COORDINATOR_LOAD_IN_PROGRESS
    report = check()
    assert (report["status"], report["observed"]["refused"]) == ("waiting", [])
    assert report["observed"]["retried"][0].startswith(f"group {GROUP}: orders[0]")
    cluster.commit_error = None
    assert check()["status"] == "done" and cluster.offsets[0] == 100


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (KafkaError.UNKNOWN_MEMBER_ID, "active members"),
        (KafkaError.GROUP_AUTHORIZATION_FAILED, "ACL or a role binding"),
        (KafkaError.INVALID_COMMIT_OFFSET_SIZE, "orders[0]"),
    ],
)
def test_a_clamp_that_is_refused_for_good_holds_nothing_up_and_is_named(
    check: Callable[[], dict[str, Any]], cluster: Cluster, error: int, why: str
) -> None:
    cluster.offsets, cluster.commit_error = {0: 500}, error
    report = check()
    assert (report["status"], report["observed"]["ahead_count"]) == ("done", 1)
    (refused,) = report["observed"]["refused"]
    assert refused.startswith(f"group {GROUP}") and why in refused
