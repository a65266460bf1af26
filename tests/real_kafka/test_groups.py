"""Consumer groups on Apache Kafka itself, where Java is there, and Maven to fetch its jars the first time."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from drill.engines.jars import EngineMissing
from drill.engines.kafka import start_broker
from drill.kafka.messages import CONSUMER_GROUP_HEARTBEAT, OFFSET_COMMIT
from failover.kafka.client import Settings, settings
from failover.kafka.groups import create_group, group_protocols, group_states, unreadable_groups
from failover.kafka.offsets import commit, committed, leader_epochs
from tests.kafka_requests import asked, commit_request, request
from tests.patience import patiently

UP_S = 60.0

pytestmark = [pytest.mark.slow]

PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={directory}/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=2
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=16000000
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
"""


@pytest.fixture(scope="module")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One broker with topics orders and failover-canary."""
    directory = tmp_path_factory.mktemp("kafka")
    with ExitStack() as ports:
        listeners = [ports.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        port, controller = (listener.getsockname()[1] for listener in listeners)
    properties = PROPERTIES.format(port=port, controller=controller, directory=directory)
    try:
        broker = start_broker(directory, properties, f"127.0.0.1:{port}")
    except EngineMissing as error:
        pytest.skip(str(error))
    with closing(broker):
        for answer in broker.admin.create_topics(
            [NewTopic("orders", 2, 1), NewTopic("failover-canary", 1, 1)]
        ).values():
            answer.result(20)
        yield broker.bootstrap


def _read_one(bootstrap: str, group: str, protocol: str) -> int:
    """The offset of the first record that a member of the group gets of orders."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": group, "group.protocol": protocol, "auto.offset.reset": "earliest"}
    )
    try:
        consumer.subscribe(["orders"])
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            message = consumer.poll(0.5)
            if message is not None and message.error() is None:
                offset = message.offset()
                assert offset is not None
                return offset
        return -1
    finally:
        consumer.close()


def test_a_group_with_synced_offsets_is_made_one_of_the_new_protocol_and_keeps_them(bootstrap: str) -> None:
    chosen = settings(bootstrap, "PLAINTEXT", None)
    producer = Producer({"bootstrap.servers": bootstrap})
    for _ in range(10):
        producer.produce("orders", b"x", partition=0)
    assert producer.flush(20) == 0
    _commit_synced(chosen, "fulfilment", 7)
    create_group(chosen, "fulfilment", "failover-canary", timeout=20)
    assert group_protocols(chosen, ["fulfilment", "nobodys"]) == {"fulfilment": "consumer"}
    kept = Consumer({"bootstrap.servers": bootstrap, "group.id": "fulfilment"})
    (position,) = kept.committed([TopicPartition("orders", 0)], timeout=10)
    kept.close()
    assert position.offset == 7
    assert _read_one(bootstrap, "fulfilment", "consumer") == 7


def test_a_classic_member_may_join_a_group_that_was_made_and_is_told_as_classic(bootstrap: str) -> None:
    chosen = settings(bootstrap, "PLAINTEXT", None)
    create_group(chosen, "billing", "failover-canary", timeout=20)
    assert _read_one(bootstrap, "billing", "classic") == 0
    assert _read_one(bootstrap, "archive", "classic") == 0
    assert group_protocols(chosen, ["archive"]) == {"archive": "classic"}


def test_a_groups_state_is_told_of_either_protocol_and_of_none_that_nobody_made(bootstrap: str) -> None:
    chosen = settings(bootstrap, "PLAINTEXT", None)
    create_group(chosen, "left-alone", "failover-canary", timeout=20)
    assert _read_one(bootstrap, "read-once", "classic") == 0
    states = group_states(chosen, ["left-alone", "read-once", "nobodys"])
    assert states.states == {"left-alone": "EMPTY", "read-once": "EMPTY"}
    assert set(states.unknown) == {"nobodys"}


def test_leader_epochs_are_told_of_partitions_that_are_there(bootstrap: str) -> None:
    spots = [("orders", 0), ("orders", 1), ("nobodys", 0)]
    told = patiently(lambda: leader_epochs(settings(bootstrap, "PLAINTEXT", None), spots))
    assert set(told) == {("orders", 0), ("orders", 1)} and all(epoch >= 0 for epoch in told.values())


def test_a_group_that_may_not_be_read_is_named_before_it_has_to_be_made(bootstrap: str) -> None:
    chosen = settings(bootstrap, "PLAINTEXT", None)
    for group in ("mine", "theirs"):
        create_group(chosen, group, "failover-canary", timeout=20)
    assert unreadable_groups(chosen, ["mine", "theirs", "nobodys"]) == []
    admin = AdminClient({"bootstrap.servers": bootstrap})
    denied = AclBinding(
        ResourceType.GROUP,
        "theirs",
        ResourcePatternType.LITERAL,
        "User:ANONYMOUS",
        "*",
        AclOperation.READ,
        AclPermissionType.DENY,
    )
    allowed = AclBinding(
        ResourceType.GROUP,
        "theirs",
        ResourcePatternType.LITERAL,
        "User:ANONYMOUS",
        "*",
        AclOperation.DESCRIBE,
        AclPermissionType.ALLOW,
    )
    for answer in admin.create_acls([denied, allowed]).values():
        answer.result(20)
    deadline = time.monotonic() + UP_S
    while not (named := unreadable_groups(chosen, ["mine", "theirs"])) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert named == ["theirs"]


def _commit_synced(chosen: Settings, group: str, offset: int) -> None:
    deadline = time.monotonic() + UP_S
    while (synced := commit(chosen, group, {("orders", 0): offset})).retry and time.monotonic() < deadline:
        time.sleep(0.2)  # the coordinator of a cluster that has just come up
    assert (synced.refused, synced.retry) == ("", "")


@pytest.mark.parametrize("member", ["", "a-member-of-the-lost-cluster"])
def test_a_commit_that_outlived_its_session_is_refused_and_changes_nothing(bootstrap: str, member: str) -> None:
    """What librdkafka sends to the standby's empty group after it lost its session: a generation, and no member. The
    drill's cluster refuses it, too."""
    chosen = settings(bootstrap, "PLAINTEXT", None)
    _commit_synced(chosen, "clamped", 150)
    assert asked(bootstrap, OFFSET_COMMIT, commit_request("clamped", 3, member)) == "unknown_member_id"
    assert committed(chosen, "clamped", [("orders", 0)]).by_partition == {("orders", 0): 150}
    from_outside = commit_request("clamped", -1, "")
    assert asked(bootstrap, OFFSET_COMMIT, from_outside) == "none", "as an admin client sends it, it is taken"
    assert committed(chosen, "clamped", [("orders", 0)]).by_partition == {("orders", 0): 500}


def test_a_member_of_the_newer_protocol_ends_unless_its_group_was_made_here(bootstrap: str) -> None:
    chosen = settings(bootstrap, "PLAINTEXT", None)
    _commit_synced(chosen, "moved", 7)
    of_the_lost_site = request(CONSUMER_GROUP_HEARTBEAT, group_id="moved", member_id="m", member_epoch=7)
    assert asked(bootstrap, CONSUMER_GROUP_HEARTBEAT, of_the_lost_site) == "group_id_not_found"
    create_group(chosen, "moved", "failover-canary", timeout=20)
    assert asked(bootstrap, CONSUMER_GROUP_HEARTBEAT, of_the_lost_site) == "unknown_member_id"
