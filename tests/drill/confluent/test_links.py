"""Links and mirrors that are made, configured and taken away through the API."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import pytest

from tests.drill.confluent.conftest import Pair
from tests.patience import eventually

INCLUDE_ALL = json.dumps({"topicFilters": [{"name": "*", "patternType": "LITERAL", "filterType": "INCLUDE"}]})
NO_KAFKA: dict[str, Any] = {"raw_bootstrap": "", "mirrors": [], "step_s": 0}


def create(
    stand: Any, name: str, configs: Mapping[str, str] = MappingProxyType({}), **params: Any
) -> tuple[int, int | None]:
    """Ask for a link; the status, and the error code if there is one."""
    ids = params.pop("ids", {"source_cluster_id": "lkc-east01"})
    body = {**ids, "configs": [{"name": key, "value": value} for key, value in configs.items()]}
    answer = stand.http.post("/links", params={"link_name": name, **params}, json=body)
    return answer.status_code, answer.json()["error_code"] if answer.content else None


def mirror(stand: Any, link: str, **body: Any) -> tuple[int, int | None]:
    answer = stand.http.post(f"/links/{link}/mirrors", json=body)
    return answer.status_code, answer.json()["error_code"] if answer.content else None


def names(stand: Any) -> list[str]:
    return [row["link_name"] for row in stand.http.get("/links").json()["data"]]


@pytest.fixture
def west(start: Callable[..., Any]) -> Any:
    return start(link=None, **NO_KAFKA)


def test_a_link_is_created_used_and_deleted(west: Any) -> None:
    assert create(west, "one", validate_only="true") == (201, None) and names(west) == []
    assert create(west, "one") == (201, None) and names(west) == ["one"]
    row = west.http.get("/links/one").json()
    assert (row["source_cluster_id"], row["link_state"], row["topic_names"]) == ("lkc-east01", "ACTIVE", [])
    assert mirror(west, "one", source_topic_name="orders") == (201, None)
    eventually(lambda: west.states("one") == {"orders": "ACTIVE"})
    assert west.http.get("/topics/orders").json()["partitions_count"] == 2
    refused = west.http.delete("/links/one")
    assert (refused.status_code, refused.json()["error_code"]) == (403, 40301)
    assert west.http.delete("/links/one", params={"force": "true", "validate_only": "true"}).status_code == 200
    assert names(west) == ["one"]
    assert west.http.delete("/links/one", params={"force": "true"}).content == b""
    assert names(west) == [] and west.http.get("/links/one").status_code == 404
    assert west.http.get("/topics/orders").status_code == 200, "the topic stays"


def test_a_link_whose_mirrors_are_stopped_is_deleted_without_force(west: Any) -> None:
    create(west, "one")
    mirror(west, "one", source_topic_name="orders")
    west.http.post("/links/one/mirrors:failover", json={"mirror_topic_names": ["orders"]})
    eventually(lambda: west.states("one") == {"orders": "STOPPED"})
    assert west.http.get("/links/one").json()["link_state"] == "ACTIVE", "a link outlives its mirrors"
    assert west.http.delete("/links/one").status_code == 200


def test_links_that_can_not_be(west: Any) -> None:
    cases: list[tuple[str, dict[str, str], dict[str, str], tuple[int, int]]] = [
        ("", {}, {"source_cluster_id": "x"}, (400, 400)),
        ("no/slash", {}, {"source_cluster_id": "x"}, (400, 400)),
        ("one", {}, {}, (400, 400)),
        ("one", {"link.mode": "BIDIRECTIONAL"}, {"source_cluster_id": "x"}, (400, 400)),
        ("one", {"link.mode": "SIDEWAYS"}, {"source_cluster_id": "x"}, (400, 40002)),
        ("one", {"no.such.config": "1"}, {"source_cluster_id": "x"}, (400, 40002)),
        ("one", {"acl.sync.enable": "true", "cluster.link.prefix": "e."}, {"source_cluster_id": "x"}, (400, 40002)),
        (
            "one",
            {"link.mode": "BIDIRECTIONAL", "consumer.group.prefix.enable": "true"},
            {"remote_cluster_id": "x"},
            (400, 40002),
        ),
        ("one", {}, {"source_cluster_id": "x", "cluster_link_id": "AAAA"}, (400, 400)),
    ]
    for name, configs, ids, refused in cases:
        assert create(west, name, configs, ids=ids) == refused, (name, configs, ids)
    assert names(west) == []


def test_modes(west: Any) -> None:
    for mode, ids, ends in (
        ("DESTINATION", {"source_cluster_id": "lkc-e"}, ("lkc-e", None, "lkc-e")),
        ("SOURCE", {"destination_cluster_id": "lkc-e"}, (None, "lkc-e", "lkc-e")),
        ("BIDIRECTIONAL", {"remote_cluster_id": "lkc-e"}, (None, None, "lkc-e")),
    ):
        assert create(west, mode, {"link.mode": mode}, ids=ids)[0] == 201
        row = west.http.get(f"/links/{mode}").json()
        assert (row["source_cluster_id"], row["destination_cluster_id"], row["remote_cluster_id"]) == ends
        fixed = west.http.put(f"/links/{mode}/configs/link.mode", json={"value": "BIDIRECTIONAL"})
        assert (fixed.status_code, fixed.json()["error_code"]) == (400, 40002)
        made = mirror(west, mode, source_topic_name=f"of-{mode}")
        assert made == ((400, 400) if mode == "SOURCE" else (201, None))


def test_several_links_end_at_one_cluster(start: Callable[..., Any]) -> None:
    west = start(rest_only_mirrors={"count": 2, "pattern": "t{n}"}, **NO_KAFKA)
    assert create(west, "second", ids={"source_cluster_id": "lkc-south"}) == (201, None)
    mirror(west, "second", source_topic_name="sales")
    eventually(lambda: west.states("second") == {"sales": "ACTIVE"})
    every = west.http.get("/links/-/mirrors").json()["data"]
    assert {(row["link_name"], row["mirror_topic_name"]) for row in every} == {
        ("orders-link", "t0"), ("orders-link", "t1"), ("second", "sales"),
    }  # fmt: skip
    west.control.put("/links/second", json={"reachable": False}).raise_for_status()
    eventually(lambda: west.control.get("/links/second").json()["unreached_since"])
    assert west.control.get("/link").json()["unreached_since"] is None
    row = west.http.post("/links/second/mirrors:failover", json={"mirror_topic_names": ["t0", "sales"]}).json()["data"]
    assert [each["error_code"] for each in row] == [404, None]
    eventually(lambda: west.states("second") == {"sales": "STOPPED"})
    assert west.states() == {"t0": "ACTIVE", "t1": "ACTIVE"} and west.promoted() == {"sales": {"0": 0, "1": 0}}


def test_no_more_than_ten_links(west: Any) -> None:
    assert [create(west, f"link-{n}")[0] for n in range(11)] == [201] * 10 + [400]


def test_a_link_is_validated_against_the_other_cluster(start_pair: Callable[..., Pair]) -> None:
    pair = start_pair()
    assert create(pair.west, "two", validate_only="true") == (201, None)
    pair.east.child.kill()
    assert create(pair.west, "two") == (408, 408)
    assert create(pair.west, "two", validate_link="false") == (201, None)


def test_a_link_on_the_wire_knows_the_other_clusters_id(start: Callable[..., Any], source: Any, local: Any) -> None:
    west = start(link=None, mirrors=[])
    where = {"bootstrap.servers": source.bootstrap}
    assert create(west, "one", where) == (400, 400)
    actual = source.producer().list_topics().cluster_id
    assert create(west, "one", where, ids={"source_cluster_id": actual}) == (201, None)


@pytest.mark.slow
def test_a_link_with_a_prefix_on_the_wire(start: Callable[..., Any], source: Any, local: Any, guard: Any) -> None:
    west = start(link=None, mirrors=[], admin=guard.url, groups=["g"])
    groups = {"groupFilters": [{"name": "*", "patternType": "LITERAL", "filterType": "INCLUDE"}]}
    configs = {
        "bootstrap.servers": source.bootstrap,
        "cluster.link.prefix": "east.",
        "consumer.offset.sync.enable": "true",
        "consumer.offset.sync.ms": "200",
        "consumer.offset.group.filters": json.dumps(groups),
        "consumer.group.prefix.enable": "true",
    }
    source.produce("orders", [b"1", b"2", b"3"])
    source.commit("g", "orders", 0, 2)
    assert create(west, "one", configs, validate_link="false") == (201, None)
    assert create(west, "two", {"cluster.link.prefix": "east."}, validate_link="false") == (400, 400)
    assert mirror(west, "one", source_topic_name="orders", mirror_topic_name="orders") == (400, 40035)
    assert mirror(west, "one", source_topic_name="nope") == (404, 40403)
    assert mirror(west, "one", source_topic_name="orders", mirror_topic_name="east.orders") == (201, None)
    eventually(lambda: local.end("east.orders") == 3)
    eventually(lambda: local.committed("east.g", "east.orders") == 2)
    row = west.http.get("/links/one/mirrors/east.orders").json()
    assert (row["source_topic_name"], row["mirror_topic_name"]) == ("orders", "east.orders")
    assert guard.lists[-1] == ["east.orders"]
    west.http.delete("/links/one", params={"force": "true"}).raise_for_status()
    assert guard.lists[-1] == [], "without a link the topic is like any other"


def test_mirrors_that_can_not_be(start_pair: Callable[..., Pair]) -> None:
    west = start_pair().west
    cases: list[tuple[dict[str, Any], tuple[int, int]]] = [
        ({}, (400, 400)),
        ({"source_topic_name": "t0"}, (400, 40002)),
        ({"source_topic_name": "x", "replication_factor": 2}, (400, 40002)),
        ({"source_topic_name": "x", "mirror_topic_name": "y"}, (400, 40035)),
        ({"source_topic_name": "x"}, (404, 40403)),
    ]
    for body, refused in cases:
        assert mirror(west, "orders-link", **body) == refused, body


def test_a_mirror_of_a_source_that_is_lost(start_pair: Callable[..., Pair]) -> None:
    pair = start_pair()
    pair.west.break_link(reachable=False)
    assert mirror(pair.west, "orders-link", source_topic_name="x") == (408, 408)


def test_a_mirror_has_its_sources_partitions_and_configuration(start_pair: Callable[..., Pair]) -> None:
    pair = start_pair()
    configs = [{"name": "retention.ms", "value": "5000"}, {"name": "cleanup.policy", "value": "compact"}]
    made = pair.east.http.post("/topics", json={"topic_name": "new", "partitions_count": 5, "configs": configs})
    assert (made.status_code, made.json()["partitions_count"]) == (201, 5)
    changed = [{"name": "retention.ms", "value": "7000"}]
    assert mirror(pair.west, "orders-link", source_topic_name="new", configs=changed) == (201, None)
    assert pair.west.mirror("new")["num_partitions"] == 5
    rows = {row["name"]: row for row in pair.west.http.get("/topics/new/configs").json()["data"]}
    assert (rows["retention.ms"]["value"], rows["cleanup.policy"]["value"]) == ("7000", "compact")
    assert rows["cleanup.policy"]["source"] == "DYNAMIC_TOPIC_CONFIG"


def test_a_new_mirror_is_pending_first(start: Callable[..., Any]) -> None:
    west = start(**{**NO_KAFKA, "step_s": 0.5})
    mirror(west, "orders-link", source_topic_name="new")
    assert west.states() == {"new": "PENDING_MIRROR"}
    eventually(lambda: west.states() == {"new": "ACTIVE"})


def test_topics_come_grow_and_go(start: Callable[..., Any]) -> None:
    west = start(**NO_KAFKA)
    body = {"topic_name": "x", "partitions_count": 2}
    assert west.http.post("/topics", json={**body, "validate_only": True}).status_code == 200
    assert west.http.get("/topics/x").status_code == 404
    assert west.http.post("/topics", json=body).status_code == 201
    assert west.http.post("/topics", json=body).json()["error_code"] == 40002
    assert west.http.patch("/topics/x", json={"partitions_count": 2}).status_code == 400
    assert west.http.patch("/topics/x", json={"partitions_count": 4}).json()["partitions_count"] == 4
    assert west.http.delete("/topics/x").status_code == 204
    assert west.http.get("/topics").json()["data"] == []


def test_the_mock_cluster_says_what_it_can_not_do(start: Callable[..., Any], local: Any) -> None:
    west = start(link=None, mirrors=[])
    assert west.http.post("/topics", json={"topic_name": "x"}).json()["partitions_count"] == 4, "the brokers' default"
    for answer in (west.http.delete("/topics/x"), west.http.patch("/topics/x", json={"partitions_count": 9})):
        assert (answer.status_code, answer.json()["error_code"]) == (400, 40035)
