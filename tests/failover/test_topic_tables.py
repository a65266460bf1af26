"""Tables of a row a topic: read as a whole or not at all, whatever was there before and whoever writes meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from failover.ledger.ledger import Ledger
from failover.ledger.topic_tables import (
    ROWS_AN_ITEM,
    load_execution_table,
    load_plan_table,
    load_table,
    save_execution_table,
    save_plan_table,
)
from tests.failover.test_ledger import execution
from tests.ledger_in_memory import DynamoDB


def rows(count: int, of: int = 0) -> dict[str, Any]:
    return {f"t{number:04}": [of, number] for number in range(count)}


def save(book: Ledger, table: dict[str, Any], rows_an_item: int = 2) -> None:
    save_plan_table(book, "orders", "lag", table, rows_an_item)


def load(book: Ledger) -> dict[str, Any]:
    return load_plan_table(book, "orders", "lag")


@pytest.mark.parametrize(("count", "items"), [(0, 1), (1, 1), (ROWS_AN_ITEM, 1), (ROWS_AN_ITEM + 1, 2)])
def test_a_table_takes_as_many_items_as_its_rows_ask_for_and_at_least_one(book: Ledger, count: int, items: int) -> None:
    save_plan_table(book, "orders", "lag", rows(count))
    assert len(book.list_items("orders", "plan-table#lag")) == items and load(book) == rows(count)
    assert ROWS_AN_ITEM == 1000


def test_a_table_that_shrinks_is_read_without_what_its_slot_held_before(book: Ledger) -> None:
    for count, of in ((8, 0), (8, 1), (5, 2), (3, 3), (1, 4), (0, 5), (5, 6)):
        save(book, rows(count, of))
        assert load(book) == rows(count, of)


def test_a_new_table_never_touches_the_items_of_the_one_that_is_read(dynamodb: DynamoDB, book: Ledger) -> None:
    before: list[dict[str, Any]] = []

    def read(operation: str) -> None:
        if operation == "PutItem":
            dynamodb.before = lambda _: None
            before.append(load(book))
            dynamodb.before = read

    save(book, rows(6))
    for of in range(1, 5):
        before.clear()
        dynamodb.before = read
        save(book, rows(6, of))
        dynamodb.before = lambda _: None
        assert before == [rows(6, of - 1)] * 3, "until its head is put"


def test_a_table_of_which_a_part_is_gone_is_none(book: Ledger) -> None:
    save(book, rows(6))
    (head,) = [item for item in book.list_items("orders", "plan-table#lag") if item["sk"] == "plan-table#lag"]
    part = next(item for item in book.list_items("orders", "plan-table#lag#"))
    assert head["parts"] == 3
    gone = {"version": part["version"], "rows": part["rows"], "expires": 1}
    book.put("orders", part["sk"], gone)
    assert load(book) == {}


def test_a_reader_whom_a_writer_overtakes_looks_again(dynamodb: DynamoDB, book: Ledger) -> None:
    save(book, rows(6, 0))
    save(book, rows(6, 1))

    def overtake(operation: str) -> None:
        if operation == "Query":
            dynamodb.before = lambda _: None
            save(book, rows(6, 2))
            save(book, rows(6, 3))

    dynamodb.before = overtake
    assert load(book) == rows(6, 3)


def test_a_table_of_one_item_is_written_and_read_without_a_look_at_any_other(dynamodb: DynamoDB, book: Ledger) -> None:
    save(book, rows(2))
    assert load(book) == rows(2)
    assert [operation for operation, _ in dynamodb.requests] == ["PutItem", "GetItem"]


def test_a_table_of_an_execution_is_its_own_and_is_found_by_the_key_that_a_report_names(book: Ledger) -> None:
    book.claim(execution(), "east")
    assert load_execution_table(book, execution(), "loss") == {}
    save_execution_table(book, execution(), "loss", rows(3))
    assert load_execution_table(book, execution(), "loss") == rows(3)
    assert load_table(book, "orders", f"table#{execution().name}#loss") == rows(3)
    assert load_execution_table(book, execution(2), "loss") == {} == load_plan_table(book, "orders", "loss")
