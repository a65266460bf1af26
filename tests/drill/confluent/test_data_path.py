"""The link at work between two real mock clusters: copies, lags, groups, losses, promotions."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from drill.network.plain_http import plain
from tests.patience import eventually

L = "/links/orders-link"


@pytest.mark.slow
def test_a_mirror_is_its_source_record_by_record(start: Callable[..., Any], source: Any, local: Any) -> None:
    producer = source.producer()
    for number in range(400):
        producer.produce(
            "orders",
            value=b"value %d" % number,
            key=b"key %d" % (number % 7),
            partition=number % 4,
            timestamp=1_700_000_000_000 + number,
            headers=[("trace", b"%d" % number), ("none", None), ("trace", b"again")],
        )
    producer.produce("orders", value=None, key=b"tombstone", partition=0)
    producer.produce("orders", value=b"", key=None, partition=0)
    producer.produce("orders", value=b"x" * 900_000, key=b"", partition=0)
    assert producer.flush(10) == 0
    west = start()
    eventually(lambda: sum(local.end("orders", p) for p in range(4)) == 403)

    def contents(cluster: Any, partition: int) -> list[Any]:
        found = cluster.records("orders", partition)
        return [(m.offset(), m.key(), m.value(), m.headers(), m.timestamp()) for m in found]

    for partition in range(4):
        assert contents(local, partition) == contents(source, partition)
    assert contents(local, 0)[100][1:3] == (b"tombstone", None)
    eventually(lambda: west.lag() == (0, 103))


@pytest.mark.slow
def test_a_mirror_goes_on_where_its_log_ends(start: Callable[..., Any], source: Any, local: Any) -> None:
    source.produce("orders", [b"%d" % n for n in range(10)])
    first = start()
    eventually(lambda: local.end("orders") == 10)
    first.child.kill()
    source.produce("orders", [b"%d" % n for n in range(10, 30)])
    west = start()
    eventually(lambda: local.end("orders") == 30)
    assert [m.value() for m in local.records("orders")] == [b"%d" % n for n in range(30)]
    assert west.status() == "ACTIVE"


def test_partitions_never_fetched_are_unknown(start: Callable[..., Any], source: Any) -> None:
    source.produce("orders", [b"1"], partition=2)
    west = start()
    eventually(lambda: west.lag("orders", 2) == (0, 1))
    assert west.lag("orders", 0) == west.lag("payments", 0) == (0, -1)


@pytest.mark.slow
def test_losing_the_source_strands_exactly_what_was_not_agreed(
    start: Callable[..., Any], source: Any, local: Any
) -> None:
    """The burst is acknowledged less than a cycle before the loss, so no cycle can have agreed to copy it."""
    source.produce("orders", [b"before %d" % n for n in range(50)])
    west = start(link={"interval_s": 1.0})
    eventually(lambda: west.lag() == (0, 50))
    source.produce("orders", [b"burst %d" % n for n in range(40)])
    source.kill()
    time.sleep(2.5)
    assert west.status() == "ACTIVE", "no liveness probe: the mirror shows nothing yet"
    lag, fetched = west.lag()
    assert lag in (0, 40) and fetched == 50, "frozen at what was last seen"
    rows = west.verb("failover", ["orders", "payments"])
    assert [row["error_code"] for row in rows] == [None, None]
    eventually(lambda: west.status("orders") == west.status("payments") == "STOPPED")
    assert west.promoted()["orders"] == {"0": 50, "1": 0, "2": 0, "3": 0}
    assert [m.value() for m in local.records("orders")] == [b"before %d" % n for n in range(50)]
    assert west.lag()[1] == 50, "a stopped mirror stays listed with its last lags"


@pytest.mark.slow
def test_losing_the_source_under_load_leaves_a_prefix(start: Callable[..., Any], source: Any, local: Any) -> None:
    acked: dict[int, list[tuple[int, bytes]]] = {p: [] for p in range(4)}

    def delivered(error: Any, message: Any) -> None:
        if error is None:
            acked[message.partition()].append((message.offset(), message.value()))

    west = start(link={"interval_s": 0.2})
    producer = source.producer()
    until = time.monotonic() + 2.5
    number = 0
    while time.monotonic() < until:
        for _ in range(20):
            producer.produce("orders", b"%d" % number, partition=number % 4, on_delivery=delivered)
            number += 1
        producer.poll(0.005)
    source.kill()
    west.verb("failover", ["orders"])
    eventually(lambda: west.status() == "STOPPED")
    ends = west.promoted()["orders"]
    producer.purge()
    assert min(ends.values()) > 0
    assert sum(len(rows) - ends[str(p)] for p, rows in acked.items()) > 0, "under load something is stranded"
    for partition, rows in acked.items():
        mirrored = [(m.offset(), m.value()) for m in local.records("orders", partition)]
        assert len(mirrored) == ends[str(partition)]
        assert mirrored == rows[: len(mirrored)]


@pytest.mark.slow
def test_nothing_is_copied_after_a_failover(start: Callable[..., Any], source: Any, local: Any) -> None:
    source.produce("orders", [b"1"])
    west = start()
    eventually(lambda: local.end("orders") == 1)
    west.verb("failover", ["orders"])
    source.produce("orders", [b"2"])
    eventually(lambda: west.status() == "STOPPED")
    time.sleep(0.5)
    assert local.end("orders") == 1 == west.promoted()["orders"]["0"]


def test_a_failover_does_not_wait_for_a_lost_source_or_a_long_interval(start: Callable[..., Any], source: Any) -> None:
    west = start(link={"interval_s": 30.0}, stop_delay_s=0)
    source.kill()
    west.verb("failover", ["orders", "payments"])
    eventually(lambda: west.status("orders") == west.status("payments") == "STOPPED", 5.0)


def test_pending_stopped_lasts_its_time_topic_by_topic(start: Callable[..., Any]) -> None:
    west = start(stop_delay_s={"orders": 0.0, "payments": 1.0})
    west.verb("failover", ["orders", "payments"])
    asked = time.monotonic()
    eventually(lambda: west.status("orders") == "STOPPED")
    if time.monotonic() - asked < 0.9:
        assert west.status("payments") == "PENDING_STOPPED"
    eventually(lambda: west.status("payments") == "STOPPED")
    assert time.monotonic() - asked > 0.9


def test_mirrors_are_read_only_from_the_start_until_just_before_stopped(start: Callable[..., Any], guard: Any) -> None:
    west = start(admin=guard.url)
    assert guard.lists == [["orders", "payments"]], "before the process says that it is ready"
    seen: list[str] = []
    guard.before_taking.append(lambda _: seen.append(west.status("orders")))
    west.verb("failover", ["orders"])
    eventually(lambda: west.status() == "STOPPED")
    assert guard.lists[1:] == [["payments"]]
    assert seen == ["PENDING_STOPPED"], "opened before it is reported"


def test_a_guard_that_does_not_answer_keeps_the_topic_pending(start: Callable[..., Any], guard: Any) -> None:
    west = start(admin=guard.url, stop_delay_s=0)
    guard.failing.set()
    west.verb("failover", ["orders"])
    time.sleep(0.6)
    assert west.status() == "PENDING_STOPPED" and west.promoted() == {}
    guard.failing.clear()
    eventually(lambda: west.status() == "STOPPED")


def test_a_promote_loses_nothing(start: Callable[..., Any], source: Any, local: Any) -> None:
    west = start(link={"interval_s": 0.4}, stop_delay_s=0)
    source.produce("orders", [b"%d" % n for n in range(500)])
    west.verb("promote", ["orders"])
    eventually(lambda: west.status() == "STOPPED")
    assert west.promoted()["orders"]["0"] == 500 == local.end("orders")


def test_a_promote_without_source_is_stuck_and_a_failover_ends_it(start: Callable[..., Any], source: Any) -> None:
    west = start(stop_delay_s=0)
    west.break_link(reachable=False)
    eventually(lambda: west.control.get("/link").json()["unreached_since"])
    assert west.verb("promote", ["orders"])[0]["error_code"] is None

    def errors() -> Any:
        return west.mirror(include_state_transition_errors="true")["mirror_state_transition_errors"]

    assert eventually(errors)[0]["error_code"] == "TIMEOUT_ERROR"
    assert west.status() == "PENDING_STOPPED"
    assert west.verb("failover", ["orders"])[0]["error_code"] is None
    eventually(lambda: west.status() == "STOPPED")


@pytest.mark.slow
def test_a_cut_path_freezes_the_mirror_while_the_source_lives_and_heals(
    start: Callable[..., Any], source: Any, local: Any
) -> None:
    source.produce("orders", [b"1"])
    west = start(link={"source_unavailable_after_s": 0.3, "link_unavailable_after_s": 1.0})
    eventually(lambda: local.end("orders") == 1)
    west.break_link(reachable=False)
    source.produce("orders", [b"2"])
    eventually(lambda: west.status() == "SOURCE_UNAVAILABLE")
    link = eventually(lambda: (b := west.http.get(L).json())["link_state"] == "UNAVAILABLE" and b)
    assert link["link_error"] == "TIMEOUT_ERROR"
    assert local.end("orders") == 1 and west.lag() == (0, 1)
    west.break_link(reachable=True)
    eventually(lambda: local.end("orders") == 2)
    assert west.status() == "ACTIVE" and west.http.get(L).json()["link_state"] == "ACTIVE"


@pytest.mark.slow
def test_a_source_that_is_down_at_the_start_is_no_reason_not_to_be_ready(
    start: Callable[..., Any], source: Any
) -> None:
    source.kill()
    west = start(link={"source_unavailable_after_s": 0.3})
    eventually(lambda: west.status() == "SOURCE_UNAVAILABLE")


@pytest.mark.slow
def test_a_source_without_the_topics_yet_is_reached(start: Callable[..., Any], source: Any) -> None:
    west = start(link={"source_unavailable_after_s": 0.2})
    time.sleep(1.0)
    assert west.status() == "ACTIVE"
    source.produce("orders", [b"1"])
    eventually(lambda: west.lag() == (0, 1))


@pytest.mark.slow
def test_a_write_that_went_round_the_guard_fails_the_mirror(start: Callable[..., Any], source: Any, local: Any) -> None:
    source.produce("orders", [b"1", b"2"])
    west = start()
    eventually(lambda: local.end("orders") == 2)
    local.produce("orders", [b"stray"])
    eventually(lambda: west.status() == "FAILED")
    assert west.mirror()["mirror_topic_error"] == "UNEXPECTED_TRUNCATION"
    assert west.status("payments") == "ACTIVE"
    assert west.verb("promote", ["orders"])[0]["error_code"] == 400
    assert west.verb("failover", ["orders"])[0]["error_code"] is None
    eventually(lambda: west.status() == "STOPPED")


def test_group_offsets_follow_the_source(start: Callable[..., Any], source: Any, local: Any) -> None:
    source.produce("orders", [b"%d" % n for n in range(20)])
    source.commit("fulfilment", "orders", 0, 7)
    source.commit("other", "orders", 0, 9)
    west = start()
    eventually(lambda: local.committed("fulfilment", "orders") == 7)
    source.commit("fulfilment", "orders", 0, 12)
    eventually(lambda: local.committed("fulfilment", "orders") == 12)
    assert local.committed("other", "orders") < 0, "not a group of the link's filters"
    rows = west.http.get("/consumer-groups/fulfilment/lags").json()["data"]
    assert [(r["topic_name"], r["partition_id"], r["current_offset"], r["lag"]) for r in rows] == [("orders", 0, 12, 8)]
    assert [row["consumer_group_id"] for row in west.http.get("/consumer-groups").json()["data"]] == ["fulfilment"]


@pytest.mark.slow
def test_group_offsets_can_run_ahead_of_the_records(start: Callable[..., Any], source: Any, local: Any) -> None:
    source.produce("orders", [b"%d" % n for n in range(5)])
    west = start(link={"interval_s": 1.0})
    eventually(lambda: west.lag() == (0, 5))
    source.produce("orders", [b"%d" % n for n in range(5, 25)])
    source.commit("fulfilment", "orders", 0, 25)
    eventually(lambda: local.committed("fulfilment", "orders") == 25)
    source.kill()
    west.verb("failover", ["orders", "payments"])
    eventually(lambda: west.status() == "STOPPED")
    rows = west.http.get("/consumer-groups/fulfilment/lags").json()["data"]
    assert [(row["current_offset"], row["log_end_offset"], row["lag"]) for row in rows] == [(25, 5, -20)]


@pytest.mark.slow
def test_a_group_that_is_active_here_is_left_alone(start: Callable[..., Any], source: Any, local: Any) -> None:
    source.produce("orders", [b"1", b"2"])
    west = start(link={"offset_sync_s": 0.2})
    eventually(lambda: local.end("orders") == 2)
    member = local.consumer("fulfilment")
    member.subscribe(["orders"])
    eventually(lambda: member.poll(0.2) and member.assignment())
    source.commit("fulfilment", "orders", 0, 2)

    def task() -> Any:
        tasks = west.http.get(L, params={"include_tasks": "true"}).json()["tasks"]
        return next(task for task in tasks if task["task_name"] == "ConsumerOffsetSync")

    eventually(lambda: task()["state"] == "IN_ERROR")
    assert west.http.get("/consumer-groups").json()["data"][0]["state"] == "STABLE"
    assert [error["error_code"] for error in task()["errors"]] == ["CONSUMER_GROUP_IN_USE_ERROR"]
    member.close()
    assert local.committed("fulfilment", "orders") < 0


def test_switching_offset_sync_off_stops_it(start: Callable[..., Any], source: Any, local: Any) -> None:
    source.produce("orders", [b"%d" % n for n in range(20)])
    source.commit("fulfilment", "orders", 0, 7)
    west = start()
    eventually(lambda: local.committed("fulfilment", "orders") == 7)
    west.http.put(f"{L}/configs/consumer.offset.sync.enable", json={"value": "false"}).raise_for_status()
    time.sleep(0.3)
    source.commit("fulfilment", "orders", 0, 12)
    time.sleep(0.7)
    assert local.committed("fulfilment", "orders") == 7


@pytest.mark.slow
def test_a_paused_mirror_is_not_copied_until_it_is_resumed(start: Callable[..., Any], source: Any, local: Any) -> None:
    source.produce("orders", [b"1"])
    west = start()
    eventually(lambda: local.end("orders") == 1)
    assert west.verb("pause", ["orders"])[0]["error_code"] is None
    time.sleep(0.3)
    source.produce("orders", [b"2"])
    source.produce("payments", [b"1"])
    eventually(lambda: local.end("payments") == 1)
    assert local.end("orders") == 1 and west.status() == "PAUSED"
    eventually(lambda: west.lag() == (1, 1))
    west.verb("resume", ["orders"])
    eventually(lambda: local.end("orders") == 2)


def test_a_stuck_topic_stays_pending_until_it_is_let_go(start: Callable[..., Any]) -> None:
    west = start(stop_delay_s=0)
    west.break_link(stuck=["orders"])
    west.verb("failover", ["orders", "payments"])
    eventually(lambda: west.status("payments") == "STOPPED")
    assert west.status("orders") == "PENDING_STOPPED"
    west.break_link(stuck=[])
    eventually(lambda: west.status("orders") == "STOPPED")


def test_a_mirror_can_be_made_to_fail(start: Callable[..., Any]) -> None:
    west = start()
    west.break_link(fail={"orders": "SOURCE_TOPIC_MAY_BE_DELETED"})
    assert west.status() == "FAILED" and west.mirror()["mirror_topic_error"] == "SOURCE_TOPIC_MAY_BE_DELETED"


def test_control_refuses_what_it_does_not_know(start: Callable[..., Any]) -> None:
    west = start()
    assert west.control.put("/link", json={"stuck": "orders"}).status_code == 422
    assert plain.get(f"{west.child.ready['control']}/nope").status_code == 404


def test_a_source_topic_that_comes_later_is_mirrored_soon(start: Callable[..., Any], source: Any, local: Any) -> None:
    source.produce("orders", [b"1"])
    start()
    eventually(lambda: local.end("orders") == 1)
    source.produce("payments", [b"1"])
    eventually(lambda: local.end("payments") == 1, 5.0)


def test_a_mirror_that_appears_at_once_is_read_only_and_copied(
    start: Callable[..., Any], source: Any, local: Any, guard: Any
) -> None:
    west = start(admin=guard.url, stop_delay_s=0)
    west.verb("failover", ["orders"])
    source.produce("late", [b"1", b"2"])
    west.control.post("/mirrors", json={"topics": ["late"], "wired": True}).raise_for_status()
    assert "late" in guard.lists[-1]
    eventually(lambda: local.end("late") == 2)
    eventually(lambda: west.status("orders") == "STOPPED")
    assert guard.lists[-1] == ["late", "payments"]
    west.verb("failover", ["late"])
    eventually(lambda: west.status("late") == "STOPPED")
    assert west.promoted()["late"]["0"] == 2 and guard.lists[-1] == ["payments"]
