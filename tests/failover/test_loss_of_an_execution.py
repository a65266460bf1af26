"""What an execution lost, partition by partition: what a figure stands on, and what it never claims."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest

from failover.aws.clients import client
from failover.execution.inventory import Listed, save_inventory
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.ledger.topic_tables import load_execution_table, save_execution_table, save_plan_table
from failover.link import Mirror, PartitionLag
from failover.loss.estimate import losses, peak_rate, summary
from failover.loss.record import expected_loss, final_loss
from failover.loss.sample_table import from_rows, save_samples, to_rows
from failover.loss.samples import APART_S, FETCH_S, Sample, SourceLiveness, update_samples

CLAIMED = 1_900_000_000.0


def sample(**changes: Any) -> Sample:
    known: dict[str, Any] = {
        "at": 100.0,
        "lag": 10,
        "fetched_to": 1000,
        "rate": 50.0,
        "proof": "the source answered",
        "last_fetched_to": 1000,
    }
    return Sample(**known | changes)


def bounds(frozen: int | None, known: Sample | None, log_end: int | None, lost_by: float) -> tuple[int | None, ...]:
    samples = {"orders": {0: known}} if known else {}
    ends = {} if log_end is None else {"orders": {0: log_end}}
    (loss,) = losses({"orders": {0: frozen}}, samples, ends, lost_by)
    return loss.low, loss.high


@pytest.mark.parametrize(
    ("frozen", "known", "log_end", "lost_by", "expected"),
    [
        (3, sample(), None, 100.0, (3, 10)),
        (3, sample(), None, 90.0, (3, 10)),
        (3, sample(), None, 100.1, (3, 15)),
        (3, sample(), 1000, 104.0, (3, 210)),
        (3, sample(), 999, 104.0, (3, 210)),
        (3, sample(), 1001, 104.0, (3, 209)),
        (3, sample(), 1210, 104.0, (3, 3)),
        (None, sample(), 1000, 100.0, (0, 10)),
        (None, sample(rate=None), 1000, 100.0, (None, None)),
        (3, sample(rate=0.0), 1000, 200.0, (3, 10)),
        (3, None, 1000, 104.0, (3, None)),
        (None, None, None, 104.0, (None, None)),
    ],
)
def test_a_range_stands_on_a_fresh_sample_its_rate_and_what_was_replicated_after_it(
    frozen: int | None, known: Sample | None, log_end: int | None, lost_by: float, expected: tuple[int | None, ...]
) -> None:
    assert bounds(frozen, known, log_end, lost_by) == expected


def test_a_partition_of_which_only_the_log_end_is_known_is_unknown_and_in_the_table() -> None:
    found = losses({"b": {1: 5}}, {}, {"a": {0: 7}, "b": {0: 8, 1: 9}}, 104)
    assert [(loss.topic, loss.partition, loss.frozen, loss.log_end) for loss in found] == [
        ("a", 0, None, 7),
        ("b", 0, None, 8),
        ("b", 1, 5, 9),
    ]
    assert found[0].as_row() == {
        "topic": "a",
        "partition": 0,
        "observed": None,
        "estimated": None,
        "measured": None,
        "log_end_at_promotion": 7,
    }


def test_a_row_says_what_was_observed_and_what_is_estimated() -> None:
    (loss,) = losses({"orders": {0: 3}}, {"orders": {0: sample()}}, {}, 104)
    assert loss.has_estimate
    assert loss.as_row() | {} == {
        "topic": "orders",
        "partition": 0,
        "observed": {"records": 10, "at": 100.0, "proof": "the source answered"},
        "estimated": {"low": 3, "high": 210},
        "measured": None,
        "log_end_at_promotion": None,
    }


def test_the_totals_are_of_what_is_estimated_and_the_observations_of_what_was_sampled() -> None:
    samples = {"orders": {0: sample(), 1: sample(at=90.0, lag=7, rate=None), 2: sample(at=95.0, rate=8.0)}}
    found = losses({"orders": {0: 3, 1: 4, 2: None, 3: 5, 4: None}}, samples, {}, 100.0)
    told = summary(found, 100.0, "east")
    assert told["records"] == {"low": 3, "high": 10 + 10 + 8 * 5}
    assert (told["label"], told["partitions"], told["unknown_partitions"]) == ("estimated", 5, 3)
    assert told["unknown"] == ["orders[1]", "orders[3]", "orders[4]"]
    assert (told["at_least"], told["lost_by"]) == (3 + 4 + 5, 100.0)
    assert told["observed"] == {"records": 10 + 7 + 10, "from": 90.0, "to": 100.0}
    assert [row["partition"] for row in told["worst"]] == [2, 0]
    assert peak_rate(found) == 58
    assert summary(losses({}, {}, {}, 1.0), 1.0, "east")["observed"] is None
    assert peak_rate(losses({"orders": {0: 3}}, {"orders": {0: sample(rate=None)}}, {}, 1.0)) is None


def test_a_partition_that_may_have_lost_one_record_is_worse_than_one_that_lost_none() -> None:
    samples = {"a": {0: sample(lag=0)}, "b": {0: sample(lag=1)}}
    told = summary(losses({"a": {0: 0}, "b": {0: 0}}, samples, {}, 100.0), 100.0, "east")
    assert [(row["topic"], row["estimated"]["high"]) for row in told["worst"] if row["estimated"]] == [
        ("b", 1),
        ("a", 0),
    ]


def look(before: dict[str, dict[int, Sample]], now: float, fetched_to: int | None, **more: Any) -> Sample | None:
    lag = PartitionLag(0, more.get("records", 5), fetched_to)
    mirror = Mirror(topic="orders", status=more.get("status", "ACTIVE"), lags=(lag,))
    watch = more.get("watch", SourceLiveness())
    return update_samples(before, [mirror], watch, now, more.get("answers", True)).get("orders", {}).get(0)


def test_a_first_sample_has_no_rate_and_the_second_has() -> None:
    first = look({}, 10.0, 100)
    assert first is not None and first.rate is None
    second = look({"orders": {0: first}}, 20.0, 600)
    assert second is not None and (second.rate, second.at, second.last_fetched_to) == (50.0, 20.0 - FETCH_S, 600)


def test_a_look_a_moment_after_another_is_no_new_sample() -> None:
    known, apart = {"orders": {0: sample()}}, 100.0 + APART_S
    early, late = look(known, apart - 0.1 + FETCH_S, 1100), look(known, apart + FETCH_S, 1100)
    assert early == sample(last_fetched_to=1100)
    assert late is not None and late.at == apart


def test_a_log_that_was_cut_leaves_the_rate_as_it_was() -> None:
    cut = look({"orders": {0: sample()}}, 110.0, 10)
    assert cut is not None and (cut.rate, cut.fetched_to) == (50.0, 10)


@pytest.mark.parametrize(
    "more",
    [
        {"status": "STOPPED"},
        {"status": "PENDING_STOPPED"},
        {"records": None},
        {"fetched_to": None},
    ],
)
def test_what_tells_nothing_of_a_lag_leaves_the_sample(more: dict[str, Any]) -> None:
    known = {"orders": {0: sample()}}
    assert look(known, 110.0, more.pop("fetched_to", 1100), **more) == sample()


@pytest.mark.parametrize("answers", [False, None])
def test_without_the_sources_word_a_fetch_must_have_advanced_since_a_look_that_was_kept(answers: bool | None) -> None:
    known, watch = {"orders": {0: sample()}}, SourceLiveness(sampled_at=120.0)
    advanced = look(known, 130.0, 1001, answers=answers, watch=watch)
    assert advanced is not None and (advanced.at, advanced.proof) == (120.0, "a fetch advanced")
    assert look(known, 130.0, 1000, answers=answers, watch=watch) == sample()
    assert look(known, 130.0, 1001, answers=answers) == sample(last_fetched_to=1001), "no look before is known"
    assert look({}, 130.0, 1001, answers=answers, watch=watch) is None


def test_a_rate_of_nothing_is_kept_as_such() -> None:
    samples = {"orders": {0: sample(rate=0.0), 1: sample(rate=None), 2: sample(rate=1.23456, at=1.23456)}}
    read = from_rows(to_rows(samples))["orders"]
    assert (read[0].rate, read[1].rate, read[2].rate, read[2].at) == (0.0, None, 1.24, 1.235)


@pytest.fixture
def book(deployed: Callable[..., Any]) -> Ledger:
    return Ledger(client("dynamodb"), "ledger")


@pytest.fixture
def execution(book: Ledger) -> Execution:
    execution = Execution(
        plan="orders",
        epoch=1,
        name="orders-1-failover",
        kind="failover",
        from_site="east",
        to_site="west",
        claimed_at=CLAIMED,
    )
    book.claim(execution, "east")
    save_inventory(book, execution, {"orders": Listed("orders-link", "ACTIVE", {0: 3, 1: None})})
    known = {"orders": {0: sample(at=CLAIMED - 20)}}
    save_samples(book, "orders", "west", known)
    return execution


def silent_since(book: Ledger, since: float | None) -> None:
    save_plan_table(book, "orders", "watch", {"east": asdict(SourceLiveness(unanswered_since=since))})


@pytest.mark.parametrize(("since", "lost_by"), [(None, 0.0), (-10.0, -10.0), (10.0, 0.0)])
def test_a_site_is_lost_since_it_was_silent_and_at_the_latest_when_it_was_claimed(
    book: Ledger, execution: Execution, since: float | None, lost_by: float
) -> None:
    silent_since(book, None if since is None else CLAIMED + since)
    assert final_loss(book, execution)["lost_by"] == CLAIMED + lost_by


def test_before_the_promotion_nothing_is_known_to_be_replicated_and_after_it_is(
    book: Ledger, execution: Execution
) -> None:
    silent_since(book, CLAIMED - 10)
    save_execution_table(book, execution, "log-ends", {"orders": [(0, 1100)]})
    lags = {"orders": Listed("orders-link", "ACTIVE", {0: 3, 1: None})}
    assert expected_loss(book, execution, lags)["records"] == {"low": 3, "high": 10 + 50 * 10}
    told = final_loss(book, execution)
    assert (told["records"], told["unknown"], told["peak_rate"]) == ({"low": 3, "high": 410}, ["orders[1]"], 50)
    assert told["table"] == "table#orders-1-failover#loss"
    kept = load_execution_table(book, execution, "loss")["orders"]
    assert [(row["partition"], row["log_end_at_promotion"]) for row in kept] == [(0, 1100), (1, None)]


def test_where_the_logs_ended_counts_from_who_led_the_same_way_first_whoever_led_back_in_between(
    book: Ledger, execution: Execution
) -> None:
    """What ended on the other site is of the other site's log, and what came in since the first promotion is clients'
    own."""
    silent_since(book, CLAIMED - 10)
    save_execution_table(book, execution, "log-ends", {"orders": [(0, 1100)]})
    other_way = {"from_site": "west", "to_site": "east", "leads_back": True}
    back = execution.model_copy(update={"name": "back", "epoch": 2} | other_way)
    book.claim(back, "east", execution.name)
    save_execution_table(book, back, "log-ends", {"orders": [(0, 5)]})
    again = execution.model_copy(update={"name": "again", "epoch": 3})
    book.claim(again, "east", "back")
    save_inventory(book, again, {"orders": Listed("orders-link", "ACTIVE", {0: 3})})
    save_execution_table(book, again, "log-ends", {"orders": [(0, 9000)]})
    assert final_loss(book, again)["records"] == {"low": 3, "high": 410}
