"""The API over real HTTP: what it answers to what, beside its documented shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.patience import eventually

L = "/links/orders-link"

ACL = {
    "resource_type": "TOPIC",
    "resource_name": "orders",
    "pattern_type": "LITERAL",
    "principal": "User:1",
    "host": "*",
    "operation": "READ",
    "permission": "ALLOW",
}


@pytest.fixture
def stand(start: Callable[..., Any], source: Any, local: Any) -> Callable[..., Any]:
    """A stand-in whose every endpoint has something to say."""

    def started(**changes: Any) -> Any:
        source.produce("orders", [b"1", b"2"])
        stand = start(link={"offset_sync_s": 3600}, acls=[ACL], **changes)
        local.commit("fulfilment", "orders", 0, 1)
        return stand

    return started


def west_url(west: Any, path: str) -> str:
    """Without the slash that httpx would put behind an empty path."""
    return str(west.http.base_url).rstrip("/") + path


def test_what_is_not_there(start: Callable[..., Any]) -> None:
    west = start()
    for path, status, code, message in (
        ("/links/nope", 404, 404, "The cluster link doesn't exist: Cluster link 'nope' does not exist."),
        ("/links/nope/mirrors", 404, 404, "The cluster link doesn't exist: Cluster link 'nope' does not exist."),
        (f"{L}/mirrors/nope", 404, 40403, "This server does not host this topic-partition."),
        ("/links//mirrors", 400, 400, "Invalid Cluster Link Name."),
        ("/nope", 404, 404, "HTTP 404 Not Found"),
        (f"{L}/configs/nope", 404, 404, "Config nope cannot be found for LINK orders-link."),
        ("/consumer-groups/nope/lags", 404, 404, "Consumer group offsets could not be found."),
        (f"{L}/mirrors:failover", 405, 405, "HTTP 405 Method Not Allowed"),
    ):
        answer = west.http.get(path)
        assert (answer.status_code, answer.json()) == (status, {"error_code": code, "message": message}), path


def test_another_cluster_is_not_found(start: Callable[..., Any]) -> None:
    west = start()
    answer = west.http.get(west_url(west, "").replace("lkc-west01", "lkc-other"))
    assert (answer.status_code, answer.json()["message"]) == (404, "Cluster lkc-other cannot be found.")


def test_a_verb_needs_names_or_a_pattern(start: Callable[..., Any]) -> None:
    west = start()
    bodies: tuple[object, ...] = (
        {},
        {"mirror_topic_names": ["orders"], "mirror_topic_name_pattern": ".*"},
        {"mirror_topic_names": "orders"},
        {"mirror_topic_name_pattern": "("},
        [],
    )
    for body in bodies:
        answer = west.http.post(f"{L}/mirrors:failover", json=body)
        assert answer.status_code == 400 and answer.json()["error_code"] == 400, body
    assert west.status() == "ACTIVE"


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


def test_mirrors_are_listed_by_status_and_stay_listed_when_stopped(start: Callable[..., Any]) -> None:
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
