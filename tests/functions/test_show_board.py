"""show_board: every plan in a line of the controller's dashboard, from what the ledger has of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import yaml

from failover.aws.clients import client
from failover.errors import LedgerUnavailable
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.ledger.topic_tables import save_plan_table
from failover.loss.sample_table import save_samples
from failover.loss.samples import Sample
from failover.readiness.store import save
from tests.conftest import Context
from tests.functions.heard_events import sighting
from tests.plans import put_plan


@pytest.fixture
def board(deployed: Any, function: Callable[[str], Any]) -> Callable[[], dict[str, list[str]]]:
    """The cells of each plan's line."""

    def draw() -> dict[str, list[str]]:
        head, _, *lines = function("show_board").handler({"widgetContext": {}}, Context())["markdown"].splitlines()
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in (head, *lines)]
        assert len({len(row) for row in rows}) == 1
        return {row[0]: row[1:] for row in rows[1:]}

    return draw


def test_a_plan_of_which_nothing_is_known_is_in_it_and_says_so(board: Callable[[], dict[str, list[str]]]) -> None:
    assert board() == {"orders": ["east", "", "**never looked at**", "not known", "**nowhere**"]}


def test_what_the_ledger_has_of_a_plan_is_in_its_line(
    board: Callable[[], dict[str, list[str]]], call: Callable[..., Any]
) -> None:
    book, now = Ledger(client("dynamodb"), "ledger"), time.time()
    checks = [
        {"name": name, "status": status, "evidence": [], "remedy": ""}
        for name, status in (("links", "pass"), ("acls", "warn"), ("dry-run", "fail"))
    ]
    save(book, {"plan": "orders", "taken_at": now - 7_300, "checks": checks})
    known = Sample(at=now, lag=1200, fetched_to=5, rate=None, proof="the source answered", last_fetched_to=5)
    save_samples(book, "orders", "west", {"t": {0: known, 1: replace(known, lag=34)}})
    save_plan_table(book, "orders", "watch", {"east": {"looked_at": now, "unanswered_since": now - 300}})
    book.pause("orders", "anna: we look first")
    call("judge", sighting("us-west-2"))
    call("judge", sighting("us-east-1", lost=(), ago=600))
    active, execution, readiness, lag, seen = board()["orders"]
    assert (active, execution) == ("east; **paused**", "")
    assert readiness == "**1 of 3 not ready**: dry-run, 2 h ago"
    assert lag == "1,234 records, of 2 sampled partitions; **the source is silent since 5 min**"
    assert "us-west-2" in seen and "**east lost**" in seen and "us-east-1 10 min" in seen


def test_where_clients_are_since_when_and_who_leads_them_elsewhere_is_in_it(
    board: Callable[[], dict[str, list[str]]], call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    start = {"plan": "orders", "to": "west", "epoch": 1}
    execution = call("claim", {"start": start, "execution_name": "orders-1-failover"})["execution"]
    active, held = board()["orders"][:2]
    assert active == "east" and held.startswith("**orders-1-failover** running, ")
    call("conclude", {"execution": execution, "outcome": "succeeded"})
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now + 3 * 3600)
    assert board()["orders"][:2] == ["west (not its home), since 3 h", "orders-1-failover succeeded, 3 h ago"]


def test_a_source_that_answers_is_not_said_to_be_silent_and_all_that_pass_are_ready(
    board: Callable[[], dict[str, list[str]]],
) -> None:
    book, now = Ledger(client("dynamodb"), "ledger"), time.time()
    checks: list[Any] = [{"name": name, "status": "pass", "evidence": [], "remedy": ""} for name in ("links", "acls")]
    save(book, {"plan": "orders", "taken_at": now, "checks": checks})
    save_plan_table(book, "orders", "watch", {"east": {"looked_at": now}})
    assert board()["orders"][3] == "not known", "nothing was sampled yet"
    known = Sample(at=now, lag=7, fetched_to=5, rate=None, proof="the source answered", last_fetched_to=5)
    save_samples(book, "orders", "west", {"t": {0: known}})
    readiness, lag = board()["orders"][2:4]
    assert readiness.startswith("ready, ") and lag == "7 records, of 1 sampled partitions"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7_199, "120 min"),
        (7_200, "2 h"),
        (172_799, "48 h"),
        (172_800, "2 d"),
        (864_000, "10 d"),
    ],
)
def test_how_long_ago_is_told_in_the_largest_unit_of_which_there_are_two(
    board: Callable[[], dict[str, list[str]]], monkeypatch: pytest.MonkeyPatch, seconds: int, words: str
) -> None:
    now = time.time()
    save(Ledger(client("dynamodb"), "ledger"), {"plan": "orders", "taken_at": now - seconds, "checks": []})
    monkeypatch.setattr("time.time", lambda: now)
    assert board()["orders"][2] == f"ready, {words} ago"


def test_the_last_execution_is_in_the_line_bold_while_it_holds_the_plan_and_a_dry_run_is_none(
    board: Callable[[], dict[str, list[str]]], deployed: Any
) -> None:
    book, now = Ledger(client("dynamodb"), "ledger"), time.time()
    over = Execution(
        plan="orders",
        epoch=1,
        name="orders-1-failover",
        kind="failover",
        from_site="east",
        to_site="west",
        claimed_at=now - 300,
    )
    book.claim(over, "east")
    assert board()["orders"][1] == "**orders-1-failover** running, 5 min ago"
    book.conclude(over, "succeeded", {})
    book.begin_dry_run(over.model_copy(update={"name": "dry", "dry_run": True, "claimed_at": now}))
    active, last, *_ = board()["orders"]
    assert active.startswith("west (not its home)") and last.startswith("orders-1-failover succeeded, ")


def test_a_plan_that_can_not_be_read_hides_no_other(
    deployed: Any,
    board: Callable[[], dict[str, list[str]]],
    plan_text: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put_plan(deployed, "name: broken", "broken")
    put_plan(deployed, yaml.safe_dump(yaml.safe_load(plan_text) | {"name": "payments"}), "payments")
    state = Ledger.state

    def silent(book: Ledger, plan: str, home: str) -> Any:
        if plan == "payments":
            raise LedgerUnavailable("throttled")
        return state(book, plan, home)

    monkeypatch.setattr(Ledger, "state", silent)
    cells = board()
    assert [cells[plan][0] for plan in ("broken", "orders", "payments")] == [
        "**bad plan**",
        "east",
        "**LedgerUnavailable**",
    ]


def test_cloudwatch_is_told_what_the_widget_is(deployed: Any, function: Callable[[str], Any]) -> None:
    assert "plan" in function("show_board").handler({"describe": True}, Context())
