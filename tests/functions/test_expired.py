"""Nothing grows without bound: what has expired is not read, and is deleted where no TTL does it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from failover.aws.clients import client
from failover.detection.evidence import Evidence, Signal
from failover.detection.signal_store import save_signal, signals
from failover.execution.claimed_plan import renew_plan
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.ledger.topic_tables import save_execution_table

Call = Callable[[str, dict[str, Any]], dict[str, Any]]
LIMIT = 200_000
"""Bytes of an answer."""


@pytest.fixture
def book(deployed: Callable[..., Any]) -> Ledger:
    return Ledger(client("dynamodb"), "ledger")


def past(seconds: int = 60) -> int:
    return int(time.time()) - seconds


def put(book: Ledger, *names: str, expires: int | None) -> None:
    for name in names:
        book.put("orders", f"kind#{name}", {"name": name} | ({} if expires is None else {"expires": expires}))


def test_what_has_expired_is_not_read(book: Ledger) -> None:
    put(book, "old", "older", expires=past())
    put(book, "new", expires=past(-60))
    put(book, "lasting", expires=None)
    assert [item["name"] for item in book.list_items("orders", "kind#")] == ["lasting", "new"]
    assert [item["name"] for item in book.newest("orders", "kind#", 2)] == ["new", "lasting"]
    assert book.item("orders", "kind#old") is None
    assert book.item("orders", "kind#new") is not None


def test_what_has_expired_stands_in_nobodys_way(book: Ledger) -> None:
    put(book, "old", expires=past())
    put(book, "new", expires=past(-60))
    assert book.put_once("orders", "kind#old", {"name": "again"})
    assert not book.put_once("orders", "kind#new", {"name": "again"})
    put(book, "swapped", expires=past())
    assert book.compare_and_swap("orders", "kind#swapped", {"name": "first"}, 0)


def test_an_advisory_that_has_expired_is_no_signal(book: Ledger) -> None:
    for name, at in {"old": time.time() - 31 * 86_400, "new": time.time()}.items():
        save_signal(
            book,
            "orders",
            Signal(
                site="east", source=f"aws-health/{name}", says_lost=True, at=at, since=at, why="issue", kind="advisory"
            ),
            30,
        )
    assert [signal.source for signal in signals(book, "orders")] == ["aws-health/new"]


def test_whatever_is_kept_of_an_execution_expires(deployed: Any, book: Ledger, call: Call) -> None:
    starts: dict[str, dict[str, Any]] = {"by-hand": {"to": "west"}, "dry": {"to": "standby", "dry_run": True}}
    for name, start in starts.items():
        request = {"start": {"plan": "orders"} | start, "execution_name": name}
        execution = Execution.model_validate(call("claim", request)["execution"])
        book.record_step(execution, "assess", "done", {}, time.time())
        book.save_approval_token(execution, "the-task-token")
        save_execution_table(book, execution, "loss", {f"topic-{number}": [] for number in range(1_500)})
        renew_plan(book, execution)
        days = 30 if execution.dry_run else 180
        kinds = ("execution#", "step#", "approval#", "plan#", "table#")
        items = [item for kind in kinds for item in book.list_items("orders", f"{kind}") if name in item["sk"]]
        assert len(items) >= 7
        for item in items:
            assert item["expires"] == pytest.approx(time.time() + days * 86_400, abs=600), item["sk"]
        if not execution.dry_run:
            call("conclude", {"execution": execution.as_state(), "outcome": "stood-down", "why": "policy"})


def test_the_sweep_deletes_what_has_expired_and_nothing_else(deployed: Any, book: Ledger, call: Call) -> None:
    put(book, *(f"old-{number:03}" for number in range(120)), expires=past())
    put(book, "new", expires=past(-60))
    put(book, "lasting", expires=None)
    deployed("dynamodb").put_item(
        TableName="ledger",
        Item={"pk": {"S": "notification"}, "sk": {"S": "told"}, "expires": {"N": str(past())}},
    )
    assert call("sweep_ledger", {}) == {"deleted": 121, "done": True}
    left = {item["sk"]["S"] for item in deployed("dynamodb").scan(TableName="ledger")["Items"]}
    assert left == {"kind#new", "kind#lasting", "deployed#orders"}


def test_what_was_renewed_while_it_was_swept_stays(
    deployed: Any, book: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(book, "old", expires=past())
    dynamodb = client("dynamodb")
    scan = dynamodb.scan

    def scan_and_renew(**arguments: Any) -> Any:
        found = scan(**arguments)
        put(book, "old", expires=past(-60))
        return found

    monkeypatch.setattr(dynamodb, "scan", scan_and_renew)
    assert sum(Ledger(dynamodb, "ledger").delete_expired(time.time())) == 0
    assert book.item("orders", "kind#old") is not None


def test_of_hundreds_of_advisories_the_newest_are_answered() -> None:
    told = tuple(
        Signal(
            site="east",
            source=f"aws-health/{number:04}",
            says_lost=True,
            at=float(number),
            since=float(number),
            why="x" * 300,
            kind="advisory",
        )
        for number in range(900)
    )
    votes = (
        Signal(site="east", source="alarm", says_lost=True, at=1.0, since=1.0, why="y" * 5_000),
        Signal(site="east", source="probe/here", says_lost=True, at=1.0, since=1.0),
    )
    document = Evidence(lost_site="east", standby_site="west", signals=(*told, *votes)).as_document()
    assert len(json.dumps(document)) < LIMIT / 10
    sources = [signal["source"] for signal in document["signals"]]
    assert sources[:3] == ["alarm", "probe/here", "aws-health/0899"]
    assert document["advisories_left_out"] == 900 - len(sources[2:])
