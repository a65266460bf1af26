"""Which failovers a restore follows, where their partitions ended, and what it makes of the loss that they reported."""

from __future__ import annotations

from typing import Any

import pytest

from failover.errors import LeaseLost
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.ledger.records import Outcome
from failover.ledger.topic_tables import save_execution_table
from failover.loss.divergence import (
    SOURCE_ENDS,
    divergence,
    failovers_before,
    log_ends_at_promotion,
    save_divergence,
)
from failover.loss.record import keep_measured_loss
from failover.rescue.stranded import StrandedRange

Rows = dict[str, list[tuple[int, int]]]


def execution(epoch: int, kind: str, sites: str, *, dry_run: bool = False) -> Execution:
    """The one of that epoch, between sites as in `east-west`."""
    begin, _, end = sites.partition("-")
    known: dict[str, Any] = {"plan": "orders", "name": f"{kind}-{epoch}{'-dry' * dry_run}", "dry_run": dry_run}
    known |= {"epoch": epoch, "kind": kind, "from": begin, "to": end, "claimed_at": 1000.0 + epoch + dry_run / 2}
    return Execution.model_validate(known)


def ended(
    book: Ledger, of: Execution, outcome: Outcome, ends: Rows | None = None, supersedes: str = "", **document: Any
) -> None:
    """It ran, and ended so."""
    if of.dry_run:
        book.begin_dry_run(of)
    else:
        book.claim(of, "east", supersedes or None)
    if ends:
        save_execution_table(book, of, "log-ends", ends)
    book.conclude(of, outcome, document | {"dry_run": of.dry_run})


@pytest.fixture
def restore(book: Ledger) -> Execution:
    """A restore of east after there and back, a failover that stopped, and one that took over from it."""
    ended(book, execution(1, "failover", "east-west"), "succeeded", {"orders": [(0, 10)]})
    ended(book, execution(2, "switchover", "west-east"), "succeeded")
    ended(book, execution(3, "failover", "east-west"), "failed", {"orders": [(0, 100), (1, 9)]})
    ended(book, execution(3, "failover", "east-west", dry_run=True), "succeeded", {"orders": [(0, 1)]})
    again = execution(4, "failover", "east-west")
    ended(
        book,
        again,
        "succeeded",
        {"orders": [(0, 120), (1, 7)], "payments": [(0, 5)]},
        supersedes="failover-3",
        why="east burned",
        loss={"partitions": 3, "label": "estimated", "measured": None, "records": {"low": 1, "high": 9}},
    )
    ended(book, execution(5, "switchover", "west-east"), "stood-down")
    now = execution(6, "restore", "east-west")
    book.claim(now, "east")
    return now


def test_a_restore_follows_the_failovers_since_the_returned_site_was_active(book: Ledger, restore: Execution) -> None:
    assert [record.name for record in failovers_before(book, restore)] == ["failover-4", "failover-3"]


def test_a_restore_of_the_other_site_follows_none_of_them(book: Ledger, restore: Execution) -> None:
    other = restore.model_copy(update={"from_site": "west", "to_site": "east"})
    assert failovers_before(book, other) == []
    assert log_ends_at_promotion(book, other) == {}


def test_a_partition_ended_where_it_was_first_seen_to_end(book: Ledger, restore: Execution) -> None:
    assert log_ends_at_promotion(book, restore) == {("orders", 0): 100, ("orders", 1): 7, ("payments", 0): 5}


@pytest.mark.parametrize(("outcome", "ends"), [("succeeded", {("orders", 0): 40}), ("stood-down", {})])
def test_where_a_switchover_left_a_site_whose_mirrors_were_promoted_it_ended_behind_the_fence(
    book: Ledger, outcome: Outcome, ends: dict[tuple[str, int], int]
) -> None:
    """A link that is not bidirectional leaves no copy there; it is restored from where it was drained."""
    left = execution(1, "switchover", "east-west")
    book.claim(left, "east")
    save_execution_table(book, left, SOURCE_ENDS, {"orders": {"ends": [(0, 40)], "growths": 1}})
    book.conclude(left, outcome, {"dry_run": False})
    now = execution(2, "restore", "east-west")
    assert log_ends_at_promotion(book, now) == ends and failovers_before(book, now) == []


def ranges(*counts: int) -> list[StrandedRange]:
    """So many offsets from 100 on, of each partition of orders."""
    return [
        StrandedRange(topic="orders", partition=number, begin=100, end=100 + count)
        for number, count in enumerate(counts)
    ]


def test_what_is_measured_is_read_as_it_was_kept_also_what_is_empty(book: Ledger, restore: Execution) -> None:
    assert divergence(book, restore) == []
    measured = [StrandedRange(topic="payments", partition=0, begin=5, end=6), *ranges(4, 0)]
    save_divergence(book, restore, measured)
    assert divergence(book, restore) == sorted(measured)


def loss(book: Ledger, name: str = "failover-4") -> dict[str, Any]:
    record = book.execution("orders", name)
    assert record is not None
    return dict(record.document["loss"])


def test_a_loss_that_is_measured_whole_is_no_estimate_any_more(book: Ledger, restore: Execution) -> None:
    save_divergence(book, restore, ranges(4, 0, 3))
    for _ in range(2):
        keep_measured_loss(book, restore)
        told = loss(book)
        assert (told["label"], told["not_measured_because"], told["partitions"]) == ("measured", "", 3)
        measured = told["measured"]
        assert (measured["records"], measured["partitions"], measured["unmeasured_partitions"]) == (7, 3, 0)
        assert measured["execution"] == restore.name
    last, earlier = book.execution("orders", "failover-4"), book.execution("orders", "failover-3")
    assert last is not None and last.document["why"] == "east burned", "the rest of its report stays"
    assert earlier is not None and earlier.document == {"dry_run": False}, "of the last of them alone"


def test_partitions_that_came_since_are_measured_too_and_none_is_missing(book: Ledger, restore: Execution) -> None:
    save_divergence(book, restore, ranges(4, 0, 3, 2))
    keep_measured_loss(book, restore)
    told = loss(book)
    assert (told["label"], told["measured"]["partitions"], told["measured"]["unmeasured_partitions"]) == (
        "measured",
        4,
        0,
    )


def test_what_is_measured_after_a_switchover_alone_is_no_failovers_loss(book: Ledger) -> None:
    ended(book, execution(1, "switchover", "east-west"), "succeeded", why="a walk-through")
    now = execution(2, "restore", "east-west")
    book.claim(now, "east")
    save_divergence(book, now, ranges(4))
    keep_measured_loss(book, now)
    record = book.execution("orders", "switchover-1")
    assert record is not None and record.document == {"dry_run": False, "why": "a walk-through"}


def test_of_what_could_not_be_measured_it_stays_an_estimate(book: Ledger, restore: Execution) -> None:
    save_divergence(book, restore, ranges(4, 0))
    keep_measured_loss(book, restore)
    told = loss(book)
    assert (told["label"], told["not_measured_because"]) == (
        "estimated",
        "1 partitions could not be measured any more",
    )
    assert (told["measured"]["records"], told["measured"]["unmeasured_partitions"]) == (4, 1)


def test_partitions_that_came_since_do_not_stand_for_one_that_was_not_measured(book: Ledger) -> None:
    failover, table = execution(1, "failover", "east-west"), "table#failover-1#loss"
    book.claim(failover, "east")
    save_execution_table(book, failover, "loss", {"orders": [{"partition": 0}], "payments": [{"partition": 0}]})
    lost = {"partitions": 2, "label": "estimated", "measured": None, "records": None, "table": table}
    book.conclude(failover, "succeeded", {"dry_run": False, "loss": lost})
    now = execution(2, "restore", "east-west")
    book.claim(now, "east")
    save_divergence(book, now, ranges(4, 0))
    keep_measured_loss(book, now)
    told = loss(book, "failover-1")
    assert (told["label"], told["measured"]["unmeasured_partitions"]) == ("estimated", 1)


def test_what_was_not_measured_amends_nothing(book: Ledger, restore: Execution) -> None:
    keep_measured_loss(book, restore)
    assert loss(book)["measured"] is None


def test_a_failover_that_reported_no_loss_gets_none(book: Ledger) -> None:
    ended(book, execution(1, "failover", "east-west"), "succeeded")
    now = execution(2, "restore", "east-west")
    book.claim(now, "east")
    save_divergence(book, now, ranges(4))
    keep_measured_loss(book, now)
    record = book.execution("orders", "failover-1")
    assert record is not None and "loss" not in record.document


def test_who_lost_the_lease_amends_nothing(book: Ledger, restore: Execution) -> None:
    save_divergence(book, restore, ranges(4, 0, 3))
    book.claim(execution(7, "restore", "east-west"), "east", restore.name)
    with pytest.raises(LeaseLost):
        keep_measured_loss(book, restore)
    assert loss(book)["measured"] is None
