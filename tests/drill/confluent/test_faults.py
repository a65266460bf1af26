"""Faults on purpose: each is what it says, hits what it names, as often as it says."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from drill.network.plain_http import plain
from tests.patience import eventually

FAILOVER = "/links/orders-link/mirrors:failover"
BODY = {"mirror_topic_names": ["orders"]}


@pytest.fixture
def west(start: Callable[..., Any]) -> Any:
    return start(stop_delay_s=30)


def test_a_fault_hits_only_what_it_names_and_only_so_often(west: Any) -> None:
    west.fault(match="mirrors:failover", kind="status", status=503, times=2)
    assert west.http.get("/links").status_code == 200
    assert [west.http.post(FAILOVER, json=BODY).status_code for _ in range(3)] == [503, 503, 200]


def test_a_fault_may_name_an_operation_and_last_until_it_is_cleared(west: Any) -> None:
    west.fault(match="listKafkaLinks", kind="status", status=500, times=None)
    assert {west.http.get("/links").status_code for _ in range(5)} == {500}
    assert west.http.get("/links/orders-link").status_code == 200
    assert west.control.get("/faults").json()["faults"][0]["times"] is None
    west.control.delete("/faults")
    assert west.http.get("/links").status_code == 200


def test_html429_is_not_json_and_changes_nothing(west: Any) -> None:
    west.fault(kind="html429")
    answer = west.http.post(FAILOVER, json=BODY)
    assert answer.status_code == 429 and answer.headers["content-type"].startswith("text/html")
    assert "Error 429 Too Many Requests" in answer.text
    assert west.status() == "ACTIVE"


@pytest.mark.parametrize(("kind", "applied"), [("timeout_after_apply", True), ("hang", False)])
def test_a_client_that_gave_up_does_not_know_what_happened(west: Any, kind: str, applied: bool) -> None:
    west.fault(match="mirrors:failover", kind=kind)
    with pytest.raises(httpx.ReadTimeout):
        west.http.post(FAILOVER, json=BODY, timeout=0.5)
    assert west.status() == ("PENDING_STOPPED" if applied else "ACTIVE")


@pytest.mark.parametrize(("kind", "applied"), [("drop_after_apply", True), ("drop", False)])
def test_a_connection_cut_in_the_middle(west: Any, kind: str, applied: bool) -> None:
    west.fault(match="mirrors:failover", kind=kind)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        west.http.post(FAILOVER, json=BODY)
    assert west.status() == ("PENDING_STOPPED" if applied else "ACTIVE")


def test_hang_ends_by_itself(west: Any) -> None:
    west.fault(kind="hang", seconds=0.3)
    begun = time.monotonic()
    with pytest.raises(httpx.HTTPError):
        west.http.get("/links")
    assert time.monotonic() - begun >= 0.3


def test_delay(west: Any) -> None:
    west.fault(kind="delay", seconds=0.3)
    begun = time.monotonic()
    assert west.http.get("/links").status_code == 200
    assert time.monotonic() - begun >= 0.3


def test_malformed_json(west: Any) -> None:
    west.fault(kind="malformed")
    answer = west.http.get("/links")
    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_fields_and_states_nobody_knows(west: Any) -> None:
    west.fault(kind="extra_fields")
    body = west.http.get("/links/orders-link/mirrors").json()
    assert "x_added_later" in body and "x_added_later" in body["data"][0]["mirror_lags"][0]
    west.fault(kind="unknown_status")
    assert west.status() == "PENDING_TELEPORT"
    assert west.status() == "ACTIVE"


def test_words_nobody_knows_wherever_the_spec_leaves_room(west: Any) -> None:
    west.fault(kind="unknown_enums", times=None)
    link = west.http.get("/links/orders-link", params={"include_tasks": "true"}).json()
    assert link["link_state"] == link["link_error"] == link["tasks"][0]["state"] == "PENDING_TELEPORT"
    assert west.mirror()["mirror_topic_error"] == west.status() == "PENDING_TELEPORT"
    assert west.verb("failover", ["nope"])[0]["error_code"] == 404, "a number stays what it is"


def test_a_verb_can_be_refused_for_some_topics(west: Any) -> None:
    west.break_link(refuse={"orders": "Topic authorization failed."})
    rows = west.verb("failover", ["orders", "payments"])
    assert [(row["error_code"], row["error_message"]) for row in rows] == [
        (400, "Topic authorization failed."),
        (None, None),
    ]
    assert west.status("orders") == "ACTIVE"
    west.break_link(refuse={})
    assert west.verb("failover", ["orders"])[0]["error_code"] is None


def test_a_fault_that_does_not_exist_is_refused(west: Any) -> None:
    assert west.control.post("/faults", json={"kind": "earthquake"}).status_code == 422
    assert west.control.post("/faults", json={"kind": "drop", "tmies": 2}).status_code == 422


def test_requests_are_counted_with_their_answers(west: Any) -> None:
    west.fault(match="mirrors:failover", kind="drop")
    with pytest.raises(httpx.HTTPError):
        west.http.post(FAILOVER, json=BODY)
    west.http.post(FAILOVER, json=BODY)
    west.http.get("/links", auth=("key", "wrong"))
    counts = west.control.get("/requests").json()
    assert counts["updateKafkaMirrorTopicsFailover"] == {"count": 2, "answers": {"cut": 1, "200": 1}}
    assert counts["listKafkaLinks"] == {"count": 1, "answers": {"401": 1}}


def test_one_call_in_ten_and_the_same_ones_again(west: Any) -> None:
    def answers() -> list[int]:
        west.fault(match="listKafkaLinks", kind="status", times=None, probability=0.1, seed=7)
        found = [west.http.get("/links").status_code for _ in range(200)]
        west.control.delete("/faults")
        return found

    first = answers()
    assert 5 <= first.count(503) <= 45 and first.count(200) == 200 - first.count(503)
    assert answers() == first


def test_a_storm_ends_by_itself(west: Any) -> None:
    west.fault(kind="html429", times=None, lasts_s=0.4)
    assert west.http.get("/links").status_code == 429
    eventually(lambda: west.http.get("/links").status_code == 200, 5.0)
    assert west.control.get("/faults").json() == {"faults": []}


def test_more_than_the_limit_is_429(west: Any) -> None:
    west.control.put("/rest", json={"requests_per_s": 5}).raise_for_status()
    answers = [west.http.get("/links") for _ in range(30)]
    limited = [answer for answer in answers if answer.status_code == 429]
    assert limited and limited[0].headers["content-type"].startswith("text/html")
    assert answers[0].status_code == 200
    west.control.put("/rest", json={"requests_per_s": 0}).raise_for_status()
    assert {west.http.get("/links").status_code for _ in range(30)} == {200}


def test_latency_keeps_no_one_else_waiting(west: Any) -> None:
    west.control.put("/rest", json={"latency_s": 0.3}).raise_for_status()
    begun = time.monotonic()
    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(lambda _: west.http.get("/links").status_code, range(20))) == {200}
    assert 0.3 <= time.monotonic() - begun < 20 * 0.3


def test_down_is_connection_refused_until_it_is_over(west: Any) -> None:
    west.http.get("/links")
    west.control.put("/rest", json={"seconds": 1.0}).raise_for_status()
    for _ in range(3):
        with pytest.raises(httpx.TransportError):
            west.http.get("/links")
    with pytest.raises(httpx.ConnectError):
        plain.get(west.child.ready["url"])
    assert west.control.get("/rest").json()["down"] == "refuse"
    eventually(lambda: _answers(west), 10.0)
    assert west.control.get("/rest").json()["down"] is None


def test_down_can_be_ended_early(west: Any) -> None:
    west.control.put("/rest", json={"seconds": 600}).raise_for_status()
    assert not _answers(west)
    west.control.put("/rest", json={"seconds": 0}).raise_for_status()
    eventually(lambda: _answers(west), 5.0)


def test_down_can_be_silence_and_nothing_is_applied(west: Any) -> None:
    west.control.put("/rest", json={"seconds": 1.5, "down": "hang"}).raise_for_status()
    with pytest.raises(httpx.ReadTimeout):
        west.http.post(FAILOVER, json=BODY, timeout=0.5)
    eventually(lambda: _answers(west), 10.0)
    assert west.status() == "ACTIVE"


def _answers(west: Any) -> bool:
    try:
        return bool(west.http.get("/links", timeout=0.5).status_code == 200)
    except httpx.TransportError:
        return False


def test_the_api_down_leaves_the_link_at_work(west: Any, source: Any, local: Any) -> None:
    """Three faults that have nothing to do with each other: the API, the link's path, the brokers."""
    west.control.put("/rest", json={"seconds": 600}).raise_for_status()
    source.produce("orders", [b"1"])
    eventually(lambda: local.end("orders") == 1)
    west.break_link(reachable=False)
    west.control.put("/rest", json={"seconds": 0}).raise_for_status()
    eventually(lambda: _answers(west), 5.0)
    assert west.status() == "ACTIVE"
    west.control.put("/cluster", json={"reachable": False}).raise_for_status()
    unreachable = west.http.get("/topics")
    assert (unreachable.status_code, unreachable.json()["error_code"]) == (500, 50003)
    assert west.http.get("/links").status_code == 200
    west.control.put("/cluster", json={"reachable": True}).raise_for_status()
    assert west.http.get("/topics").status_code == 200


def test_conditions_that_do_not_exist_are_refused(west: Any) -> None:
    assert west.control.put("/rest", json={"down": "slow"}).status_code == 422
    assert west.control.put("/rest", json={"second": 1}).status_code == 422
