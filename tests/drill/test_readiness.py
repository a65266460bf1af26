"""Readiness of a whole world, by the deployed function and state machine: a healthy one is ready, down to the last dry
run, which changed nothing; and when the active site is lost, that is what is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from drill import fixture_plan
from drill.network.plain_http import plain
from drill.world import World
from drill.world_settings import Settings
from tests.patience import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(Settings(directory=tmp_path_factory.mktemp("world"))) as world:
        bootstrap = world.cluster(fixture_plan.HOME)["bootstrap"]
        producer = Producer({"bootstrap.servers": bootstrap})
        for topic in fixture_plan.TOPICS:
            for partition in range(fixture_plan.PARTITIONS):
                producer.produce(topic, b"an order", partition=partition)
        assert producer.flush(20) == 0
        consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": fixture_plan.GROUP})
        consumer.commit(offsets=[TopicPartition("orders", 0, 1)], asynchronous=False)
        consumer.close()
        yield world


def invoked(world: World) -> dict[str, Any]:
    """The answer of the deployed function."""
    answer = world.aws("lambda").invoke(
        FunctionName=world.resource("CheckReadiness"), Payload=json.dumps({"plan": fixture_plan.PLAN})
    )
    document = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, document
    return dict(document)


def checks(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in document["checks"]}


def walked_through(world: World) -> str:
    """A dry run by the deployed state machine, to its end; its status."""
    states = world.aws("stepfunctions")
    arn = states.start_execution(
        stateMachineArn=world.resource("FailoverStateMachine"),
        input=json.dumps({"plan": fixture_plan.PLAN, "to": "standby", "dry_run": True, "reason": "a test"}),
    )["executionArn"]
    eventually(
        lambda: states.describe_execution(executionArn=arn)["status"] != "RUNNING", what="the end of the dry run"
    )
    return str(states.describe_execution(executionArn=arn)["status"])


def _alarms_without_data(document: dict[str, Any]) -> list[str]:
    """Those on metrics: this world has no health checks to alarm on."""
    detection = checks(document)["detection"]
    return [fact for fact in detection["evidence"] if "too little data" in fact and "health-check" not in fact]


def state_of(world: World) -> tuple[Any, ...]:
    """What a failover would change."""
    mirrors = world.promoted()
    services = [
        world.aws("ecs", fixture_plan.REGIONS[site]).describe_services(
            cluster="gateways", services=[f"gateway-{site}"]
        )["services"][0]["taskDefinition"]
        for site in fixture_plan.REGIONS
    ]
    records = world.aws("route53").list_resource_record_sets(HostedZoneId=world.zone_id)["ResourceRecordSets"]
    ledger = world.aws("dynamodb").get_item(
        TableName=world.ledger_table, Key={"pk": {"S": f"plan#{fixture_plan.PLAN}"}, "sk": {"S": "state"}}
    )
    return mirrors, services, [each for each in records if each["Type"] == "CNAME"], ledger.get("Item")


def test_a_healthy_world_is_ready_after_a_dry_run_that_changed_nothing(world: World) -> None:
    before = state_of(world)
    assert walked_through(world) == "SUCCEEDED"
    assert state_of(world) == before
    document = invoked(world)
    eventually(lambda: checks(invoked(world))["group-offsets"]["status"] == "pass", what="the group's offsets")
    eventually(lambda: _alarms_without_data(invoked(world)) == [], what="data for every alarm on a metric")
    document = invoked(world)
    unready = [check for check in document["checks"] if check["status"] in ("fail", "unknown")]
    assert document["ready"] and not unready, json.dumps(unready, indent=2)
    warned = {check["name"]: check["evidence"] for check in document["checks"] if check["status"] == "warn"}
    # The mock tells no leader epochs.
    assert set(warned) <= {"link-tasks", "plan", "detection", "leader-epochs"}, warned
    assert any("5 can say that east is lost" in fact for fact in checks(document)["detection"]["evidence"])
    assert [fact for fact in warned["plan"] if "127.0.0.1" not in fact] == [
        "the plan leads from east to west and back"
    ], "the drill's clients bootstrap to an address of this machine, and that is all there is to say of its plan"
    said = checks(document)["dry-run"]["evidence"][0]
    for step in ("claim", "assess", "fence", "promote_mirrors", "switch_routes", "flip_dns", "verify"):
        assert step in said
    (failures,) = [metric["values"] for metric in _report(world, "metrics") if metric["name"] == "ReadinessFailures"]
    assert failures[-1][1] == 0


def test_a_lost_active_site_is_told_and_the_standbys_own_checks_stand(world: World) -> None:
    before = checks(invoked(world))
    world.lose(fixture_plan.HOME)
    document = invoked(world)
    after = checks(document)
    assert not document["ready"]
    for name in ("promotion", "links", "link-configs", "secrets", "lease", "dry-run", "canary-topic"):
        assert after[name]["status"] == before[name]["status"], (after[name], before[name])
    for name in ("mirror-coverage", "group-offsets", "acls"):
        assert after[name]["status"] == "unknown", after[name]
    for name in ("clients", "fleet-routes", "fleet-capacity", "fleet-instances"):
        assert after[name]["status"] in ("fail", "unknown"), after[name]
    told = [event["detail"] for event in world.events() if event["detail-type"] == "Readiness changed"]
    changes = {(each["check"], each["before"], each["after"]) for each in told}
    assert ("acls", "pass", "unknown") in changes
    assert len({each["key"] for each in told}) == len(told)


def _report(world: World, name: str) -> list[dict[str, Any]]:
    return list(plain.get(f"{world.endpoint}/drill/{name}").json())
