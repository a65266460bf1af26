"""The API over real HTTP: what it answers, held against the OpenAPI document and against what real clusters did."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from jsonschema import Draft202012Validator

DOCUMENT = Path(
    os.environ.get("KAFKA_REST_OPENAPI")
    or Path(__file__).resolve().parents[4] / "shared/reference/kafka-rest-v3.openapi.yaml"
)
L = "/links/orders-link"
NAMES = {"mirror_topic_names": ["orders", "payments", "nope"]}

# Operation, method, path, JSON body. Every route of the stand-in is here.
READS = [
    ("getKafkaCluster", "GET", "", None),
    ("listKafkaTopics", "GET", "/topics", None),
    ("getKafkaTopic", "GET", "/topics/orders", None),
    ("getKafkaAcls", "GET", "/acls?principal=User:1", None),
    ("listKafkaConsumerGroups", "GET", "/consumer-groups", None),
    ("listKafkaConsumerLags", "GET", "/consumer-groups/fulfilment/lags", None),
    ("listKafkaLinks", "GET", "/links", None),
    ("getKafkaLink", "GET", L, None),
    ("getKafkaLink", "GET", f"{L}?include_tasks=true", None),
    ("listKafkaLinkConfigs", "GET", f"{L}/configs", None),
    ("getKafkaLinkConfigs", "GET", f"{L}/configs/sasl.jaas.config", None),
    ("listKafkaMirrorTopicsUnderLink", "GET", f"{L}/mirrors", None),
    ("listKafkaMirrorTopics", "GET", "/links/-/mirrors", None),
    ("readKafkaMirrorTopic", "GET", f"{L}/mirrors/orders?include_state_transition_errors=true", None),
]
VERBS = [
    ("updateKafkaMirrorTopicsPause", "POST", f"{L}/mirrors:pause", NAMES),
    ("updateKafkaMirrorTopicsResume", "POST", f"{L}/mirrors:resume", NAMES),
    ("updateKafkaMirrorTopicsPromote", "POST", f"{L}/mirrors:promote?validate_only=true", NAMES),
    ("updateKafkaMirrorTopicsFailover", "POST", f"{L}/mirrors:failover", NAMES),
    ("updateKafkaMirrorTopicsFailover", "POST", f"{L}/mirrors:failover", {"mirror_topic_name_pattern": "ord.*"}),
]
WRITES = [
    ("updateKafkaLinkConfig", "PUT", f"{L}/configs/acl.sync.ms", {"value": "7000"}),
    ("deleteKafkaLinkConfig", "DELETE", f"{L}/configs/acl.sync.ms", None),
    ("updateKafkaLinkConfigBatch", "PUT", f"{L}/configs:alter", {"data": [{"name": "acl.sync.ms", "value": "9"}]}),
]
ACL = {
    "resource_type": "TOPIC",
    "resource_name": "orders",
    "pattern_type": "LITERAL",
    "principal": "User:1",
    "host": "*",
    "operation": "READ",
    "permission": "ALLOW",
}
# Where `recorded` answers leave the document, as real clusters did.
DEVIATIONS = {
    "getKafkaLinkConfigs": {"None is not of type 'string'"},  # a sensitive value
    "listKafkaLinkConfigs": {"None is not of type 'string'"},
    **{
        f"updateKafkaMirrorTopics{verb}": {
            "'messages_truncated' is a required property",
            "'partition_level_truncation_data' is a required property",
        }
        for verb in ("Pause", "Resume", "Promote", "Failover")
    },
}


@pytest.fixture(scope="session")
def document() -> dict[str, Any]:
    """The OpenAPI document as JSON Schema: `nullable` spelled out, and closed against fields it does not know."""
    if not DOCUMENT.exists():
        pytest.skip(f"the OpenAPI document of Kafka REST v3 is not at {DOCUMENT}; name it in KAFKA_REST_OPENAPI")
    loaded: dict[str, Any] = yaml.load(DOCUMENT.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))

    def walk(node: Any) -> Any:
        if isinstance(node, list):
            return [walk(inner) for inner in node]
        if not isinstance(node, dict):
            return node
        node = {name: walk(inner) for name, inner in node.items()}
        if node.pop("nullable", False) is True and isinstance(node.get("type"), str):
            node["type"] = [node["type"], "null"]
        if "allOf" in node:
            node["unevaluatedProperties"] = False
        return node

    walked: dict[str, Any] = walk(loaded)
    return walked


def complaints(document: dict[str, Any], operation: str, answer: httpx.Response) -> set[str]:
    """What the document has against an answer."""
    operations = (op for path in document["paths"].values() for op in path.values() if isinstance(op, dict))
    responses = next(op for op in operations if op.get("operationId") == operation)["responses"]
    key = str(answer.status_code)
    documented = responses.get(key) or responses.get(f"{key[0]}XX")
    if documented is None:
        return {f"status {key} is not documented"}
    if "content" not in documented:
        return {"a body that is not documented"} if answer.content else set()
    media = answer.headers["content-type"].partition(";")[0]
    if media not in documented["content"]:
        return {f"media type {media} is not documented"}
    schema = {**documented["content"][media]["schema"], "components": document["components"]}
    instance = answer.json() if media.endswith("json") else answer.text
    errors = list(Draft202012Validator(schema).iter_errors(instance))
    # What a failed part evaluated counts as unevaluated: that only means something where it is the sole complaint.
    real = [error for error in errors if error.validator != "unevaluatedProperties"] or errors
    return {error.message for error in real}


@pytest.fixture
def stand(start: Callable[..., Any], source: Any, local: Any) -> Callable[..., Any]:
    """A stand-in whose every endpoint has something to say."""

    def started(**changes: Any) -> Any:
        source.produce("orders", [b"1", b"2"])
        stand = start(link={"offset_sync_s": 3600}, acls=[ACL], **changes)
        local.commit("fulfilment", "orders", 0, 1)
        return stand

    return started


@pytest.mark.parametrize("wire", ["spec", "recorded"])
def test_every_answer_is_as_documented_or_a_known_deviation(
    stand: Callable[..., Any], document: dict[str, Any], wire: str
) -> None:
    west = stand(wire=wire, unmanaged_row=True)
    for operation, method, path, body in [*READS, *VERBS, *WRITES]:
        answer = west.http.request(method, west_url(west, path), json=body)
        assert answer.is_success, (operation, answer.text)
        allowed = DEVIATIONS.get(operation, set()) if wire == "recorded" else set()
        assert complaints(document, operation, answer) == allowed, operation


@pytest.mark.parametrize(("operation", "method", "path", "body"), [*READS, *VERBS, *WRITES])
def test_the_routes_tried_are_those_of_the_document(
    document: dict[str, Any], operation: str, method: str, path: str, body: Any
) -> None:
    found = [
        (verb, template)
        for template, item in document["paths"].items()
        for verb, details in item.items()
        if isinstance(details, dict) and details.get("operationId") == operation
    ]
    assert [verb.upper() for verb, _ in found] == [method]


def test_errors_are_as_documented(stand: Callable[..., Any], document: dict[str, Any]) -> None:
    west = stand(wire="spec")
    get = "getKafkaCluster"
    stranger = west.http.get(west_url(west, ""), auth=("key", "wrong"))
    assert stranger.status_code == 401
    assert stranger.json() == {"error_code": 40101, "message": "Authentication failed"}
    assert complaints(document, get, stranger) == set()
    west.fault(kind="html429")
    limited = west.http.get(west_url(west, ""))
    assert limited.status_code == 429 and complaints(document, get, limited) == set()
    west.fault(kind="status", status=500, error_code=50003, message="This is a retriable error")
    failed = west.http.get(west_url(west, ""))
    assert failed.json()["error_code"] == 50003 and complaints(document, get, failed) == set()
    bad = west.http.post(f"{L}/mirrors:failover", content=b"{")
    assert bad.status_code == 400
    assert complaints(document, "updateKafkaMirrorTopicsFailover", bad) == set()


def west_url(west: Any, path: str) -> str:
    """Without the slash that httpx would put behind an empty path."""
    return str(west.http.base_url).rstrip("/") + path


def test_authentication(stand: Callable[..., Any]) -> None:
    west = stand()
    for auth in [("key", "wrong"), ("other", "secret"), ("", "")]:
        assert west.http.get("/links", auth=auth).status_code == 401
    assert httpx.get(west_url(west, "/links"), trust_env=False).status_code == 401
    assert httpx.get(west_url(west, "/links"), headers={"authorization": "Bearer x"}).status_code == 401
    token = base64.b64encode(b"key:secret").decode()
    for scheme, status in [("Bearer", 401), ("basic", 200)]:
        answer = httpx.get(west_url(west, "/links"), headers={"authorization": f"{scheme} {token}"}, trust_env=False)
        assert answer.status_code == status
    assert west.http.get("/links").status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "code", "message"),
    [
        ("/links/nope", 404, 404, "The cluster link doesn't exist: Cluster link 'nope' does not exist."),
        ("/links/nope/mirrors", 404, 404, "The cluster link doesn't exist: Cluster link 'nope' does not exist."),
        (f"{L}/mirrors/nope", 404, 40403, "This server does not host this topic-partition."),
        ("/links//mirrors", 400, 400, "Invalid Cluster Link Name."),
        ("/nope", 404, 404, "HTTP 404 Not Found"),
        (f"{L}/configs/nope", 404, 404, "Config nope cannot be found for LINK orders-link."),
        ("/consumer-groups/nope/lags", 404, 404, "Consumer group offsets could not be found."),
        (f"{L}/mirrors:failover", 405, 405, "HTTP 405 Method Not Allowed"),
    ],
)
def test_what_is_not_there(start: Callable[..., Any], path: str, status: int, code: int, message: str) -> None:
    answer = start().http.get(path)
    assert (answer.status_code, answer.json()) == (status, {"error_code": code, "message": message})


def test_another_cluster_is_not_found(start: Callable[..., Any]) -> None:
    west = start()
    answer = west.http.get(west_url(west, "").replace("lkc-west01", "lkc-other"))
    assert (answer.status_code, answer.json()["message"]) == (404, "Cluster lkc-other cannot be found.")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"mirror_topic_names": ["orders"], "mirror_topic_name_pattern": ".*"},
        {"mirror_topic_names": "orders"},
        {"mirror_topic_name_pattern": "("},
        [],
    ],
)
def test_a_verb_needs_names_or_a_pattern(start: Callable[..., Any], body: Any) -> None:
    west = start()
    answer = west.http.post(f"{L}/mirrors:failover", json=body)
    assert answer.status_code == 400 and answer.json()["error_code"] == 400
    assert west.status() == "ACTIVE"


def test_a_call_answers_200_even_if_every_row_failed(start: Callable[..., Any]) -> None:
    west = start()
    assert [row["error_code"] for row in west.verb("failover", ["nope", "neither"])] == [404, 404]


def test_validate_only_answers_the_same_and_changes_nothing(start: Callable[..., Any]) -> None:
    west = start(stop_delay_s=0)
    rows = west.verb("failover", ["orders", "nope"], validate_only="true")
    assert [row["error_code"] for row in rows] == [None, 404]
    assert west.status() == "ACTIVE"


def test_a_pattern_hits_the_topics_it_matches_whole(start: Callable[..., Any]) -> None:
    west = start()
    answer = west.http.post(f"{L}/mirrors:failover", json={"mirror_topic_name_pattern": "order"})
    assert answer.json()["data"] == []
    answer = west.http.post(f"{L}/mirrors:failover", json={"mirror_topic_name_pattern": "pay.*"})
    assert [row["mirror_topic_name"] for row in answer.json()["data"]] == ["payments"]


def test_the_recorded_shape_lacks_what_real_clusters_left_out(start: Callable[..., Any]) -> None:
    answer = start().http.post(f"{L}/mirrors:failover", json=NAMES).json()
    assert answer["kind"] == "KafkaAlterMirrorsDataList" and answer["metadata"]["next"] is None
    assert set(answer["data"][0]) == {
        "kind", "metadata", "mirror_topic_name", "error_code", "error_message", "mirror_lags",
    }  # fmt: skip


def test_mirrors_are_listed_by_status_and_stay_listed_when_stopped(start: Callable[..., Any], eventually: Any) -> None:
    west = start(stop_delay_s={"orders": 0, "*": 60})
    west.verb("failover", ["orders", "payments"])
    eventually(lambda: west.status("orders") == "STOPPED")

    def listed(path: str, **params: str) -> dict[str, str]:
        rows = west.http.get(path, params=params).json()["data"]
        return {row["mirror_topic_name"]: row["mirror_status"] for row in rows}

    assert listed(f"{L}/mirrors") == {"orders": "STOPPED", "payments": "PENDING_STOPPED"}
    assert listed(f"{L}/mirrors", mirror_status="STOPPED") == {"orders": "STOPPED"}
    assert listed("/links/-/mirrors", mirror_status="PENDING_STOPPED") == {"payments": "PENDING_STOPPED"}
    repeated = west.verb("failover", ["orders"])[0]
    assert repeated["error_code"] == 400
    assert repeated["error_message"] == "Topic 'orders' has already stopped its mirror from 'orders-link'"


def test_partitions_come_in_any_order(start: Callable[..., Any]) -> None:
    west = start()
    orders = {tuple(row["partition"] for row in west.mirror()["mirror_lags"]) for _ in range(30)}
    assert len(orders) > 1 and {tuple(sorted(order)) for order in orders} == {(0, 1, 2, 3)}


def test_a_cluster_without_a_link_has_none(start: Callable[..., Any]) -> None:
    east = start(link=None, mirrors=[])
    assert east.http.get("/links").json()["data"] == []
    assert east.http.get("/links/-/mirrors").json()["data"] == []
    assert east.http.get(L).status_code == 404
    assert east.promoted() == {}


def test_topics_and_their_configuration(start: Callable[..., Any]) -> None:
    west = start(rest_only_topics={"count": 2, "pattern": "bulk{n}", "partitions": 6})
    rows = {row["topic_name"]: row for row in west.http.get("/topics").json()["data"]}
    assert {name: row["partitions_count"] for name, row in rows.items()} == {
        "bulk0": 6, "bulk1": 6, "orders": 4, "payments": 4,
    }  # fmt: skip
    assert rows["orders"]["replication_factor"] == 3 and not rows["orders"]["is_internal"]
    assert west.http.get("/topics/nope").json()["error_code"] == 40403
    configs = {row["name"]: row for row in west.http.get("/topics/orders/configs").json()["data"]}
    assert configs["retention.ms"]["value"] == "604800000" and configs["retention.ms"]["is_default"]


def test_acls_are_found_by_filter(start: Callable[..., Any]) -> None:
    prefixed = {**ACL, "resource_name": "ord", "pattern_type": "PREFIXED", "principal": "User:2"}
    west = start(acls=[ACL, prefixed])

    def principals(**filters: str) -> list[str]:
        return [row["principal"] for row in west.http.get("/acls", params=filters).json()["data"]]

    assert principals() == principals(resource_type="ANY", operation="ANY") == ["User:2", "User:1"]
    assert principals(principal="User:1") == ["User:1"]
    assert principals(resource_name="orders", pattern_type="MATCH") == ["User:2", "User:1"]
    assert principals(resource_name="orders", pattern_type="LITERAL") == ["User:1"]
    assert principals(resource_name="orders") == ["User:1"]
    assert principals(operation="WRITE") == []


def test_lags_of_groups_are_for_dedicated_clusters_only(stand: Callable[..., Any]) -> None:
    west = stand()
    assert west.http.get("/consumer-groups/fulfilment/lags").status_code == 200
    west.control.put("/cluster", json={"dedicated": False}).raise_for_status()
    assert west.http.get("/consumer-groups/fulfilment/lags").status_code == 404


def test_groups_have_states(stand: Callable[..., Any]) -> None:
    west = stand(groups=["reporting"])

    def states() -> dict[str, str]:
        return {row["consumer_group_id"]: row["state"] for row in west.http.get("/consumer-groups").json()["data"]}

    assert states() == {"fulfilment": "EMPTY"}, "reporting has committed nothing"
    west.control.put("/cluster", json={"groups": {"fulfilment": "DEAD", "x": "STABLE"}}).raise_for_status()
    assert states() == {"fulfilment": "DEAD", "x": "STABLE"}
    west.control.put("/cluster", json={"groups": {"fulfilment": None, "x": None}}).raise_for_status()
    assert states() == {"fulfilment": "EMPTY"}


def test_link_configs_over_http(start: Callable[..., Any]) -> None:
    west = start()

    def value(name: str) -> Any:
        return west.http.get(f"{L}/configs/{name}").json()["value"]

    assert west.http.put(f"{L}/configs/acl.sync.ms", json={"value": "7000"}).status_code == 204
    assert value("acl.sync.ms") == "7000"
    assert west.http.delete(f"{L}/configs/acl.sync.ms").status_code == 204
    assert value("acl.sync.ms") == "5000"
    batch = {"data": [{"name": "acl.sync.ms", "value": "1"}, {"name": "link.mode", "value": "SOURCE"}]}
    refused = west.http.put(f"{L}/configs:alter", json=batch)
    assert (refused.status_code, refused.json()["error_code"]) == (400, 40002)
    assert value("acl.sync.ms") == "5000"
    assert west.http.post(f"{L}/configs:alter", json=batch).status_code == 405
    batch = {"data": [{"name": "consumer.offset.sync.enable", "value": "false"}]}
    assert west.http.put(f"{L}/configs:alter", json={**batch, "validate_only": True}).status_code == 204
    assert value("consumer.offset.sync.enable") == "true"
    assert west.http.put(f"{L}/configs:alter", json=batch).status_code == 204
    assert value("consumer.offset.group.filters") == ""
    tasks = west.http.get(L, params={"include_tasks": "true"}).json()["tasks"]
    assert {task["task_name"]: task["state"] for task in tasks}["ConsumerOffsetSync"] == "NOT_CONFIGURED"


def test_the_link_is_paused_by_its_configuration(start: Callable[..., Any]) -> None:
    west = start()
    west.http.put(f"{L}/configs/cluster.link.paused", json={"value": "true"})
    assert west.status() == "LINK_PAUSED" and west.http.get(L).json()["link_state"] == "PAUSED"
    west.http.put(f"{L}/configs/cluster.link.paused", json={"value": "false"})
    assert west.status() == "ACTIVE" and west.http.get(L).json()["link_state"] == "ACTIVE"
