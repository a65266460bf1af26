"""Whose refusal an execution stopped at, what to do about it, how its stops are kept, and for how long it stood."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from failover.documents.execution import Stop
from failover.errors import DnsRejected, LinkRejected
from failover.execution.stops import stop_of, stopped_seconds, with_stop
from failover.ledger.execution import Execution
from failover.ledger.failures import failures, keep_failure
from failover.ledger.ledger import Ledger
from failover.ledger.records import Failure
from failover.plan.model import Plan, parse

PLANS = Path(__file__).resolve().parents[2] / "plans"


@pytest.fixture(scope="module")
def plan() -> Plan:
    return parse((PLANS / "orders.yaml").read_text())


def failure(step: str, why: str = "refused", at: float = 10.0, **more: Any) -> Failure:
    known: dict[str, Any] = {"error": "LinkRejected", "cluster": "", "status": None}
    return Failure(step=step, why=why, at=at, **known | more)


def stopped(plan: Plan, *failures: Failure, why: str = "refused") -> Stop:
    error = {"Error": "LinkRejected", "Cause": why}
    return stop_of(plan, stopped_at=None, error=error, steps=(), failures=failures, at=20.0)


@pytest.mark.parametrize(
    ("failures", "step"),
    [
        ((failure("fence"), failure("promote_mirrors", "403", 5.0)), "promote_mirrors"),
        ((failure("fence", "401"), failure("promote_mirrors", "500", 11.0)), "promote_mirrors"),
        ((failure("promote_mirrors", "500", 11.0), failure("fence", "401")), "promote_mirrors"),
        ((failure("promote_mirrors", "500"), failure("fence", "403", 11.0, error="DnsRejected")), "promote_mirrors"),
        ((failure("fence", "403", error="DnsRejected"),), None),
        ((), None),
    ],
    ids=["by its words", "else the last", "whichever is first", "of another error", "of another alone", "nobody's"],
)
def test_it_is_the_step_that_raised_this_very_error_or_else_the_last_that_raised_one_of_its_name(
    plan: Plan, failures: tuple[Failure, ...], step: str | None
) -> None:
    assert stopped(plan, *failures, why="403")["step"] == step


@pytest.mark.parametrize(
    ("status", "remedy"), [(403, "secret {} ALTER"), (401, "into secret {}"), (500, "mend the cause"), (None, "mend")]
)
def test_who_was_refused_is_told_what_its_key_lacks(plan: Plan, status: int | None, remedy: str) -> None:
    west = plan.sites["west"].kafka
    of = stopped(plan, failure("promote_mirrors", cluster=west.cluster_id, status=status))
    assert of["site"] == "west" and remedy.format(west.credentials) in of["remedy"]


@pytest.mark.parametrize("cluster", ["", "lkc-nobody"])
def test_a_refusal_by_no_site_of_the_plan_is_no_sites(plan: Plan, cluster: str) -> None:
    of = stopped(plan, failure("flip_dns", cluster=cluster, status=403))
    assert (of["site"], of["remedy"]) == (None, "mend the cause")


def stop(at: float, step: str = "fence", redriven_at: float | None = None) -> Stop:
    return {
        "at": at,
        "step": step,
        "error": "LinkRejected",
        "why": "403",
        "site": "west",
        "remedy": "mend the cause",
        "redriven_at": redriven_at,
    }


def test_a_stop_that_is_recorded_again_before_a_redrive_is_the_same_one() -> None:
    earlier = [stop(1.0, "promote_mirrors", 2.0), stop(3.0)]
    assert with_stop(earlier, stop(4.0)) == earlier


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], stop(4.0)),
        ([stop(3.0, redriven_at=3.5)], stop(4.0)),
        ([stop(3.0)], stop(4.0, "promote_mirrors")),
        ([stop(1.0), stop(3.0, redriven_at=3.5)], stop(4.0)),
        ([stop(1.0), stop(3.0, "promote_mirrors")], stop(4.0)),
    ],
    ids=["the first", "after a redrive", "at another step", "as one before the last", "at the step before the last"],
)
def test_every_other_stop_is_one_more(before: list[Stop], after: Stop) -> None:
    assert with_stop(before, after) == [*before, after]


def test_it_stood_for_as_long_as_its_stops_were_within_that_time_and_one_that_goes_on_counts_for_nothing() -> None:
    stops = [stop(5.0, redriven_at=12.0), stop(14.0, redriven_at=15.5), stop(19.0, redriven_at=30.0), stop(19.5)]
    assert stopped_seconds(stops, 10.0, 20.0) == 2.0 + 1.5 + 1.0
    assert stopped_seconds([stop(1.0, redriven_at=2.0), stop(40.0, redriven_at=50.0)], 10.0, 20.0) == 0.0


class Book:
    """A ledger of items, whose lease is held."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}

    def hold(self, _: Execution) -> None:
        """It is."""

    def set_fields(self, _: str, sort: str, values: dict[str, Any]) -> None:
        self.items.setdefault(sort, {}).update(values)

    def list_items(self, _: str, prefix: str) -> list[dict[str, Any]]:
        return [item for sort, item in self.items.items() if sort.startswith(prefix)]


def test_what_a_step_raised_last_is_kept_and_an_error_that_no_cluster_answered_has_no_status() -> None:
    book, least = cast("Ledger", Book()), {"plan": "orders", "epoch": 1, "kind": "failover", "claimed_at": 1.0}
    execution = Execution.model_validate(least | {"name": "a", "from": "east", "to": "west"})
    keep_failure(book, execution, "fence", LinkRejected("no", cluster="lkc-1", status=403))
    (refused,) = failures(book, execution)
    assert (refused.step, refused.error, refused.cluster, refused.status) == ("fence", "LinkRejected", "lkc-1", 403)
    keep_failure(book, execution, "fence", DnsRejected("the zone is gone"))
    keep_failure(book, execution.model_copy(update={"name": "another"}), "fence", DnsRejected("the zone is gone"))
    (raised,) = failures(book, execution)
    assert (raised.error, raised.why, raised.cluster, raised.status) == ("DnsRejected", "the zone is gone", "", None)
