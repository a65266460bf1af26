"""Where real clusters leave the OpenAPI document, or go beyond it: each fact by name, in the shape `recorded`.

From recordings of January 2024, and from what Confluent's CLI, Terraform provider and migration tool are coded for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.patience import eventually

L = "/links/orders-link"


@pytest.fixture
def west(start: Callable[..., Any]) -> Callable[..., Any]:
    """A stand-in with three mirrors that exist in the API only."""

    def started(**changes: Any) -> Any:
        what = {"count": 3, "pattern": "t{n}", "lag": 9, "partitions": 4, **changes.pop("rest_only_mirrors", {})}
        return start(raw_bootstrap="", mirrors=[], rest_only_mirrors=what, step_s=0, **changes)

    return started


def verb(stand: Any, topics: list[str]) -> httpx.Response:
    answer: httpx.Response = stand.http.post(f"{L}/mirrors:failover", json={"mirror_topic_names": topics})
    return answer


def new_link(stand: Any, name: str, configs: list[dict[str, str]] | None = None) -> httpx.Response:
    body = {"source_cluster_id": "lkc-east01", "configs": configs or []}
    answer: httpx.Response = stand.http.post("/links", params={"link_name": name}, json=body)
    return answer


def test_the_kind_of_a_verbs_list_is_not_that_of_the_document(west: Callable[..., Any]) -> None:
    body = verb(west(), ["t0"]).json()
    assert body["kind"] == "KafkaAlterMirrorsDataList" and body["metadata"]["next"] is None
    assert verb(west(wire="spec"), ["t0"]).json()["kind"] == "KafkaPromoteMirror"


def test_verbs_leave_out_the_truncation_fields_that_are_required(west: Callable[..., Any]) -> None:
    old, new = (set(verb(west(wire=wire), ["t0"]).json()["data"][0]) for wire in ("recorded", "spec"))
    assert new - old == {"messages_truncated", "partition_level_truncation_data"} and not old - new


def test_a_verb_answers_200_even_if_every_topic_failed(west: Callable[..., Any]) -> None:
    answer = verb(west(), ["no", "neither"])
    assert answer.status_code == 200
    assert [row["error_code"] for row in answer.json()["data"]] == [404, 404]


def test_what_is_created_answers_201_without_a_body(west: Callable[..., Any]) -> None:
    for wire, status in (("recorded", 201), ("spec", 204)):
        stand = west(wire=wire)
        made = stand.http.post(f"{L}/mirrors", json={"source_topic_name": "new"})
        assert [(a.status_code, a.content) for a in (made, new_link(stand, "one"))] == [(status, b"")] * 2


def test_configs_alter_is_put_and_post_is_405(west: Callable[..., Any]) -> None:
    stand, body = west(), {"data": [{"name": "acl.sync.ms", "value": "1"}]}
    assert stand.http.post(f"{L}/configs:alter", json=body).status_code == 405
    assert stand.http.put(f"{L}/configs:alter", json=body).status_code == 204


def test_a_source_initiated_link_that_was_deleted_leaves_a_row_without_a_name(west: Callable[..., Any]) -> None:
    stand = west()
    assert new_link(stand, "inbound", [{"name": "connection.mode", "value": "INBOUND"}]).is_success
    assert stand.http.delete("/links/inbound").is_success
    rows = stand.http.get("/links").json()["data"]
    assert [row["link_name"] for row in rows] == ["orders-link", ""]
    malformed = stand.http.get("/links//mirrors")
    assert (malformed.status_code, malformed.json()["message"]) == (400, "Invalid Cluster Link Name.")


def test_older_rows_of_links_tell_nothing_of_their_health(west: Callable[..., Any]) -> None:
    row = west(wire="older").http.get(L).json()
    assert not {"link_state", "link_error", "link_error_message"} & row.keys()
    assert west().http.get(L).json()["link_state"] == "ACTIVE"


def test_a_unidirectional_link_tells_its_remote_cluster_twice(west: Callable[..., Any]) -> None:
    stand = west()
    new_link(stand, "one")
    row = stand.http.get("/links/one").json()
    assert row["source_cluster_id"] == row["remote_cluster_id"] == "lkc-east01"
    stand = west(wire="spec")
    new_link(stand, "one")
    assert stand.http.get("/links/one").json()["remote_cluster_id"] is None


def test_partitions_come_in_any_order(west: Callable[..., Any]) -> None:
    stand = west()
    orders = {tuple(row["partition"] for row in stand.mirror("t0")["mirror_lags"]) for _ in range(30)}
    assert len(orders) > 1 and {tuple(sorted(order)) for order in orders} == {(0, 1, 2, 3)}


def test_nothing_is_paged(west: Callable[..., Any]) -> None:
    stand = west(rest_only_mirrors={"count": 500})
    for path in ("/links", f"{L}/mirrors", f"{L}/configs", "/topics"):
        assert stand.http.get(path, params={"page_size": "1"}).json()["metadata"]["next"] is None
    names = [f"t{n}" for n in range(500)]
    assert len(verb(stand, names).json()["data"]) == 500


def test_too_many_requests_is_html(west: Callable[..., Any]) -> None:
    stand = west()
    stand.fault(kind="html429")
    answer = stand.http.get("/links")
    assert (answer.status_code, answer.headers["content-type"]) == (429, "text/html; charset=utf-8")
    assert "retry-after" not in answer.headers


def test_a_link_that_is_not_there(west: Callable[..., Any]) -> None:
    answer = west().http.get("/links/lk")
    assert (answer.status_code, answer.json()) == (
        404,
        {"error_code": 404, "message": "The cluster link doesn't exist: Cluster link 'lk' does not exist."},
    )


def test_a_new_link_does_not_know_itself_for_a_while(west: Callable[..., Any]) -> None:
    stand = west(settle_s=0.5)
    new_link(stand, "one")
    made = stand.http.post("/links/one/mirrors", json={"source_topic_name": "x"})
    assert made.json()["message"] == "Unable to resolve cluster link information for one"
    eventually(lambda: stand.http.post("/links/one/mirrors", json={"source_topic_name": "x"}).is_success)


def test_mirrors_that_are_refused(west: Callable[..., Any]) -> None:
    stand = west()
    for body, code, message in (
        ({"source_topic_name": "t0"}, 40002, "Topic 't0' already exists."),
        ({"source_topic_name": "x", "replication_factor": 1}, 40002, "Topic replication factor must be 3"),
        ({"source_topic_name": "x", "mirror_topic_name": "y"}, 40035, "Topic renaming for mirroring not yet supported"),
    ):
        answer = stand.http.post(f"{L}/mirrors", json=body)
        assert answer.json() == {"error_code": code, "message": message}


def test_a_link_that_exists_is_a_conflict(west: Callable[..., Any]) -> None:
    for wire, status, code in (("recorded", 409, 40902), ("spec", 404, 404)):
        answer = new_link(west(wire=wire), "orders-link")
        assert (answer.status_code, answer.json()["error_code"]) == (status, code)


def test_link_prefix_is_taken_and_does_nothing(west: Callable[..., Any]) -> None:
    stand = west()
    assert stand.http.put(f"{L}/configs/link.prefix", json={"value": "east."}).status_code == 204
    rows = {row["name"]: row["value"] for row in stand.http.get(f"{L}/configs").json()["data"]}
    assert rows["cluster.link.prefix"] == "" and "link.prefix" not in rows
    refused = stand.http.put(f"{L}/configs/cluster.link.prefix", json={"value": "east."})
    assert refused.json()["error_code"] == 40002


def test_there_are_no_start_offsets(west: Callable[..., Any]) -> None:
    stand = west()
    assert "mirror_start_offsets" not in stand.mirror("t0")
    assert stand.http.get(f"{L}/configs/mirror.start.offset.spec").json()["value"] == "earliest"


def test_a_status_that_nobody_knows(west: Callable[..., Any]) -> None:
    stand = west()
    stand.fault(kind="unknown_status")
    assert stand.states() == dict.fromkeys(("t0", "t1", "t2"), "PENDING_TELEPORT")


def test_a_healthy_partition_may_never_have_been_fetched(west: Callable[..., Any]) -> None:
    stand = west(rest_only_mirrors={"unknown": 3})
    assert stand.status("t0") == "ACTIVE" and stand.lag("t0") == (0, -1)


def test_a_sensitive_value_is_null_where_the_document_wants_a_string(west: Callable[..., Any]) -> None:
    for wire, value in (("recorded", None), ("spec", "")):
        row = west(wire=wire).http.get(f"{L}/configs/sasl.jaas.config").json()
        assert (row["value"], row["is_sensitive"]) == (value, True)


def test_a_mirror_that_stopped_stays_listed_and_says_so_when_asked_again(west: Callable[..., Any]) -> None:
    stand = west(stop_delay_s=0)
    before = stand.mirror("t0")
    verb(stand, ["t0"])
    eventually(lambda: stand.status("t0") == "STOPPED")
    row = verb(stand, ["t0"]).json()["data"][0]
    assert (row["error_code"], row["error_message"]) == (
        400,
        "Topic 't0' has already stopped its mirror from 'orders-link'",
    )
    after = stand.mirror("t0")
    assert after["state_time_ms"] > before["state_time_ms"] and stand.http.get(L).json()["link_state"] == "ACTIVE"
    assert {lag["partition"]: lag["lag"] for lag in after["mirror_lags"]} == {
        lag["partition"]: lag["lag"] for lag in before["mirror_lags"]
    }
