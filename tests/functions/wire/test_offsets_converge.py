"""check_offsets on the real wire: offsets beyond the data are clamped, and log ends are those before any client."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from drill import fixture_plan
from drill.network.plain_http import plain
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.ledger.topic_tables import load_execution_table
from tests.functions.polled_steps import until_done
from tests.functions.wire.conftest import Call, Sites

pytestmark = pytest.mark.slow


def commit_beyond_the_end(sites: Sites) -> None:
    """What an offset sync that ran ahead of the data leaves on the standby: the link stops before the records came."""
    admin = AdminClient({"bootstrap.servers": sites.west.ready["raw_bootstrap"]})
    rows = [TopicPartition("orders", 0, 500), TopicPartition("orders", 1, 0)]
    asked = admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(fixture_plan.GROUP, rows)])
    asked[fixture_plan.GROUP].result(10)


def committed_on_the_standby(sites: Sites) -> dict[int, int]:
    """The protected group's offsets of topic orders."""
    admin = AdminClient({"bootstrap.servers": sites.west.ready["raw_bootstrap"]})
    rows = [TopicPartition("orders", partition) for partition in range(2)]
    asked = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(fixture_plan.GROUP, rows)])
    return {row.partition: row.offset for row in asked[fixture_plan.GROUP].result(10).topic_partitions}


@pytest.mark.parametrize("policy", [{"on_offsets_ahead": "report"}])
def test_offsets_beyond_the_data_are_reported_and_left_as_they_are(
    sites: Sites, execution: dict[str, Any], call: Call
) -> None:
    until_done(call, "promote_mirrors", {"execution": execution})
    commit_beyond_the_end(sites)
    observed = until_done(call, "check_offsets", {"execution": execution})["observed"]
    assert observed["ahead"] == ["fulfilment orders[0] 500 > 0"]
    assert (observed["ahead_count"], observed["partitions"], observed["offset_sync_seconds"]) == (1, 12, 30)
    assert committed_on_the_standby(sites) == {0: 500, 1: 0}


@pytest.mark.parametrize("dedicated", [True, False])
def test_offsets_beyond_the_data_are_clamped_so_that_nothing_is_skipped(
    sites: Sites, execution: dict[str, Any], call: Call, dedicated: bool
) -> None:
    until_done(call, "promote_mirrors", {"execution": execution})
    commit_beyond_the_end(sites)
    plain.put(f"{sites.rest.ready['control']}/cluster", json={"dedicated": dedicated}).raise_for_status()
    observed = until_done(call, "check_offsets", {"execution": execution})["observed"]
    assert (sites.asked("listKafkaConsumerLags") > 0, observed["refused"]) == (True, [])
    assert (observed["ahead"], observed["clamped"]) == ([], ["fulfilment orders[0] 500 > 0"])
    assert committed_on_the_standby(sites) == {0: 0, 1: 0}


def test_log_ends_are_those_before_the_first_client_however_often_they_are_asked_for(
    sites: Sites, execution: dict[str, Any], call: Call, deployed: Any
) -> None:
    until_done(call, "promote_mirrors", {"execution": execution})
    until_done(call, "check_offsets", {"execution": execution})
    producer = Producer({"bootstrap.servers": sites.west.ready["bootstrap"]})
    producer.produce("orders", b"of a client", partition=0)
    assert producer.flush(10) == 0
    until_done(call, "check_offsets", {"execution": execution})
    kept = load_execution_table(Ledger(deployed("dynamodb"), "ledger"), Execution.model_validate(execution), "log-ends")
    assert kept == {topic: [[partition, 0] for partition in range(4)] for topic in fixture_plan.TOPICS}
    assert (
        call("conclude", {"execution": execution, "outcome": "succeeded"})["report"]["loss"]["unknown_partitions"] == 12
    )


def test_a_standby_without_kafka_is_waited_for_and_each_of_its_partitions_is_named(
    sites: Sites, execution: dict[str, Any], call: Call
) -> None:
    until_done(call, "promote_mirrors", {"execution": execution})
    sites.west.kill()
    report = call("check_offsets", {"execution": execution})
    assert (report["status"], report["observed"]["unknown_count"]) == ("waiting", 12)


@pytest.mark.parametrize("outage", ["dead", "frozen"])
@pytest.mark.parametrize("broker", [1, *(pytest.param(other, marks=pytest.mark.exhaustive) for other in (2, 3))])
def test_one_broker_of_three_that_is_out_holds_up_what_it_leads_and_is_waited_for(
    sites: Sites, execution: dict[str, Any], call: Call, deployed: Any, outage: str, broker: int
) -> None:
    def set_out(**brokers: list[int]) -> None:
        plain.put(f"{sites.west.ready['admin']}/brokers", json=brokers).raise_for_status()

    def recorded() -> dict[str, list[Any]]:
        kept = load_execution_table(
            Ledger(deployed("dynamodb"), "ledger"), Execution.model_validate(execution), "log-ends"
        )
        return dict(kept or {})

    until_done(call, "promote_mirrors", {"execution": execution})
    commit_beyond_the_end(sites)
    set_out(**{outage: [broker]})
    report = call("check_offsets", {"execution": execution})
    assert report["status"] == "waiting"
    observed = report["observed"]
    assert 0 < observed["partitions"] < 12
    assert observed["unknown_count"] >= 12 - observed["partitions"]
    assert sum(map(len, recorded().values())) == observed["partitions"], "what is not told has no anchor"
    set_out()
    observed = until_done(call, "check_offsets", {"execution": execution})["observed"]
    assert (observed["partitions"], observed["unknown_count"], observed["ahead"]) == (12, 0, [])
    assert recorded() == {topic: [[partition, 0] for partition in range(4)] for topic in fixture_plan.TOPICS}
    assert committed_on_the_standby(sites) == {0: 0, 1: 0}
