"""What is said to be lost where clients are led back from the middle of a switchover: an estimate that stands on both
logs having ended alike, and nothing where that is not known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from failover.execution.inventory import Listed, save_inventory
from failover.execution.report import headline
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.ledger.topic_tables import save_execution_table
from failover.loss.divergence import SOURCE_ENDS
from failover.loss.record import final_loss
from failover.loss.sample_table import save_samples
from failover.loss.samples import Sample
from tests.ledger_in_memory import DynamoDB, ledger_of

NOW = 1_900_000_000.0
SWITCHOVER = Execution(
    plan="orders", epoch=1, name="over", kind="switchover", from_site="east", to_site="west", claimed_at=NOW - 60
)
BACK = Execution(
    plan="orders",
    epoch=2,
    name="back",
    kind="failover",
    from_site="west",
    to_site="east",
    leads_back=True,
    claimed_at=NOW,
)
DRAINED = {"orders": {"ends": [(0, 1000), (1, 500)], "growths": 0}}


@pytest.fixture
def book() -> Ledger:
    """A switchover drained both partitions, into which 50 records a second had come, and none."""
    book = ledger_of(DynamoDB())
    book.claim(SWITCHOVER, "east")
    save_inventory(book, SWITCHOVER, {"orders": Listed("link", "ACTIVE", {0: 0, 1: 0})})
    save_execution_table(book, SWITCHOVER, SOURCE_ENDS, DRAINED)
    reported(book, "drain_mirrors")
    sample = Sample(at=NOW - 90, lag=0, fetched_to=900, rate=50.0, proof="the source answered", last_fetched_to=900)
    known = {"orders": {0: sample, 1: replace(sample, rate=0.0)}}
    save_samples(book, "orders", "west", known)
    return book


def reported(book: Ledger, step: str, at: float = NOW - 40, status: str = "done") -> None:
    book.record_step(SWITCHOVER, step, status, {}, at)


def loss_of(book: Ledger, mirrors: dict[str, Listed], ends: dict[str, list[tuple[int, int]]]) -> dict[str, Any]:
    """As it is told once clients are back; of the mirrors on east, and of where they ended as they were promoted."""
    book.claim(BACK, "east", "over")
    save_inventory(book, BACK, mirrors)
    save_execution_table(book, BACK, "log-ends", ends)
    return dict(final_loss(book, BACK))


def test_where_nobody_was_led_over_nothing_is_expected_to_be_lost(book: Ledger) -> None:
    reported(book, "reverse_mirrors", status="waiting")
    loss = loss_of(book, {"orders": Listed("link", "ACTIVE", {0: 0, 1: None})}, {"orders": [(0, 1000), (1, 500)]})
    assert (loss["label"], loss["records"], loss["unknown_partitions"]) == ("estimated", {"low": 0, "high": 0}, 0)
    assert (loss["peak_rate"], loss["observed"]["from"]) == (0.0, NOW - 60), "since it began nothing came in there"
    report = {"plan": "orders", "from": "west", "to": "east", "dry_run": False, "outcome": "succeeded"}
    told = headline(report | {"recovery_seconds": 9.0, "loss": loss})
    assert told.endswith("none expected to be stranded (estimate)")


def test_once_they_may_have_been_all_that_came_in_since_may_be_lost_but_what_was_mirrored_back(book: Ledger) -> None:
    reported(book, "reverse_mirrors", at=NOW - 10)
    loss = loss_of(book, {"orders": Listed("link", "ACTIVE", {0: 7, 1: 0})}, {"orders": [(0, 1100), (1, 500)]})
    assert loss["records"] == {"low": 7, "high": 50 * 10 - 100}
    assert "both logs ended alike" in loss["basis"] and loss["worst"][0]["observed"]["at"] == NOW - 10


def test_a_topic_that_nothing_mirrors_back_is_no_less_lost(book: Ledger) -> None:
    reported(book, "promote_mirrors", at=NOW - 10)
    stale = {"orders": Listed("link", "STOPPED", {0: 99, 1: 0})}
    assert loss_of(book, {}, {})["records"] == {"low": 0, "high": 500}
    save_inventory(book, BACK, stale)
    assert final_loss(book, BACK)["records"] == {"low": 0, "high": 500}, "a lag of an earlier time says nothing"


@pytest.mark.parametrize("known", ["no rate", "not drained"])
def test_where_too_little_is_known_it_is_unknown_and_never_none(book: Ledger, known: str) -> None:
    reported(book, "reverse_mirrors", at=NOW - 10)
    if known == "no rate":
        save_samples(book, "orders", "west", {})
    else:
        reported(book, "drain_mirrors", status="waiting")
    loss = loss_of(book, {"orders": Listed("link", "ACTIVE", {0: 7, 1: 0})}, {"orders": [(0, 1100), (1, 500)]})
    assert (loss["label"], loss["records"], loss["unknown_partitions"]) == ("unknown", None, 2)
    assert loss["at_least"] == 7


def test_the_ends_of_one_that_was_taken_over_from_count_clients_were_let_in_since(book: Ledger) -> None:
    reported(book, "reverse_mirrors", at=NOW - 10)
    mirrors = {"orders": Listed("link", "ACTIVE", {0: 0, 1: 0})}
    first = loss_of(book, mirrors, {"orders": [(0, 1100), (1, 500)]})
    again = BACK.model_copy(update={"epoch": 3, "name": "back-again"})
    book.claim(again, "east", "back")
    save_inventory(book, again, mirrors)
    save_execution_table(book, again, "log-ends", {"orders": [(0, 9000), (1, 900)]})
    assert final_loss(book, again)["records"] == first["records"]


def test_where_both_logs_were_not_seen_to_end_alike_but_nobody_was_led_over_nothing_is_lost_either(
    book: Ledger,
) -> None:
    reported(book, "drain_mirrors", status="waiting")
    loss = loss_of(book, {"orders": Listed("link", "ACTIVE", {0: 0, 1: None})}, {"orders": [(0, 1000), (1, 500)]})
    assert (loss["label"], loss["records"], loss["unknown_partitions"]) == ("estimated", {"low": 0, "high": 0}, 0)


@pytest.mark.parametrize(
    ("let_in_at", "records", "since"),
    [(NOW - 10, {"low": 7, "high": 50 * 10 - 100}, NOW - 10), (None, {"low": 7, "high": 7}, NOW - 60)],
    ids=["by the failover", "by neither"],
)
def test_a_failover_that_took_over_from_the_switchover_changes_nothing_of_where_both_logs_ended(
    book: Ledger, let_in_at: float | None, records: dict[str, int], since: float
) -> None:
    hurried = SWITCHOVER.model_copy(update={"epoch": 2, "name": "hurried", "kind": "failover", "claimed_at": NOW - 30})
    book.claim(hurried, "east", "over")
    if let_in_at is not None:
        for step, at in (("promote_mirrors", let_in_at), ("reverse_mirrors", let_in_at + 5)):
            book.record_step(hurried, step, "done", {}, at)
    back = BACK.model_copy(update={"epoch": 3})
    book.claim(back, "east", "hurried")
    save_inventory(book, back, {"orders": Listed("link", "ACTIVE", {0: 7, 1: 0})})
    save_execution_table(book, back, "log-ends", {"orders": [(0, 1100), (1, 500)]})
    loss = final_loss(book, back)
    assert loss["observed"] is not None
    assert (loss["records"], loss["observed"]["from"]) == (records, since)


@pytest.mark.parametrize("before", ["a failover", "nobody"])
def test_where_it_did_not_begin_as_a_switchover_both_logs_did_not_end_alike_and_nothing_is_known(
    before: str,
) -> None:
    book = ledger_of(DynamoDB())
    failover = SWITCHOVER.model_copy(update={"kind": "failover"})
    back = BACK if before == "a failover" else BACK.model_copy(update={"epoch": 1})
    if before == "a failover":
        book.claim(failover, "east")
        save_inventory(book, failover, {"orders": Listed("link", "ACTIVE", {0: 0})})
    book.claim(back, "east", failover.name if before == "a failover" else None)
    save_inventory(book, back, {"orders": Listed("link", "ACTIVE", {0: 7})})
    loss = final_loss(book, back)
    assert (loss["label"], loss["records"], loss["unknown_partitions"]) == ("unknown", None, 1)
