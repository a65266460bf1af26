"""Of several ends each is told by itself, and of two refusals the one that may pass is the one that is heard of."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from failover.container import forget
from failover.errors import FailoverError, LedgerUnavailable, ServiceRejected, ServiceUnavailable
from failover.execution import announcement

REFUSED, ALSO_REFUSED = ServiceRejected("SNS"), ServiceRejected("EventBridge")
BUSY = ServiceUnavailable("not now")


class Told:
    """Who was told, people and the bus; each may fail."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.executions: list[tuple[str, str]] = []
        self.fails: dict[str, Exception] = {}
        for kind in ("notify", "put_event"):
            patch.setattr(announcement, f"_{kind}", lambda report, kind=kind: self._tell(kind, report["execution"]))

    def _tell(self, kind: str, execution: str) -> None:
        self.executions.append((kind, execution))
        if kind in self.fails:
            raise self.fails[kind]

    @property
    def people(self) -> list[str]:
        """Of which ends they were told."""
        return [execution for kind, execution in self.executions if kind == "notify"]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    forget()
    return Told(monkeypatch)


@pytest.mark.parametrize(
    ("people", "bus", "heard"),
    [
        (REFUSED, ALSO_REFUSED, REFUSED),
        (REFUSED, BUSY, BUSY),
        (BUSY, REFUSED, BUSY),
        (REFUSED, None, REFUSED),
        (None, REFUSED, REFUSED),
    ],
)
def test_who_can_not_be_told_keeps_nobody_else_from_hearing_and_what_may_pass_is_asked_for_again(
    told: Told, people: Exception | None, bus: Exception | None, heard: Exception
) -> None:
    told.fails = {kind: error for kind, error in (("notify", people), ("put_event", bus)) if error}
    with pytest.raises(FailoverError) as raised:
        announcement.announce({"dry_run": False, "execution": "by-hand"})
    assert raised.value is heard
    assert told.executions == [("notify", "by-hand"), ("put_event", "by-hand")]


class Book:
    """Three ends that nobody was told of, long ago."""

    def __init__(self) -> None:
        self.announced: list[str] = []
        self.records: dict[str, Any] = {
            name: SimpleNamespace(ended_at=time.time() - 3600, document={"dry_run": False, "execution": name})
            for name in ("first", "second", "third")
        }
        self.silent_about = ""

    def execution(self, plan: str, name: str) -> Any:
        if name == self.silent_about:
            raise LedgerUnavailable("throttled")
        return self.records.get(name)

    def keep_announced(self, plan: str, name: str) -> None:
        self.announced.append(name)

    def announce_missed(self) -> None:
        book: Any = self
        announcement.announce_missed(book, "orders", ["third", "first", "second"])


def test_every_end_that_was_not_told_is_told_once_its_execution_had_the_time_to_do_so_itself(told: Told) -> None:
    book = Book()
    book.records["first"].ended_at = time.time() - 1.0
    book.announce_missed()
    assert told.people == book.announced == ["second", "third"]


def test_an_end_that_could_not_be_told_a_moment_ago_is_left_for_a_while_and_no_other_is(told: Told) -> None:
    book = Book()
    ended, book.records["first"] = book.records["first"], None
    told.fails = {"notify": REFUSED}
    book.announce_missed()
    assert (told.people, book.announced) == (["second", "third"], ["first"]), "of the first nothing is kept to tell"
    told.fails = {}
    book.records |= {"fourth": ended}
    book_again: Any = book
    announcement.announce_missed(book_again, "orders", ["second", "fourth"])
    assert (told.people[2:], book.announced) == (["first"], ["first", "fourth"])


def test_a_ledger_that_is_silent_about_one_end_hides_no_other(told: Told) -> None:
    book = Book()
    book.silent_about = "second"
    book.announce_missed()
    assert told.people == book.announced == ["first", "third"]


def test_a_refused_start_whose_fields_come_in_another_order_is_the_same_one(monkeypatch: pytest.MonkeyPatch) -> None:
    keys: list[str] = []
    monkeypatch.setattr(announcement, "notify_at_least_once", lambda *, key, message, document: keys.append(key))
    for start in ({"plan": "orders", "to": "west"}, {"to": "west", "plan": "orders"}, {"plan": "orders", "to": "east"}):
        announcement.announce_refusal("by-hand", start, {"Error": "WrongDirection", "Cause": "no"})
    assert keys[0] == keys[1] != keys[2]
