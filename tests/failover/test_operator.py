"""The operator's commands, run as an operator runs them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from failover.__main__ import main
from failover.aws.clients import client
from failover.decision.case import Case, Decision
from failover.decision.log import decision_record, save_decision
from failover.detection.evidence import Evidence, Signal
from failover.detection.signal_store import save_signal
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.ledger.records import PlanState
from failover.plan.policy import Policy

CASE = Case(
    evidence=Evidence(lost_site="east", standby_site="west"),
    policy=Policy(),
    state=PlanState(active="east", epoch=0),
    manual=False,
    now=1_795_426_265.0,
)


@pytest.fixture
def book(deployed: Callable[..., Any]) -> Ledger:
    return Ledger(client("dynamodb"), "ledger")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["--table", "ledger", *arguments]) == 0
    return capsys.readouterr().out


def test_decisions_are_told_the_last_one_first_in_a_sentence_each(
    book: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "nothing was decided" in run(capsys, "decisions", "orders")
    for second, why in enumerate(("1 of 2 votes say east is lost", "east is lost: a, b")):
        case = replace(CASE, now=CASE.now + second)
        save_decision(book, decision_record("orders", case, Decision(verdict="wait", why=why), by="judge"))
    lines = run(capsys, "decisions", "orders").splitlines()
    assert lines[0] == "2026-11-23 09:31:06Z  judge                 wait        east is lost: a, b"
    assert len(lines) == 2
    assert len(run(capsys, "decisions", "orders", "--most", "1").splitlines()) == 1
    assert '"evidence": {"lost_site": "east"' in run(capsys, "decisions", "orders", "--json")


def test_a_pause_is_seen_in_the_state_and_ended(book: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    save_signal(
        book,
        "orders",
        Signal(
            site="east", source="failover-orders-east-kafka", says_lost=True, at=CASE.now, since=CASE.now, why="2 of 3"
        ),
        15,
    )
    run(capsys, "pause", "orders", "--why", "we look first", "--by", "anna")
    shown = run(capsys, "state", "orders")
    assert "paused   anna: we look first" in shown
    assert "failover-orders-east-kafka" in shown and "2 of 3" in shown
    run(capsys, "resume", "orders")
    assert "paused   no" in run(capsys, "state", "orders")


def test_a_ledger_that_does_not_answer_is_said_in_a_line(
    book: Ledger, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    client.cache_clear()
    assert main(["--table", "ledger", "state", "orders"]) == 1
    assert capsys.readouterr().err.startswith("LedgerUnavailable: the ledger did not answer")


def test_a_switchover_under_way_is_aborted_and_what_is_not_says_why(
    book: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    abort = ["--table", "ledger", "abort", "orders", "--why", "the wrong day", "--by", "anna"]
    assert main(abort) == 1 and "AbortRefused: nothing is under way" in capsys.readouterr().err
    execution = Execution(
        plan="orders",
        epoch=1,
        name="orders-1-switchover",
        kind="switchover",
        from_site="east",
        to_site="west",
        claimed_at=1.0,
    )
    book.claim(execution, "east")
    assert main(abort) == 0 and "orders-1-switchover puts back" in capsys.readouterr().out
    assert "to be aborted by anna" in run(capsys, "state", "orders")
