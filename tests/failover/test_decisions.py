"""Decisions in the ledger: none is lost, and the same one for days is no flood."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from failover.aws.clients import client
from failover.decision.case import Decision
from failover.decision.log import RUN_S, DecisionRecord, decisions, record_decision
from failover.ledger.ledger import Ledger

NOW = 1_795_426_265.0
WAIT = Decision(verdict="wait", why="1 of 2 votes say east is lost", votes=("a",), guard="quorum_not_met")
PROCEED = Decision(verdict="proceed", why="east is lost: a, b", votes=("a", "b"))


@pytest.fixture
def book(deployed: Callable[..., Any]) -> Ledger:
    return Ledger(client("dynamodb"), "ledger")


def record(at: float = 0.0, decision: Decision = WAIT, by: str = "judge/us-west-2", **more: Any) -> DecisionRecord:
    return DecisionRecord(plan="orders", at=NOW + at, by=by, site="east", decision=decision, **more)


def kept(book: Ledger) -> list[tuple[str, str, int, float | None]]:
    """The first one first."""
    found = reversed(decisions(book, "orders", 1000))
    return [(each.by, each.decision.verdict, each.times, each.until and each.until - NOW) for each in found]


def test_the_same_decision_again_and_again_is_one_record_that_says_how_often_and_until_when(book: Ledger) -> None:
    for second in range(20):
        record_decision(book, record(second, evidence={"second": second}))
    assert kept(book) == [("judge/us-west-2", "wait", 20, 19.0)]
    assert decisions(book, "orders")[0].evidence == {"second": 0}


def test_a_decision_that_was_just_taken_was_taken_once_and_until_then() -> None:
    document = record(7.0, by="judge/us-west-2", on=("a",), started="orders-1-failover").as_document()
    assert (document["version"], document["times"], document["at"], document["until"]) == (1, 1, NOW + 7, NOW + 7)
    assert record(7.0, until=NOW + 9).as_document()["until"] == NOW + 9


def test_it_is_kept_anew_with_its_evidence_every_hour(book: Ledger) -> None:
    for second in (0, RUN_S - 1, RUN_S, 2 * RUN_S - 1, 2 * RUN_S):
        record_decision(book, record(second))
    assert [times for _, _, times, _ in kept(book)] == [2, 2, 1]


def test_a_number_in_its_sentence_makes_no_other_decision_and_a_vote_more_does(book: Ledger) -> None:
    for second, votes in ((0, ("a",)), (1, ("a",)), (2, ("a", "b")), (3, ("b", "a"))):
        record_decision(
            book,
            record(
                second,
                Decision(verdict="stand-down", why=f"{60 - second} s are left", votes=votes, guard="cooling_down"),
            ),
        )
    assert [times for _, _, times, _ in kept(book)] == [2, 2]


def test_every_change_is_kept_and_a_run_does_not_go_on_after_one(book: Ledger) -> None:
    for second, decision in enumerate((WAIT, WAIT, PROCEED, WAIT)):
        record_decision(book, record(second, decision))
    assert [(verdict, times) for _, verdict, times, _ in kept(book)] == [("wait", 2), ("proceed", 1), ("wait", 1)]


def test_two_judges_count_each_for_itself(book: Ledger) -> None:
    for second in range(6):
        record_decision(book, record(second, by=f"judge/{'east' if second % 2 else 'west'}"))
    assert [(by, times) for by, _, times, _ in kept(book)] == [("judge/west", 3), ("judge/east", 3)]


def test_of_many_at_once_none_is_lost(book: Ledger) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda second: record_decision(book, record(second)), range(40)))
    assert sum(times for _, _, times, _ in kept(book)) == 40


@pytest.mark.slow
def test_the_ledger_of_a_week_of_one_decision_a_second_stays_small(
    book: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    for second in range(0, 7 * 86_400, 1800):
        record_decision(book, record(second))
    assert len(decisions(book, "orders", 10_000)) == 7 * 24
