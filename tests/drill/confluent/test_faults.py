"""Faults on purpose: each is what it says, hits what it names, as often as it says."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

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
    with pytest.raises(httpx.RemoteProtocolError):
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
