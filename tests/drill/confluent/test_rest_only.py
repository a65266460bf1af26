"""Thousands of mirrors that exist in the API only: they behave like the others, and cost little."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from starlette.responses import JSONResponse

from drill.confluent import mirror_operations, transitions, virtual_topics
from drill.confluent.mirror_bodies import MirrorBodies
from drill.confluent.mirrors import Link, Status, Timings, Verb
from drill.confluent.shapes import Shape
from drill.confluent.virtual_topics import RestOnly
from tests.patience import eventually

L = "/links/orders-link"
MANY = 10_000


@pytest.fixture
def start_west(start: Callable[..., Any]) -> Callable[..., Any]:
    """A stand-in without any Kafka cluster."""

    def started(count: int, **changes: Any) -> Any:
        what = {"count": count, "lag": 40, **changes.pop("rest_only_mirrors", {})}
        return start(raw_bootstrap="", mirrors=[], rest_only_mirrors=what, **changes)

    return started


def a_link(what: RestOnly) -> Link:
    return Link(name="orders-link", mirrors={}, timings=Timings(stop_delay=0.0)).put(
        *virtual_topics.mirrors(what, 0.0).values()
    )


def least(times: int, call: Callable[[], object]) -> float:
    """The least CPU time of several calls, in seconds: what others do on the machine counts least."""

    def once() -> float:
        begun = time.process_time()
        call()
        return time.process_time() - begun

    return min(once() for _ in range(times))


def test_listing_ten_thousand_mirrors_costs_less_than_half_a_second() -> None:
    link = a_link(RestOnly(count=MANY, lag=10))
    bodies = MirrorBodies(Shape("http://127.0.0.1:1", "lkc-west01", "spec"))
    rows = [(link, mirror) for mirror in link.mirrors.values()]
    assert least(3, lambda: JSONResponse(bodies.mirrors(rows, under=link.name))) < 0.5


def test_failing_over_a_batch_among_ten_thousand_costs_milliseconds() -> None:
    link = a_link(RestOnly(count=MANY))
    names = list(link.mirrors)[:250]
    assert least(3, lambda: mirror_operations.alter(link, Verb.FAILOVER, names, 1.0)) < 0.05
    failing, _ = mirror_operations.alter(link, Verb.FAILOVER, names, 1.0)
    ends = dict.fromkeys(names, (1, 1))
    assert least(3, lambda: transitions.stopped(failing, ends, 2.0)) < 0.05
    assert least(3, lambda: transitions.ready_to_stop(failing, 2.0)) < 0.01


@pytest.mark.slow
def test_ten_thousand_mirrors_are_listed_and_failed_over_in_batches(start_west: Callable[..., Any]) -> None:
    west = start_west(MANY, stop_delay_s=0)
    rows = west.http.get(f"{L}/mirrors").json()["data"]
    names = [row["mirror_topic_name"] for row in rows]
    assert len(set(names)) == MANY and sum(row["num_partitions"] for row in rows) == 2 * MANY
    for first in range(0, MANY, 250):
        assert all(row["error_code"] is None for row in west.verb("failover", names[first : first + 250]))

    def statuses() -> set[str]:
        return {row["mirror_status"] for row in west.http.get(f"{L}/mirrors").json()["data"]}

    eventually(lambda: statuses() == {"STOPPED"})
    assert len(west.promoted()) == MANY


def test_they_are_topics_with_lags_of_their_own(start_west: Callable[..., Any]) -> None:
    west = start_west(20, rest_only_mirrors={"pattern": "t{n}", "partitions": 3, "unknown": 2})
    rows = {row["mirror_topic_name"]: row for row in west.http.get(f"{L}/mirrors").json()["data"]}
    assert {row["topic_name"]: row["partitions_count"] for row in west.http.get("/topics").json()["data"]} == {
        f"t{n}": 3 for n in range(20)
    }
    unknown = [(lag["lag"], lag["last_source_fetch_offset"]) for lag in rows["t0"]["mirror_lags"]]
    assert unknown == [(0, -1)] * 3
    lags = [lag["lag"] for n in range(2, 20) for lag in rows[f"t{n}"]["mirror_lags"]]
    assert all(0 <= lag <= 40 for lag in lags) and len(set(lags)) > 5


def test_their_source_moves_on_until_it_is_lost(start_west: Callable[..., Any]) -> None:
    west = start_west(2, rest_only_mirrors={"records_per_s": 1000})
    first = west.lag("bulk-00000")
    later = eventually(lambda: (lag := west.lag("bulk-00000")) != first and lag)
    assert later[0] == first[0] and later[1] > first[1]
    west.break_link(reachable=False)
    eventually(lambda: west.control.get("/link").json()["unreached_since"])
    frozen = west.lag("bulk-00000")
    time.sleep(1.3)
    assert west.lag("bulk-00000") == frozen


def test_a_promote_catches_up_and_a_lost_source_holds_it(start_west: Callable[..., Any]) -> None:
    west = start_west(2, stop_delay_s=0)
    before = west.lag("bulk-00001")
    west.break_link(lag={"bulk-00001": 7})
    assert west.lag("bulk-00001") == (7, before[1])
    west.verb("promote", ["bulk-00001"])
    eventually(lambda: west.status("bulk-00001") == "STOPPED")
    assert west.lag("bulk-00001") == (0, before[1] + 7)
    west.break_link(reachable=False)
    eventually(lambda: west.control.get("/link").json()["unreached_since"])
    west.verb("promote", ["bulk-00000"])
    eventually(
        lambda: west.mirror("bulk-00000", include_state_transition_errors="true")["mirror_state_transition_errors"]
    )
    assert west.status("bulk-00000") == "PENDING_STOPPED"


def test_a_mirror_that_appears_in_the_middle_of_a_failover(start_west: Callable[..., Any]) -> None:
    west = start_west(3, stop_delay_s=0)
    west.verb("failover", ["bulk-00000", "bulk-00001"])
    west.control.post("/mirrors", json={"topics": ["late"], "partitions": 3}).raise_for_status()
    eventually(lambda: west.status("bulk-00000") == "STOPPED")
    assert west.status("late") == "ACTIVE" and west.mirror("late")["num_partitions"] == 3
    assert west.http.get("/topics/late").json()["partitions_count"] == 3
    assert west.verb("failover", ["late"])[0]["error_code"] is None
    eventually(lambda: west.status("late") == "STOPPED")
    again = west.control.post("/mirrors", json={"topics": ["late"]}).json()
    assert again == {"made": []} and west.status("late") == "STOPPED"


def test_platform_has_another_sentinel_for_a_lag_that_is_not_known(start_west: Callable[..., Any]) -> None:
    west = start_west(1, rest_only_mirrors={"unknown": 1}, flavour="platform")
    assert west.lag("bulk-00000") == (-1, -1)


def test_a_made_up_mirror_is_no_less_of_a_mirror() -> None:
    link = a_link(RestOnly(count=2))
    link = transitions.pause_link(link, True, 1.0)
    assert {mirror.status for mirror in link.mirrors.values()} == {Status.LINK_PAUSED}
    assert virtual_topics.moved(link, 5) == {}
    assert link.read_only() == frozenset(), "there is nothing on the wire to be closed"
