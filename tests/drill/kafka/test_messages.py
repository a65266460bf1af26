"""What the proxy reads and writes, for every version of the protocol that names brokers or refuses."""

from __future__ import annotations

import dataclasses
import struct
import typing
import uuid
from typing import Any

import pytest
from kio.index import load_request_schema, load_response_schema
from kio.schema.errors import ErrorCode
from kio.schema.index import schema_name_map
from kio.serial import entity_reader

from drill.kafka.addresses import NAMES_BROKERS, UnknownVersion, names_brokers, readdressed
from drill.kafka.codec import response_to, written
from drill.kafka.messages import (
    API_VERSIONS,
    DESCRIBE_CLUSTER,
    FETCH,
    FIND_COORDINATOR,
    METADATA,
    OFFSET_COMMIT,
    PRODUCE,
    awaits_answer,
    framed,
)
from drill.kafka.proxy import NodeOutOfRange, from_table
from drill.kafka.refusal import NoErrorAnswer, _filled, _item, refusal

NAMES = {
    PRODUCE: "produce",
    FETCH: "fetch",
    METADATA: "metadata",
    OFFSET_COMMIT: "offset_commit",
    FIND_COORDINATOR: "find_coordinator",
    DESCRIBE_CLUSTER: "describe_cluster",
}


def versions(api_key: int) -> list[tuple[int, int]]:
    return [(api_key, int(version)) for version in schema_name_map[NAMES[api_key]]]


def request(api_key: int, version: int, **fields: Any) -> bytes:
    """A request's frame, from client `me`, correlation id 77."""
    schema = load_request_schema(api_key, version)
    tags = b"\0" if schema.__header_schema__.__version__ == 2 else b""
    header = struct.pack(">hhih", api_key, version, 77, 2) + b"me" + tags
    return framed(header + written(schema, _filled(schema, ErrorCode.none, **fields)))


def decoded(api_key: int, version: int, frame: bytes) -> Any:
    """The message in a response's frame; its size and correlation id must be right."""
    schema = load_response_schema(api_key, version)
    assert struct.unpack_from(">ii", frame) == (len(frame) - 4, 77)
    body = 9 if schema.__header_schema__.__version__ == 1 else 8
    message, size = entity_reader(schema)(frame, body)
    assert body + size == len(frame)
    return message


def of_two_brokers(api_key: int, version: int) -> tuple[Any, bytes]:
    """An answer that names nodes 1 and 2 at kafka:9001 and kafka:9002, and its frame."""
    schema = load_response_schema(api_key, version)
    single = "host" in schema.__dataclass_fields__
    if single:
        message = _filled(schema, ErrorCode.none, node_id=1, host="kafka", port=9001)
    else:
        name = next(n for n in ("node_endpoints", "coordinators", "brokers") if n in schema.__dataclass_fields__)
        item = _item(schema, name)
        node = "broker_id" if api_key == DESCRIBE_CLUSTER else "node_id"
        named = tuple(_filled(item, ErrorCode.none, **{node: n, "host": "kafka", "port": 9000 + n}) for n in (1, 2))
        message = _filled(schema, ErrorCode.none, **{name: named})
        if "cluster_id" in schema.__dataclass_fields__:
            message = dataclasses.replace(message, cluster_id="lkc-east")
    return message, response_to(request(api_key, version), schema, message)


NAMING = [
    (key, version)
    for api in (PRODUCE, FETCH, METADATA, FIND_COORDINATOR, DESCRIBE_CLUSTER)
    for key, version in versions(api)
    if names_brokers(key, version)
]


@pytest.mark.parametrize(("api_key", "version"), NAMING)
def test_every_address_is_the_advertised_one_and_nothing_else_changes(api_key: int, version: int) -> None:
    message, frame = of_two_brokers(api_key, version)
    learned: dict[int, tuple[str, int]] = {}
    changed = readdressed(
        api_key, version, frame, lambda node: ("gw.example.com", 100 + node), lambda n, a: learned.update({n: a})
    )
    text = repr(message)
    for node in (1, 2):
        text = text.replace(f"'kafka', port={9000 + node}", f"'gw.example.com', port={100 + node}")
    assert text != repr(message)
    assert repr(decoded(api_key, version, bytes(changed))) == text
    assert learned.items() <= {1: ("kafka", 9001), 2: ("kafka", 9002)}.items()
    assert learned


@pytest.mark.parametrize(("api_key", "version"), [each for each in NAMING if each[0] in (PRODUCE, FETCH)])
@pytest.mark.parametrize("moved", [True, False])
def test_brokers_are_found_behind_partitions_of_any_content(api_key: int, version: int, moved: bool) -> None:
    """Records, errors of single records, aborted transactions, and tagged fields of a partition stand before them."""
    schema = load_response_schema(api_key, version)
    topic = _item(schema, "responses")
    array = "partitions" if api_key == FETCH else "partition_responses"
    partition = _item(topic, array)
    leader = typing.get_type_hints(partition)["current_leader"](leader_id=2, leader_epoch=7)
    content: dict[str, Any] = {"current_leader": leader}
    if api_key == FETCH:
        aborted = _filled(_item(partition, "aborted_transactions"), ErrorCode.none)
        content |= {"records": b"r" * 300, "aborted_transactions": (aborted, aborted)}
    else:
        wrong = _filled(_item(partition, "record_errors"), ErrorCode.none, batch_index_error_message="no")
        content |= {"record_errors": (wrong, wrong), "error_message": "because"}
    partitions = (_filled(partition, ErrorCode.none, **content), _filled(partition, ErrorCode.none))
    name = {"name": "orders"} if "name" in topic.__dataclass_fields__ else {"topic_id": uuid.uuid4()}
    node = _item(schema, "node_endpoints")
    named = tuple(_filled(node, ErrorCode.none, node_id=n, host="kafka", port=9000 + n, rack="r") for n in (1, 2))
    topics = (_filled(topic, ErrorCode.none, **name, **{array: partitions}),) * 2
    message = _filled(schema, ErrorCode.none, responses=topics, node_endpoints=named if moved else ())
    frame = response_to(request(api_key, version), schema, message)
    changed = readdressed(api_key, version, frame, lambda n: ("g" * 200, 100 + n), lambda *_: None)
    text = repr(message)
    for n in (1, 2):
        text = text.replace(f"'kafka', port={9000 + n}", f"'{'g' * 200}', port={100 + n}")
    assert repr(decoded(api_key, version, bytes(changed))) == text
    assert (changed is frame) is not moved


def test_every_version_that_is_known_elsewhere_has_a_layout() -> None:
    for api_key, (_, newest) in NAMES_BROKERS.items():
        assert newest == max(version for _, version in versions(api_key))
        with pytest.raises(UnknownVersion):
            readdressed(api_key, newest + 1, b"", lambda _: ("", 0), lambda *_: None)


def test_an_answer_that_names_no_broker_is_the_same_frame() -> None:
    schema = load_response_schema(FETCH, 16)
    frame = response_to(request(FETCH, 16), schema, _filled(schema, ErrorCode.none))
    assert readdressed(FETCH, 16, frame, lambda _: ("", 0), lambda *_: None) is frame


def test_answers_before_kip_951_are_not_looked_at() -> None:
    assert not names_brokers(PRODUCE, 9)
    assert not names_brokers(FETCH, 15)
    assert not names_brokers(API_VERSIONS, 4)
    assert len(NAMING) > 25


def test_a_node_out_of_range_breaks_the_route_in_the_engines_words() -> None:
    with pytest.raises(NodeOutOfRange, match="Cannot generate node address for node id 3"):
        from_table({1: ("gw", 1), 2: ("gw", 2)})(3)


@pytest.mark.parametrize(("api_key", "version"), versions(PRODUCE))
def test_a_refused_write_is_refused_for_each_partition(api_key: int, version: int) -> None:
    asked = load_request_schema(api_key, version)
    topic = _item(asked, "topic_data")
    partition = _item(topic, "partition_data")
    topics = tuple(
        _filled(
            topic,
            ErrorCode.none,
            **({"name": name} if "name" in topic.__dataclass_fields__ else {}),
            partition_data=tuple(_filled(partition, ErrorCode.none, index=index, records=b"") for index in (0, 3)),
        )
        for name in ("orders", "payments")
    )
    frame = request(api_key, version, acks=-1, topic_data=topics)
    answer = decoded(api_key, version, refusal(api_key, version, frame, ErrorCode.invalid_request))
    rows = [
        (t.name if "name" in topic.__dataclass_fields__ else "", p)
        for t in answer.responses
        for p in t.partition_responses
    ]
    assert [p.index for _, p in rows] == [0, 3, 0, 3]
    assert {p.error_code for _, p in rows} == {ErrorCode.invalid_request}
    assert {p.base_offset for _, p in rows} == {-1}
    if "name" in topic.__dataclass_fields__:
        assert [name for name, _ in rows] == ["orders", "orders", "payments", "payments"]


@pytest.mark.parametrize(("api_key", "version"), versions(METADATA))
def test_a_refused_metadata_request_names_no_broker(api_key: int, version: int) -> None:
    item = _item(load_request_schema(api_key, version), "topics")
    frame = request(api_key, version, topics=(_filled(item, ErrorCode.none, name="orders"),))
    answer = decoded(api_key, version, refusal(api_key, version, frame, ErrorCode.broker_not_available))
    assert answer.brokers == ()
    assert [(t.name, t.error_code) for t in answer.topics] == [("orders", ErrorCode.broker_not_available)]


@pytest.mark.parametrize(("api_key", "version"), versions(FIND_COORDINATOR))
def test_a_refused_find_coordinator_names_no_broker(api_key: int, version: int) -> None:
    keys = {"coordinator_keys": ("a", "b")} if version >= 4 else {"key": "a"}
    frame = request(api_key, version, **keys)
    answer = decoded(api_key, version, refusal(api_key, version, frame, ErrorCode.broker_not_available))
    found = answer.coordinators if version >= 4 else (answer,)
    assert {each.error_code for each in found} == {ErrorCode.broker_not_available}
    assert len(found) == (2 if version >= 4 else 1)


def test_what_has_no_place_for_an_error_is_not_answered() -> None:
    with pytest.raises(NoErrorAnswer):
        refusal(2, 5, request(2, 5), ErrorCode.broker_not_available)
    with pytest.raises(NoErrorAnswer):
        refusal(PRODUCE, 99, b"", ErrorCode.broker_not_available)


@pytest.mark.parametrize(("api_key", "version"), versions(PRODUCE))
@pytest.mark.parametrize("transactional_id", [None, "", "t" * 200])
@pytest.mark.parametrize("acks", [0, 1, -1])
def test_only_acks_0_awaits_no_answer(api_key: int, version: int, transactional_id: str | None, acks: int) -> None:
    frame = request(api_key, version, acks=acks, transactional_id=transactional_id)
    seen, asked_for = 12, awaits_answer(version, frame[:12])
    while not isinstance(asked_for, bool):  # as it comes in: never less than is there, never more than there will be
        assert seen < asked_for <= len(frame)
        seen = asked_for
        asked_for = awaits_answer(version, frame[:seen])
    assert asked_for is (acks != 0)
