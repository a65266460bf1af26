"""A plan's items on DynamoDB: what has expired is not there, and the writes on which concurrent writers agree."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from failover.errors import LedgerRejected, LedgerUnavailable
from failover.ledger.approvals import approval
from failover.ledger.ledger import Ledger
from tests.ledger_in_memory import DynamoDB, ledger_of

NOW = 1_900_000_000


@pytest.fixture
def book(dynamodb: DynamoDB, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """A ledger whose clock stands still."""
    monkeypatch.setattr("time.time", lambda: float(NOW))
    return ledger_of(dynamodb)


def values(book: Ledger, sort: str = "kind#a") -> dict[str, Any] | None:
    item = book.item("orders", sort)
    return item and {name: value for name, value in item.items() if name not in ("pk", "sk")}


@pytest.mark.parametrize(("expires", "lasts"), [(NOW + 1, True), (NOW, False), (NOW - 1, False), (None, True)])
def test_an_item_lasts_until_it_expires_and_one_that_never_does_lasts(
    book: Ledger, expires: int | None, lasts: bool
) -> None:
    book.put("orders", "kind#a", {"n": 1} | ({} if expires is None else {"expires": expires}))
    assert (book.item("orders", "kind#a") is not None) is lasts
    assert len(book.list_items("orders", "kind#")) == len(book.newest("orders", "kind#", 9)) == lasts


def test_an_item_is_read_as_it_was_put_and_no_other_kind_of_value_is_taken(book: Ledger) -> None:
    kept = {"n": 3, "yes": True, "text": "a", "raw": b"\x00", "names": frozenset({"a", "b"})}
    book.put("orders", "kind#a", kept)
    assert values(book) == kept
    with pytest.raises(TypeError, match="the ledger keeps no float"):
        book.put("orders", "kind#a", {"n": 3.5})


def test_reads_are_consistent_and_the_newest_come_last_key_first(dynamodb: DynamoDB, book: Ledger) -> None:
    for name in "abc":
        book.put("orders", f"kind#{name}", {})
    book.put("orders", "kindred#a", {})
    assert book.item("orders", "kind#z") is None
    assert [item["sk"] for item in book.list_items("orders", "kind#")] == ["kind#a", "kind#b", "kind#c"]
    assert [item["sk"] for item in book.newest("orders", "kind#", 2)] == ["kind#c", "kind#b"]
    reads = [request for operation, request in dynamodb.requests if operation in ("GetItem", "Query")]
    assert len(reads) == 3 and all(request["ConsistentRead"] is True for request in reads)


def test_the_newest_are_looked_for_behind_what_has_expired(book: Ledger) -> None:
    for name in "abcde":
        book.put("orders", f"kind#{name}", {"expires": NOW - 60 if name in "de" else NOW + 60})
    assert [item["sk"] for item in book.newest("orders", "kind#", 2)] == ["kind#c", "kind#b"]


def test_what_has_expired_is_deleted_page_by_page_and_what_was_renewed_meanwhile_stays(
    dynamodb: DynamoDB, book: Ledger
) -> None:
    for number in range(11):
        book.put("orders", f"kind#{number:02}", {"expires": NOW - 60 if number != 3 else NOW + 60})
    book.put("payments", "kind#a", {})

    def renew(operation: str) -> None:
        if operation == "DeleteItem":
            dynamodb.before = lambda _: None
            book.put("orders", "kind#10", {"expires": NOW + 60})

    dynamodb.before = renew
    assert list(book.delete_expired(NOW)) == [7, 2]
    assert [item["sk"] for item in book.list_items("orders", "kind#")] == ["kind#03", "kind#10"]
    assert book.item("payments", "kind#a") is not None


@pytest.mark.parametrize(
    ("code", "error"), [("ThrottlingException", LedgerUnavailable), ("AccessDeniedException", LedgerRejected)]
)
def test_a_write_that_was_not_carried_out_is_no_condition_that_did_not_hold(
    dynamodb: DynamoDB, book: Ledger, code: str, error: type[Exception]
) -> None:
    def refuse(operation: str) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, operation)

    dynamodb.before = refuse
    with pytest.raises(error):
        book.put_once("orders", "kind#a", {"n": 1})
    with pytest.raises(error):
        book.set_once("orders", "kind#a", {"n": 1})


def test_of_two_who_put_an_item_once_the_first_does_until_it_has_expired(book: Ledger) -> None:
    assert book.put_once("orders", "kind#a", {"n": 1, "expires": NOW - 1}) is True
    assert book.put_once("orders", "kind#a", {"n": 2, "expires": NOW + 1}) is True
    assert book.put_once("orders", "kind#a", {"n": 3}) is False
    assert values(book) == {"n": 2, "expires": NOW + 1}


def test_of_two_who_swap_the_same_revision_the_first_does(book: Ledger) -> None:
    assert book.compare_and_swap("orders", "kind#a", {"n": 1}, 1) is False, "there is none yet"
    swaps = [book.compare_and_swap("orders", "kind#a", {"n": n}, revision) for n, revision in enumerate((0, 0, 1, 1))]
    assert swaps == [True, False, True, False]
    assert values(book) == {"n": 2, "revision": 2}


def test_fields_are_added_once_to_an_item_that_is_there(book: Ledger) -> None:
    assert book.set_once("orders", "kind#a", {"answer": "yes", "by": "ada"}) is False
    assert values(book) is None
    book.put("orders", "kind#a", {"n": 1})
    assert book.set_once("orders", "kind#a", {"answer": "yes", "by": "ada"}) is True
    assert book.set_once("orders", "kind#a", {"answer": "no", "by": "bob"}) is False
    assert values(book) == {"n": 1, "answer": "yes", "by": "ada"}


def test_fields_are_set_where_they_were_not_changed_meanwhile_and_the_others_stay(book: Ledger) -> None:
    book.set_fields("orders", "kind#a", {"n": 1, "why": "first"})
    book.set_fields("orders", "kind#a", {"n": 2, "status": "on"})
    assert book.set_if_unchanged("orders", "kind#a", {"n": 1}, {"status": "off"}) is False
    assert book.set_if_unchanged("orders", "kind#a", {"n": 2}, {"status": "off", "by": "ada"}) is True
    assert values(book) == {"n": 2, "why": "first", "status": "off", "by": "ada"}


def test_a_counter_goes_up_by_one_and_counts_nothing_that_is_not_there(book: Ledger) -> None:
    book.increment("orders", "kind#a", {"at": "1"}, "count")
    assert values(book) is None
    book.put("orders", "kind#a", {"n": 1})
    for at in ("1", "2"):
        book.increment("orders", "kind#a", {"at": at}, "count")
    assert values(book) == {"n": 1, "at": "2", "count": 2}


def test_late_is_never_over_new(book: Ledger) -> None:
    puts = [book.put_if_newer("orders", "kind#a", {"n": n}, at) for n, at in enumerate((20.0, 10.0, 20.0, 20.5))]
    assert puts == [True, False, False, True]
    assert (values(book) or {})["n"] == 3


@pytest.mark.parametrize(
    ("at", "says_lost", "extended"),
    [(25.0, True, True), (25.1, True, False), (10.0, True, False), (10.1, True, True), (20.0, False, False)],
)
def test_what_goes_on_is_extended_within_the_gap_while_it_is_the_same(
    book: Ledger, at: float, says_lost: bool, extended: bool
) -> None:
    book.put_if_newer("orders", "kind#a", {"says_lost": True, "why": "first"}, 10.0)
    same = {"says_lost": says_lost}
    assert book.extend_if_unchanged("orders", "kind#a", same, {"why": "again"}, at, gap=15.0) is extended
    assert (values(book) or {})["why"] == ("again" if extended else "first")


def test_a_question_that_nobody_answered_has_no_answer(book: Ledger) -> None:
    assert approval(book, "orders", "an-execution") is None
    book.put("orders", "approval#an-execution", {"token": "t", "started_by": ""})
    assert approval(book, "orders", "an-execution") is None
    reply = {"answer": "approve", "answered_by": "ada", "answered_at": "12.5", "answered_why": "seen"}
    book.set_once("orders", "approval#an-execution", reply)
    assert approval(book, "orders", "an-execution") == {"answer": "approve", "by": "ada", "at": 12.5, "why": "seen"}
