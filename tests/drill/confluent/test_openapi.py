"""Every operation of the OpenAPI document, with every response it has: given by the stand-in, held against it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import httpx
import pytest

from tests.drill.confluent.conftest import Pair
from tests.drill.confluent.openapi import DOCUMENT, Document

L = "/links/orders-link"
MIRRORS = {"mirror_topic_names": ["orders", "payments", "nope"]}
ACL = {
    "resource_type": "TOPIC",
    "resource_name": "orders",
    "pattern_type": "LITERAL",
    "principal": "User:1",
    "host": "*",
    "operation": "READ",
    "permission": "ALLOW",
}
WHICH_ACLS = "resource_type=TOPIC&pattern_type=ANY&operation=ANY&permission=ANY"


class Call(NamedTuple):
    """One call that succeeds, and what is said against its answer in the `recorded` shape: as real clusters did."""

    operation: str
    method: str
    path: str
    body: Any = None
    recorded: frozenset[str] = frozenset()


SENSITIVE = frozenset({"None is not of type 'string'"})
CREATED = frozenset({"status 201 is not documented"})
NO_TRUNCATION = frozenset(
    {"'messages_truncated' is a required property", "'partition_level_truncation_data' is a required property"}
)


def verb(name: str, operation: str, query: str = "") -> Call:
    return Call(f"updateKafkaMirrorTopics{operation}", "POST", f"{L}/mirrors:{name}{query}", MIRRORS, NO_TRUNCATION)


CALLS = [
    Call("getKafkaCluster", "GET", ""),
    Call("listKafkaTopics", "GET", "/topics"),
    Call("createKafkaTopic", "POST", "/topics", {"topic_name": "new", "validate_only": True}),
    Call("createKafkaTopic", "POST", "/topics", {"topic_name": "new", "partitions_count": 4}),
    Call("getKafkaTopic", "GET", "/topics/orders"),
    Call("updatePartitionCountKafkaTopic", "PATCH", "/topics/bulk0", {"partitions_count": 9}),
    Call("deleteKafkaTopic", "DELETE", "/topics/bulk0"),
    Call("listKafkaConsumerGroups", "GET", "/consumer-groups"),
    Call("listKafkaConsumerLags", "GET", "/consumer-groups/fulfilment/lags"),
    Call("createKafkaAcls", "POST", "/acls", ACL),
    Call("getKafkaAcls", "GET", "/acls?principal=User:1"),
    Call("deleteKafkaAcls", "DELETE", f"/acls?{WHICH_ACLS}"),
    Call(
        "createKafkaLink",
        "POST",
        "/links?link_name=second&validate_link=false",
        {"source_cluster_id": "lkc-x", "configs": []},
        CREATED,
    ),
    Call("listKafkaLinks", "GET", "/links"),
    Call("getKafkaLink", "GET", "/links/second"),
    Call("getKafkaLink", "GET", f"{L}?include_tasks=true"),
    Call("deleteKafkaLink", "DELETE", "/links/second?force=true"),
    Call("listKafkaLinkConfigs", "GET", f"{L}/configs", None, SENSITIVE),
    Call("getKafkaLinkConfigs", "GET", f"{L}/configs/sasl.jaas.config", None, SENSITIVE),
    Call("getKafkaLinkConfigs", "GET", f"{L}/configs/acl.sync.ms"),
    Call("updateKafkaLinkConfig", "PUT", f"{L}/configs/acl.sync.ms", {"value": "7000"}),
    Call("deleteKafkaLinkConfig", "DELETE", f"{L}/configs/acl.sync.ms"),
    Call("updateKafkaLinkConfigBatch", "PUT", f"{L}/configs:alter", {"data": [{"name": "acl.sync.ms", "value": "9"}]}),
    Call("createKafkaMirrorTopic", "POST", f"{L}/mirrors", {"source_topic_name": "late"}, CREATED),
    Call("listKafkaMirrorTopicsUnderLink", "GET", f"{L}/mirrors"),
    Call("listKafkaMirrorTopicsUnderLink", "GET", f"{L}/mirrors?mirror_status=ACTIVE"),
    Call("listKafkaMirrorTopics", "GET", "/links/-/mirrors"),
    Call("readKafkaMirrorTopic", "GET", f"{L}/mirrors/orders?include_state_transition_errors=true"),
    verb("pause", "Pause"),
    verb("resume", "Resume"),
    verb("promote", "Promote", "?validate_only=true"),
    verb("reverse-and-pause-mirror", "ReverseAndPauseMirror", "?validate_only=true"),
    verb("reverse-and-start-mirror", "ReverseAndStartMirror"),
    verb("failover", "Failover"),
    verb(
        "truncate-and-restore",
        "TruncateAndRestoreMirror",
        "?validate_only=true&include_partition_level_truncation_data=true",
    ),
]
UNDER_TROUBLE: dict[str, dict[str, Any]] = {
    "400": {"kind": "status", "status": 400, "error_code": 40035, "message": "The version is not supported"},
    "403": {"kind": "status", "status": 403, "error_code": 40301, "message": "Request is not authorized"},
    "404": {"kind": "status", "status": 404, "error_code": 40403, "message": "This server does not host this"},
    "429": {"kind": "html429"},
    "5XX": {"kind": "status", "status": 500, "error_code": 50003, "message": "This is a retriable error"},
}


@pytest.fixture(scope="session")
def document() -> Document:
    if not DOCUMENT.exists():
        pytest.skip(f"the OpenAPI document of Kafka REST v3 is not at {DOCUMENT}; name it in KAFKA_REST_OPENAPI")
    return Document(DOCUMENT)


@pytest.fixture
def west(source: Any, local: Any, start_pair_on_wire: Callable[..., Pair]) -> Callable[..., Any]:
    """A stand-in whose every endpoint has something to say."""

    def started(wire: str) -> Any:
        source.produce("orders", [b"1", b"2"])
        source.produce("payments", [b"1"])
        source.produce("late", [b"1"])
        stand = start_pair_on_wire(
            west={
                "wire": wire,
                "unmanaged_row": True,
                "rest_only_topics": {"count": 1, "pattern": "bulk{n}"},
                "link": {"offset_sync_s": 3600},
            }
        ).west
        local.commit("fulfilment", "orders", 0, 1)
        return stand

    return started


def ask(stand: Any, call: Call, **options: Any) -> httpx.Response:
    # Without the slash that httpx would put behind an empty path.
    answer: httpx.Response = stand.http.request(
        call.method, str(stand.http.base_url).rstrip("/") + call.path, json=call.body, **options
    )
    return answer


@pytest.mark.parametrize("wire", ["spec", "recorded"])
def test_every_success_is_as_documented_or_as_it_was_recorded(
    west: Callable[..., Any], document: Document, wire: str
) -> None:
    stand = west(wire)
    for call in CALLS:
        answer = ask(stand, call)
        assert answer.is_success, (call, answer.text)
        expected = call.recorded if wire == "recorded" else frozenset()
        if call.operation == "updateKafkaMirrorTopicsTruncateAndRestoreMirror":
            assert document.complaints(call.operation, answer) <= expected, call
        else:
            assert document.complaints(call.operation, answer) == expected, call


def test_every_other_response_is_as_documented(west: Callable[..., Any], document: Document) -> None:
    stand = west("spec")
    for call in CALLS:
        seen = {"200", "201", "204"} & document.statuses(call.operation)
        stranger = ask(stand, call, auth=("key", "wrong"))
        assert stranger.status_code == 401 and document.complaints(call.operation, stranger) == set(), call
        seen.add("401")
        for status, fault in UNDER_TROUBLE.items():
            if status not in document.statuses(call.operation):
                continue
            stand.fault(match=call.operation, **fault)
            answer = ask(stand, call)
            assert str(answer.status_code)[0] == status[0], call
            assert document.complaints(call.operation, answer) == set(), call
            seen.add(status)
        assert seen == document.statuses(call.operation), call


def test_what_is_refused_for_its_body_is_as_documented(west: Callable[..., Any], document: Document) -> None:
    stand = west("spec")
    for call in CALLS:
        if call.body is None:
            continue
        answer = ask(stand, call._replace(body=["rubbish"]))
        assert answer.status_code == 400 and document.complaints(call.operation, answer) == set(), (call, answer.text)


def test_every_operation_of_the_document_is_called_by_its_method_and_path(document: Document) -> None:
    def matches(path: str, template: str) -> bool:
        here = path.partition("?")[0].split("/")
        there = template.removeprefix("/kafka/v3/clusters/{cluster_id}").split("/")
        return len(here) == len(there) and all(
            wanted.startswith("{") or wanted == part or wanted.partition("}")[2] == part.partition(":")[2] != ""
            for part, wanted in zip(here, there, strict=True)
        )

    for call in CALLS:
        method, template = document.operations[call.operation]
        assert call.method == method and matches(call.path, template), (call, template)
    assert {call.operation for call in CALLS} == set(document.operations)
