"""The controller's own readiness: the lease, and the last dry run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from failover.execution.runs import Ended
from failover.ledger.records import ExecutionRecord, PlanState
from failover.plan.model import Plan
from failover.readiness import controller
from failover.readiness.dry_run import DryRun

MakePlan = Callable[..., Plan]
Judged = Callable[..., Any]
NOW = 1_000_000.0
HELD = PlanState(active="east", epoch=7, holder="orders-7-failover")
RUN = DryRun(
    execution="dry",
    to_site="west",
    outcome="succeeded",
    why="",
    ended_at=NOW - 100,
    took_seconds=3.0,
    steps={"claim": 0.1, "assess": 1.2},
)


def holder(status: str, age: float) -> ExecutionRecord:
    return ExecutionRecord(
        name="orders-7-failover",
        epoch=7,
        kind="failover",
        status=status,
        started_at=NOW - age,
        from_site="east",
        to_site="west",
        document={},
    )


@pytest.mark.parametrize(
    ("state", "record", "ended", "status"),
    [
        (PlanState(active="east", epoch=6), None, None, "pass"),
        (HELD, holder("running", 60), None, "warn"),
        (HELD, holder("running", 60), Ended(name="orders-7-failover", status="ABORTED"), "fail"),
        (HELD, holder("running", 3600 + 900 + 60), None, "fail"),
        (HELD, holder("failed", 60), Ended(name="orders-7-failover", status="FAILED"), "fail"),
        (HELD, None, None, "unknown"),
    ],
)
def test_a_lease_that_is_held_for_good_stops_every_failover(
    plan: MakePlan, judged: Judged, state: PlanState, record: ExecutionRecord | None, ended: Ended | None, status: str
) -> None:
    made = judged(controller.lease(plan(), state, record, ended, NOW))
    assert made.status == status
    assert controller.under_way(plan(), state, record, ended, NOW) is (status == "warn")
    assert status != "fail" or "supersedes='orders-7-failover'" in made.remedy


@pytest.mark.parametrize(
    ("last", "status"),
    [
        (RUN, "pass"),
        (None, "fail"),
        (replace(RUN, ended_at=NOW - 4000), "fail"),
        (replace(RUN, outcome="failed", why="stopped at FlipAndReroute: DnsRejected"), "fail"),
        (replace(RUN, outcome="stood-down"), "fail"),
        (replace(RUN, to_site="east"), "fail"),
        (replace(RUN, remarks=("fence: gateway-east: out of reach: no answer",)), "warn"),
    ],
)
def test_the_failover_was_walked_through_lately_and_to_its_end(
    judged: Judged, last: DryRun | None, status: str
) -> None:
    assert judged(controller.last_dry_run("orders", last, standby="west", max_age_s=3600, now=NOW)).status == status


def test_how_long_each_step_took_is_said(judged: Judged) -> None:
    made = judged(controller.last_dry_run("orders", RUN, standby="west", max_age_s=3600, now=NOW))
    assert "after 3.0 s (claim 0.1 s, assess 1.2 s)" in made.evidence[0]


@pytest.mark.parametrize(
    ("limit", "unreserved", "status"), [(10, 10, "warn"), (1000, 99, "warn"), (1000, 100, "pass"), (1000, 1000, "pass")]
)
def test_functions_that_could_be_throttled_by_a_neighbour_and_have_nothing_reserved_are_told_of(
    judged: Judged, limit: int, unreserved: int, status: str
) -> None:
    made = judged(controller.concurrency(limit, unreserved))
    assert made.status == status
    assert f"{unreserved:,} of the account's {limit:,}" in made.evidence[0]
