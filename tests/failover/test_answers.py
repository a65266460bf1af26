"""An answer that comes in the moment in which the execution asks anew, since its message had not got out."""

from __future__ import annotations

from typing import Any

import pytest

from failover.errors import ServiceUnavailable
from failover.execution import approval
from failover.execution.approval import Answered, NoQuestion, answer
from failover.ledger.ledger import Ledger
from tests.failover.test_ledger import execution
from tests.ledger_in_memory import DynamoDB, ledger_of


@pytest.fixture
def book(dynamodb: DynamoDB) -> Ledger:
    """A ledger in which an execution asks for the first time."""
    book = ledger_of(dynamodb)
    book.claim(execution(), "east")
    book.save_approval_token(execution(), "first")
    return book


@pytest.fixture
def handed_over(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the waiting execution is handed: by which token, and what."""
    calls: list[tuple[Any, ...]] = []

    def note(token: str, answered: Answered, why: str) -> None:
        calls.append((token, answered.answer, answered.by, answered.now, why))

    monkeypatch.setattr(approval, "_hand_over", note)
    return calls


def anew(dynamodb: DynamoDB, book: Ledger, times: int) -> None:
    """Have it ask anew after an answer was written down and before it is read, so many times."""
    written = 0

    def ask(operation: str) -> None:
        nonlocal written
        if operation == "GetItem" and dynamodb.requests[-1][0] == "UpdateItem" and written < times:
            written += 1
            dynamodb.before = lambda _: None
            book.save_approval_token(execution(), f"anew {written}")
            dynamodb.before = ask

    dynamodb.before = ask


def reply(book: Ledger) -> Answered:
    return answer(book, "orders", execution().name, reply="approve", by="anna", why="it is lost")


def test_an_answer_is_to_what_is_asked_now(
    dynamodb: DynamoDB, book: Ledger, handed_over: list[tuple[Any, ...]]
) -> None:
    anew(dynamodb, book, times=1)
    assert (reply(book).answer, reply(book).now) == ("approve", False)
    assert handed_over[0] == ("anew 1", "approve", "anna", True, "it is lost")


def test_where_it_goes_on_asking_anew_the_answer_is_to_be_given_again(
    dynamodb: DynamoDB, book: Ledger, handed_over: list[tuple[Any, ...]]
) -> None:
    anew(dynamodb, book, times=2)
    with pytest.raises(ServiceUnavailable, match="asks anew at this moment: answer again"):
        reply(book)
    assert handed_over == []
    assert reply(book).now and handed_over[0][0] == "anew 2"


def test_a_question_that_is_gone_by_then_is_none(
    dynamodb: DynamoDB, book: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = book.item
    monkeypatch.setattr(
        book, "item", lambda *of: None if dynamodb.requests[-1][0] == "UpdateItem" else item(*of), raising=False
    )
    book.save_approval_token(execution(), "first")
    with pytest.raises(NoQuestion, match="asks nobody any more"):
        reply(book)
