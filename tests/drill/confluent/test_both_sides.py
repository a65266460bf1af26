"""Two clusters and a bidirectional link between them: restoring after a failover, reversing, and who knows whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.drill.confluent.conftest import Pair
from tests.patience import eventually

L = "/links/orders-link"
T = ["t0", "t1", "t2"]
RESTORE = "truncate-and-restore"


def failed_over(pair: Any) -> dict[str, int]:
    """West writable; how many records each topic left behind at east."""
    lags = {
        row["mirror_topic_name"]: sum(lag["lag"] for lag in row["mirror_lags"])
        for row in pair.west.http.get(f"{L}/mirrors").json()["data"]
    }
    pair.west.verb("failover", T)
    eventually(lambda: set(pair.west.states().values()) == {"STOPPED"})
    return lags


def test_a_dry_run_of_a_restore_counts_what_west_never_had(start_pair: Callable[..., Pair]) -> None:
    pair = start_pair()
    left = failed_over(pair)
    rows = pair.east.verb(RESTORE, T, validate_only="true", include_partition_level_truncation_data="true")
    assert {row["mirror_topic_name"]: row["messages_truncated"] for row in rows} == left
    stopped = pair.west.promoted()
    for row in rows:
        parts = row["partition_level_truncation_data"]
        ends = {str(part["partition_id"]): part["offset_truncated_to"] for part in parts}
        assert ends == stopped[row["mirror_topic_name"]]
        assert sum(part["messages_truncated"] for part in parts) == row["messages_truncated"]
    assert sum(left.values()) > 0 and pair.east.states() == {}, "nothing happened"
    rows = pair.east.verb(RESTORE, T, validate_only="true")
    assert [row["partition_level_truncation_data"] for row in rows] == [[], [], []]


def test_a_dry_run_need_not_count(start_pair: Callable[..., Pair]) -> None:
    pair = start_pair(east={"dry_run_counts": False, "wire": "spec"})
    failed_over(pair)
    assert [row["messages_truncated"] for row in pair.east.verb(RESTORE, T, validate_only="true")] == [None] * 3
    assert None not in [row["messages_truncated"] for row in pair.east.verb(RESTORE, T)]


def test_a_restore_makes_mirrors_of_what_was_the_source(start_pair: Callable[..., Pair]) -> None:
    pair = start_pair(east={"step_s": 0.3})
    failed_over(pair)
    assert [row["error_code"] for row in pair.east.verb(RESTORE, T)] == [None] * 3
    seen: set[str] = set()

    def active() -> bool:
        seen.update(pair.east.states().values())
        return set(pair.east.states().values()) == {"ACTIVE"}

    eventually(active)
    assert {"PENDING_SETUP_FOR_RESTORE", "PENDING_RESTORE"} <= seen
    ends = pair.west.promoted()["t1"]
    lags = pair.east.mirror("t1")["mirror_lags"]
    assert {str(lag["partition"]): (lag["lag"], lag["last_source_fetch_offset"]) for lag in lags} == {
        number: (0, end) for number, end in ends.items()
    }
    assert pair.east.verb(RESTORE, ["t1"])[0]["error_code"] == 400, "it is a mirror already"


def reasons(stand: Any, verb: str, topics: list[str]) -> list[str | None]:
    return [row["error_message"] for row in stand.verb(verb, topics)]


def test_a_restore_needs_the_remote_mirror_stopped(start_pair: Callable[..., Pair]) -> None:
    pair = start_pair(west={"stop_delay_s": {"t0": 0, "*": 60}})
    pair.west.verb("failover", T)
    eventually(lambda: pair.west.states()["t0"] == "STOPPED")
    assert reasons(pair.east, RESTORE, ["t0", "t1", "nope"]) == [
        None,
        "The remote mirror of topic 't1' is not in state STOPPED",
        "Topic 'nope' does not exist",
    ]


def test_active_groups_block_a_restore(source: Any, local: Any, start_pair_on_wire: Callable[..., Pair]) -> None:
    source.produce("orders", [b"1"])
    source.produce("payments", [b"1"])
    pair = start_pair_on_wire()
    source.commit("fulfilment", "orders", 0, 1)
    pair.west.verb("failover", ["orders", "payments"])
    eventually(lambda: set(pair.west.states().values()) == {"STOPPED"})
    pair.east.control.put("/cluster", json={"groups": {"fulfilment": "STABLE"}}).raise_for_status()
    blocked = "Topic 'orders' has active consumer groups: fulfilment"
    assert reasons(pair.east, RESTORE, ["orders", "payments"]) == [blocked, None]
    pair.east.control.put("/cluster", json={"groups": {"fulfilment": "EMPTY"}}).raise_for_status()
    assert reasons(pair.east, RESTORE, ["orders"]) == [None]


@pytest.mark.parametrize("verb", [RESTORE, "reverse-and-start-mirror", "reverse-and-pause-mirror"])
@pytest.mark.parametrize(
    ("configs", "why"),
    [
        ({"link.mode": "DESTINATION"}, "Cluster link 'orders-link' is not bidirectional"),
        ({"cluster.link.prefix": "t"}, "Cluster link 'orders-link' has a prefix"),
    ],
)
def test_links_that_can_not_go_both_ways(start_pair: Callable[..., Pair], verb: str, configs: Any, why: str) -> None:
    pair = start_pair(west={"link": {"configs": configs}, "rest_only_topics": {"count": 3, "pattern": "old{n}"}})
    assert reasons(pair.west, verb, ["old0" if verb == RESTORE else "t0"]) == [why]


@pytest.mark.parametrize("verb", ["reverse-and-start-mirror", "reverse-and-pause-mirror"])
def test_a_reversal_swaps_the_roles(start_pair: Callable[..., Pair], verb: str) -> None:
    pair = start_pair()
    assert [row["error_code"] for row in pair.west.verb(verb, ["t0"], validate_only="true")] == [None]
    assert pair.west.states()["t0"] == "ACTIVE" and pair.east.states() == {}
    assert [row["error_code"] for row in pair.west.verb(verb, ["t0", "t1"])] == [None, None]
    eventually(lambda: pair.west.states() == {"t0": "STOPPED", "t1": "STOPPED", "t2": "ACTIVE"})
    there = "ACTIVE" if verb == "reverse-and-start-mirror" else "PAUSED"
    eventually(lambda: pair.east.states() == {"t0": there, "t1": there})
    assert pair.west.lag("t0")[0] == pair.east.lag("t0")[0] == 0
    assert pair.west.lag("t0")[1] == pair.east.lag("t0")[1]
    if there == "ACTIVE":
        assert reasons(pair.east, "reverse-and-start-mirror", ["t0"]) == [None]
        eventually(lambda: pair.east.states()["t0"] == "STOPPED" and pair.west.states()["t0"] == "ACTIVE")


def test_a_reversal_needs_both_clusters(start_pair: Callable[..., Pair]) -> None:
    pair = start_pair()
    pair.east.control.put("/cluster", json={"reachable": False}).raise_for_status()
    assert pair.west.verb("reverse-and-start-mirror", ["t0"])[0]["error_code"] == 408
    pair.east.control.put("/cluster", json={"reachable": True}).raise_for_status()
    pair.west.break_link(reachable=False)
    assert pair.west.verb("reverse-and-start-mirror", ["t0"])[0]["error_code"] == 408
    pair.west.break_link(reachable=True)
    pair.east.child.kill()
    assert pair.west.verb("reverse-and-start-mirror", ["t0"])[0]["error_code"] == 408
    assert pair.west.states()["t0"] == "ACTIVE"


def test_a_reversal_whose_other_side_dies_waits_and_a_failover_ends_it(start_pair: Callable[..., Pair]) -> None:
    pair = start_pair(west={"stop_delay_s": 1.0})
    pair.west.verb("reverse-and-start-mirror", ["t0"])
    pair.east.child.kill()
    eventually(lambda: pair.west.mirror("t0", include_state_transition_errors="true")["mirror_state_transition_errors"])
    assert pair.west.states()["t0"].startswith("PENDING_")
    assert pair.west.verb("failover", ["t0"])[0]["error_code"] is None
    eventually(lambda: pair.west.states()["t0"] == "STOPPED")


def test_links_of_different_names_are_no_pair(start_pair: Callable[..., Pair]) -> None:
    pair = start_pair(east={"link": {"name": "Orders-link"}}, west={"link": {"groups": ["g"], "offset_sync_s": 0.2}})
    no_pair = "The remote cluster has no bidirectional link named 'orders-link'"
    assert reasons(pair.west, "reverse-and-start-mirror", ["t0"]) == [no_pair]
    assert (
        eventually(lambda: pair.west.task("ConsumerOffsetSync")["errors"])[0]["error_code"] == "REMOTE_LINK_NOT_FOUND"
    )
    assert pair.west.task("TopicConfigsSync")["state"] == "ACTIVE"
    assert pair.west.states() == dict.fromkeys(T, "ACTIVE"), "data flows all the same"


def test_both_sides_of_a_link_have_one_id(start_pair: Callable[..., Pair]) -> None:
    pair = start_pair()
    east, west = (stand.http.get(L).json() for stand in (pair.east, pair.west))
    assert east["cluster_link_id"] == west["cluster_link_id"] and east["link_id"] == west["link_id"]
    assert (east["remote_cluster_id"], west["remote_cluster_id"]) == ("lkc-west01", "lkc-east01")


def test_the_other_api_down_is_not_the_other_cluster_down(start_pair: Callable[..., Pair]) -> None:
    pair = start_pair(west={"link": {"source_unavailable_after_s": 0.3, "link_unavailable_after_s": 0.6}})
    pair.east.control.put("/rest", json={"seconds": 600}).raise_for_status()
    assert reasons(pair.west, "reverse-and-start-mirror", ["t0"]) == [None]
    eventually(lambda: pair.west.states()["t0"] == "STOPPED")
    pair.east.control.put("/cluster", json={"reachable": False}).raise_for_status()
    eventually(lambda: pair.west.states()["t1"] == "SOURCE_UNAVAILABLE")
    eventually(lambda: pair.west.http.get(L).json()["link_state"] == "UNAVAILABLE")
    assert pair.west.task("TopicConfigsSync")["state"] == "LINK_UNAVAILABLE"
    pair.east.control.put("/cluster", json={"reachable": True}).raise_for_status()
    eventually(lambda: pair.west.states()["t1"] == "ACTIVE")


@pytest.mark.slow
def test_records_follow_a_reversal(
    source: Any, local: Any, start_pair_on_wire: Callable[..., Pair], guard: Any
) -> None:
    source.produce("orders", [b"%d" % n for n in range(50)])
    pair = start_pair_on_wire(west={"admin": guard.url})
    eventually(lambda: local.end("orders") == 50)
    assert reasons(pair.west, "reverse-and-start-mirror", ["orders"]) == [None]
    eventually(lambda: pair.west.states()["orders"] == "STOPPED")
    assert guard.lists[-1] == ["payments"]
    eventually(lambda: pair.east.states() == {"orders": "ACTIVE"})
    local.produce("orders", [b"from west"])
    eventually(lambda: source.end("orders") == 51)
    assert source.records("orders")[-1].value() == b"from west"


@pytest.mark.slow
def test_a_restore_on_the_wire_counts_real_records(
    source: Any, local: Any, start_pair_on_wire: Callable[..., Pair]
) -> None:
    source.produce("orders", [b"%d" % n for n in range(10)])
    source.produce("payments", [b"1"])
    pair = start_pair_on_wire()
    eventually(lambda: local.end("orders") == 10 and local.end("payments") == 1)
    pair.west.verb("failover", ["orders", "payments"])
    eventually(lambda: set(pair.west.states().values()) == {"STOPPED"})
    source.produce("orders", [b"split brain"] * 4)
    local.produce("payments", [b"2"])
    rows = {row["mirror_topic_name"]: row for row in pair.east.verb(RESTORE, ["orders", "payments"])}
    assert {name: row["messages_truncated"] for name, row in rows.items()} == {"orders": 4, "payments": 0}
    eventually(lambda: pair.east.states() == {"orders": "ACTIVE", "payments": "ACTIVE"})
    eventually(lambda: source.end("payments") == 2, what="a record at the mirror that nothing was cut off")
    assert source.end("orders") == 14, "the mock cluster can't truncate"
