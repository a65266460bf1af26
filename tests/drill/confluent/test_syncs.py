"""What a link does beside copying records: new topics, ACLs, topic configurations, group offsets; and its tasks."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drill.confluent.acls import Acl
from drill.confluent.filters import acl_filters, synced_acls
from tests.claims import reaches
from tests.drill.confluent.conftest import Pair
from tests.patience import eventually

L = "/links/orders-link"
ANY = {"resourceFilter": {"resourceType": "any", "patternType": "any"}, "accessFilter": {"operation": "any"}}


def acl(name: str, principal: str = "User:1", **changes: str) -> dict[str, str]:
    return {
        "resource_type": "TOPIC",
        "resource_name": name,
        "pattern_type": "LITERAL",
        "principal": principal,
        "host": "*",
        "operation": "READ",
        "permission": "ALLOW",
        **changes,
    }


def configure(stand: Any, **configs: str) -> None:
    data = [{"name": name.replace("_", "."), "value": value} for name, value in configs.items()]
    stand.http.put(f"{L}/configs:alter", json={"data": data}).raise_for_status()


def topic_filter(*rows: tuple[str, str, str]) -> str:
    keys = ("name", "patternType", "filterType")
    return json.dumps({"topicFilters": [dict(zip(keys, row, strict=True)) for row in rows]})


def resources(stand: Any) -> set[str]:
    return {row["resource_name"] for row in stand.http.get("/acls").json()["data"]}


def test_new_topics_are_mirrored_as_the_filters_say(start_pair: Callable[..., Pair]) -> None:
    pair = start_pair()
    for name in ("orders.eu", "orders.us", "orders.tmp", "internal", "__hidden"):
        pair.east.http.post("/topics", json={"topic_name": name, "partitions_count": 3}).raise_for_status()
    assert pair.west.task("AutoCreateMirror")["state"] == "NOT_CONFIGURED"
    filters = topic_filter(("orders.", "PREFIXED", "INCLUDE"), ("orders.tmp", "LITERAL", "EXCLUDE"))
    configure(pair.west, auto_create_mirror_topics_enable="true", auto_create_mirror_topics_filters=filters)
    assert pair.west.task("AutoCreateMirror")["state"] == "ACTIVE"
    eventually(lambda: {"orders.eu", "orders.us"} <= pair.west.states().keys())
    eventually(lambda: set(pair.west.states().values()) == {"ACTIVE"})
    assert pair.west.mirror("orders.eu")["num_partitions"] == 3
    pair.east.http.post("/topics", json={"topic_name": "orders.jp"}).raise_for_status()
    eventually(lambda: "orders.jp" in pair.west.states())
    assert not {"internal", "orders.tmp", "__hidden"} & pair.west.states().keys()


def test_a_new_topic_that_is_there_already_is_an_error_of_the_task(start_pair: Callable[..., Pair]) -> None:
    pair = start_pair()
    for stand in (pair.east, pair.west):
        stand.http.post("/topics", json={"topic_name": "orders"}).raise_for_status()
    filters = topic_filter(("orders", "LITERAL", "INCLUDE"))
    configure(pair.west, auto_create_mirror_topics_enable="true", auto_create_mirror_topics_filters=filters)
    eventually(lambda: pair.west.task("AutoCreateMirror")["state"] == "IN_ERROR")
    assert "orders" not in pair.west.states()


@pytest.mark.slow
def test_new_topics_on_the_wire_are_read_only_and_copied(
    start: Callable[..., Any], source: Any, local: Any, guard: Any
) -> None:
    filters = topic_filter(("*", "LITERAL", "INCLUDE"))
    more = {"auto.create.mirror.topics.enable": "true", "auto.create.mirror.topics.filters": filters}
    west = start(link={"configs": more}, mirrors=["orders"], admin=guard.url, auto_create_s=0.2, step_s=0)
    source.produce("late", [b"1", b"2"])
    eventually(lambda: "late" in west.states() and local.end("late") == 2)
    assert guard.lists[-1] == ["late", "orders"]


def test_acls_follow_the_source_and_those_it_has_not_are_deleted(start_pair: Callable[..., Pair]) -> None:
    pair = start_pair(east={"acls": [acl("orders"), acl("sales")]}, west={"acls": [acl("stale"), acl("own", "User:9")]})
    assert pair.west.task("AclSync")["state"] == "NOT_CONFIGURED"
    access = {"operation": "any", "permissionType": "any", "principal": "User:1"}
    filters = json.dumps({"aclFilters": [{**ANY, "accessFilter": access}]})
    configure(pair.west, acl_sync_ms="100", acl_sync_enable="true", acl_filters=filters)
    eventually(lambda: resources(pair.west) == {"orders", "sales", "own"})
    pair.east.http.post("/acls", json=acl("returns")).raise_for_status()
    eventually(lambda: "returns" in resources(pair.west))
    gone = {"resource_type": "TOPIC", "pattern_type": "ANY", "operation": "ANY", "permission": "ANY"}
    deleted = pair.east.http.delete("/acls", params={**gone, "resource_name": "sales"})
    assert [row["resource_name"] for row in deleted.json()["data"]] == ["sales"]
    eventually(lambda: resources(pair.west) == {"orders", "returns", "own"})
    configure(pair.west, acl_sync_enable="false")
    assert pair.west.http.get(f"{L}/configs/acl.filters").json()["value"] == "", "switching it off clears its filters"
    pair.east.http.post("/acls", json=acl("later")).raise_for_status()
    assert pair.west.task("AclSync")["state"] == "NOT_CONFIGURED"


def test_an_acl_filter_that_says_nothing_is_refused(start_pair: Callable[..., Pair]) -> None:
    pair = start_pair()
    assert pair.east.http.delete("/acls", params={"resource_type": "TOPIC"}).json() == {
        "error_code": 400,
        "message": "pattern_type cannot be unspecified or UNKNOWN",
    }


@given(
    ours=st.frozensets(st.sampled_from("abcd")),
    theirs=st.frozensets(st.sampled_from("abcd")),
    synced=st.frozensets(st.sampled_from("abcd")),
)
def test_inside_the_filters_is_the_source_outside_is_what_was_here(
    ours: Collection[str], theirs: Collection[str], synced: Collection[str]
) -> None:
    def acls(of: Collection[str]) -> frozenset[Acl]:
        return frozenset(Acl.model_validate(acl(name)) for name in of)

    reaches(set(synced) & (set(ours) ^ set(theirs)), floor=0.1)
    rows = [{**ANY, "resourceFilter": {"resourceType": "topic", "name": name}} for name in synced]
    after = synced_acls(acls(ours), acls(theirs), acl_filters(json.dumps({"aclFilters": rows})))
    assert {each.resource_name for each in after} == (set(ours) - set(synced)) | (set(theirs) & set(synced))


def test_topic_configurations_follow_the_source(start_pair: Callable[..., Pair]) -> None:
    pair = start_pair(west={"link": {"configs": {"topic.config.sync.ms": "100"}}})
    pair.east.control.put("/cluster", json={"topic_configs": {"t0": {"retention.ms": "1"}}}).raise_for_status()

    def retention(topic: str) -> str:
        rows = pair.west.http.get(f"/topics/{topic}/configs").json()["data"]
        return str(next(row["value"] for row in rows if row["name"] == "retention.ms"))

    eventually(lambda: retention("t0") == "1")
    assert retention("t1") == "604800000"


def test_a_task_whose_source_is_lost_says_so(start_pair: Callable[..., Pair]) -> None:
    more = {"acl.sync.enable": "true", "acl.sync.ms": "100", "acl.filters": json.dumps({"aclFilters": [ANY]})}
    pair = start_pair(west={"link": {"configs": more, "link_unavailable_after_s": 0.2}})
    eventually(lambda: pair.west.task("AclSync")["state"] == "ACTIVE")
    pair.west.break_link(reachable=False)
    eventually(lambda: pair.west.task("AclSync")["state"] == "LINK_UNAVAILABLE")
    assert pair.west.task("AutoCreateMirror")["state"] == "NOT_CONFIGURED", "what is off is off whatever happens"


def test_a_link_that_failed_or_is_paused_shows_in_its_tasks_and_mirrors(start_pair: Callable[..., Pair]) -> None:
    pair = start_pair()
    pair.west.break_link(error="AUTHENTICATION_ERROR")
    link = pair.west.http.get(L).json()
    assert (link["link_state"], link["link_error"]) == ("FAILED", "AUTHENTICATION_ERROR")
    assert set(pair.west.states().values()) == {"LINK_FAILED"}
    assert pair.west.task("TopicConfigsSync")["state"] == "LINK_FAILED"
    assert [row["error_code"] for row in pair.west.verb("promote", ["t0"])] == [400]
    assert [row["error_code"] for row in pair.west.verb("failover", ["t0"])] == [None]
    pair.west.break_link(error="NO_ERROR")
    configure(pair.west, cluster_link_paused="true")
    assert pair.west.states()["t1"] == "LINK_PAUSED"
    assert pair.west.task("TopicConfigsSync")["state"] == "LINK_PAUSED"


@pytest.mark.slow
def test_offsets_can_be_synced_further_than_the_data(start: Callable[..., Any], source: Any, local: Any) -> None:
    """What a failover finds if offsets came and the records they stand for did not."""
    source.produce("orders", [b"%d" % n for n in range(10)])
    source.commit("fulfilment", "orders", 0, 6)
    west = start(stop_delay_s=0)
    eventually(lambda: local.end("orders") == 10 and local.committed("fulfilment", "orders") == 6)
    west.break_link(offsets_ahead=5)
    eventually(lambda: local.committed("fulfilment", "orders") == 15)
    assert local.committed("fulfilment", "orders", partition=1) < 0, "the group never was there"
    west.verb("failover", ["orders", "payments"])
    eventually(lambda: set(west.states().values()) == {"STOPPED"})
    row = west.http.get("/consumer-groups/fulfilment/lags").json()["data"][0]
    assert (row["current_offset"], row["log_end_offset"], row["lag"]) == (15, 10, -5)


def test_a_group_that_is_said_to_be_active_is_skipped(start_pair: Callable[..., Pair]) -> None:
    pair = start_pair(west={"link": {"groups": ["fulfilment", "other"], "offset_sync_s": 0.1}})
    assert pair.west.task("ConsumerOffsetSync")["state"] == "ACTIVE"
    pair.west.control.put("/cluster", json={"groups": {"fulfilment": "STABLE"}}).raise_for_status()
    errors = eventually(lambda: pair.west.task("ConsumerOffsetSync")["errors"])
    assert [error["error_code"] for error in errors] == ["CONSUMER_GROUP_IN_USE_ERROR"]
    assert pair.west.task("ConsumerOffsetSync")["state"] == "IN_ERROR"
    pair.west.control.put("/cluster", json={"groups": {"fulfilment": None}}).raise_for_status()
    eventually(lambda: pair.west.task("ConsumerOffsetSync")["state"] == "ACTIVE")


def test_a_stuck_mirror_says_why(start_pair: Callable[..., Pair]) -> None:
    pair = start_pair()
    pair.west.break_link(stuck={"t0": "CLUSTER_AUTHORIZATION_ERROR"})
    pair.west.verb("failover", ["t0", "t1"])
    eventually(lambda: pair.west.states() == {"t0": "PENDING_STOPPED", "t1": "STOPPED", "t2": "ACTIVE"})

    def errors() -> Any:
        body = pair.west.mirror("t0", include_state_transition_errors="true")
        return [error["error_code"] for error in body["mirror_state_transition_errors"]]

    assert eventually(errors) == ["CLUSTER_AUTHORIZATION_ERROR"]
    assert "mirror_state_transition_errors" not in pair.west.mirror("t0")
    pair.west.break_link(stuck=[])
    eventually(lambda: pair.west.states()["t0"] == "STOPPED")
