"""The mirrors: coverage, health, lag, and the canary topic, which is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from failover.link import Mirror, PartitionLag, Topic
from failover.loss.samples import SourceLiveness
from failover.plan.model import Plan
from failover.readiness import mirrors

MakePlan = Callable[..., Plan]
Judged = Callable[..., Any]
NOW = 1_000_000.0
WATCHED = SourceLiveness(looked_at=NOW - 5, answered_at=NOW - 5, unanswered_since=None)


def mirror(
    topic: str = "orders",
    status: str = "ACTIVE",
    lags: tuple[int | None, ...] = (0, 0),
    source: str | None = None,
    error: str | None = None,
) -> Mirror:
    return Mirror(
        topic=topic,
        status=status,
        lags=tuple(PartitionLag(number, lag) for number, lag in enumerate(lags)),
        error=error,
        source_topic=source or topic,
    )


ORDERS, PAYMENTS = Topic("orders", 2), Topic("payments", 2)
BOTH = [mirror("orders"), mirror("payments")]


@pytest.mark.parametrize(
    ("found", "status", "says"),
    [
        (BOTH, "pass", "2 of 2 topics"),
        ([mirror("orders")], "fail", "1 topics have no mirror: payments"),
        ([mirror("orders"), mirror("payments", "PAUSED")], "fail", "not ACTIVE: payments"),
        ([mirror("orders"), mirror("payments", "STOPPED")], "fail", "not ACTIVE: payments"),
        ([mirror("orders"), mirror("payments", lags=(0,))], "fail", "another number of partitions"),
        ([mirror("orders"), mirror("payments", lags=())], "unknown", "not told: payments"),
        ([mirror("orders"), mirror("east.payments", source="payments")], "fail", "under another name: payments"),
        ([], "fail", "2 topics have no mirror"),
    ],
)
def test_every_topic_has_an_active_mirror_of_its_name_with_as_many_partitions(
    plan: MakePlan, judged: Judged, found: list[Mirror], status: str, says: str
) -> None:
    made = judged(mirrors.coverage(plan(), [ORDERS, PAYMENTS], found))
    assert made.status == status and says in made.evidence[0]


def test_a_mirror_whose_source_is_not_told_has_its_topics_name(plan: MakePlan, judged: Judged) -> None:
    found = [Mirror(topic="orders", status="ACTIVE", lags=mirror().lags), mirror("payments")]
    assert judged(mirrors.coverage(plan(), [ORDERS, PAYMENTS], found)).status == "pass"


def test_internal_topics_and_the_canary_topic_need_no_mirror(plan: MakePlan, judged: Judged) -> None:
    topics = [ORDERS, PAYMENTS, Topic("__consumer_offsets", 50, internal=True), Topic("failover-canary", 1)]
    assert judged(mirrors.coverage(plan(), topics, BOTH)).status == "pass"


def test_topics_that_the_plan_names_are_those_that_need_one(plan: MakePlan, judged: Judged) -> None:
    named = plan(protect={"topics": ["orders"]})
    assert judged(mirrors.coverage(named, [ORDERS, PAYMENTS], [mirror("orders")])).status == "pass"
    made = judged(mirrors.coverage(plan(protect={"topics": ["orders", "gone"]}), [ORDERS], [mirror("orders")]))
    assert made.status == "warn" and "gone" in made.evidence[0]


def test_an_active_cluster_without_a_topic_is_not_ready(plan: MakePlan, judged: Judged) -> None:
    assert judged(mirrors.coverage(plan(), [], [])).status == "unknown"


@pytest.mark.parametrize(
    ("found", "status"),
    [
        ([mirror(), mirror("old", "STOPPED")], "pass"),
        ([mirror(), mirror("x", "FAILED", error="SOURCE_TOPIC_MAY_BE_DELETED")], "fail"),
        ([mirror(), mirror("x", error="UNEXPECTED_TRUNCATION")], "fail"),
        *(([mirror(), mirror("x", s)], "fail") for s in ("LINK_FAILED", "LINK_PAUSED", "PAUSED", "SOURCE_UNAVAILABLE")),
        *(([mirror(), mirror("x", f"PENDING_{s}")], "fail") for s in ("MIRROR", "STOPPED", "RESTORE", "OF_NEXT_YEAR")),
        ([mirror(), mirror("x", "A_STATE_OF_NEXT_YEAR")], "unknown"),
        ([], "fail"),
    ],
)
def test_a_mirror_in_trouble_or_in_between_is_named(judged: Judged, found: list[Mirror], status: str) -> None:
    made = judged(mirrors.health(found))
    assert made.status == status
    assert status != "fail" or not found or "x " in made.evidence[0]


@pytest.mark.parametrize(
    ("limit", "lags", "watch", "status"),
    [
        (None, (3, 4), WATCHED, "pass"),
        (7, (3, 4), WATCHED, "pass"),
        (6, (3, 4), WATCHED, "fail"),
        (6, (7, None), WATCHED, "fail"),
        (None, (3, None), WATCHED, "warn"),
        (None, (None, None), WATCHED, "unknown"),
        (7, (3, None), WATCHED, "unknown"),
        (None, (0, 0), SourceLiveness(), "unknown"),
        (None, (0, 0), SourceLiveness(looked_at=NOW - 500, answered_at=NOW - 500, unanswered_since=None), "unknown"),
        (None, (0, 0), SourceLiveness(looked_at=NOW - 5, answered_at=NOW - 60, unanswered_since=NOW - 55), "unknown"),
    ],
)
def test_lag_is_held_against_the_limit_and_unknown_lag_is_never_zero(
    plan: MakePlan, judged: Judged, limit: int | None, lags: tuple[int | None, ...], watch: SourceLiveness, status: str
) -> None:
    made = judged(mirrors.lag(plan(policy={"rpo_limit_records": limit}), [mirror(lags=lags)], watch, NOW))
    assert made.status == status


def test_the_partitions_that_trail_most_are_named(plan: MakePlan, judged: Judged) -> None:
    found = [mirror("orders", lags=(1, 900)), mirror("payments", lags=(20, 0)), mirror("old", "STOPPED", (10_000,))]
    made = judged(mirrors.lag(plan(policy={"rpo_limit_records": 10}), found, WATCHED, NOW))
    assert "orders[1] 900, payments[0] 20" in made.evidence[0] and "921 records" in made.evidence[0]


@pytest.mark.parametrize(
    ("topics", "found", "status"),
    [
        ([Topic("failover-canary", 1)], [], "pass"),
        ([Topic("failover-canary", 1)], [mirror("failover-canary", "STOPPED")], "pass"),
        ([Topic("failover-canary", 1)], [mirror("failover-canary")], "fail"),
        ([ORDERS], [], "fail"),
    ],
)
def test_the_canary_topic_is_a_topic_of_the_standby_itself(
    judged: Judged, topics: list[Topic], found: list[Mirror], status: str
) -> None:
    assert judged(mirrors.canary("failover-canary", topics, found)).status == status
