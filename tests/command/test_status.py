"""A screen of 80 columns holds what is asked for, and `status` says what clients feel and what to say next."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest

from command.completion import complete_plan, options_of
from command.words import columns
from failover.detection.evidence import Signal
from failover.detection.signal_store import save_signal
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.ledger.records import Denial
from failover.readiness.dry_run import save_dry_run
from failover.readiness.store import save
from tests.command.conftest import Failover
from tests.plans import put_plan

ROWS = [
    ("2026-11-23 09:31:06Z", "orders-by-hand-20261123-093106", "east to west", "succeeded", "recovered in 24 s"),
    ("2026-11-23 09:12:00Z", "orders-7-failover", "east to west", "dry run stood-down", f"no vote {'stands ' * 12}"),
]


def heard(book: Ledger, *, lost: bool, source: str = "probe/us-west-2", why: str = "") -> None:
    now = time.time()
    signal = Signal(
        site="east",
        source=source,
        says_lost=lost,
        at=now,
        since=now,
        why=why,
        kind="probe" if source.startswith("probe/") else "alarm",
        vantage="us-west-2",
    )
    save_signal(book, "orders", signal, 15)


def test_a_table_that_is_too_broad_goes_on_below_and_breaks_no_cell() -> None:
    lines = list(columns(ROWS, 80))
    assert lines[0] == "2026-11-23 09:31:06Z  orders-by-hand-20261123-093106  east to west"
    assert lines[1].split() == ["succeeded", "recovered", "in", "24", "s"] and lines[1].startswith("    ")
    assert len(lines) == 4 and list(columns(ROWS)) == list(columns(ROWS, 1000)) and len(list(columns(ROWS))) == 2


def test_the_history_fits_a_terminal_of_80_columns_and_is_a_line_each_where_there_is_none(
    failover: Failover, book: Ledger, claimed: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    why = "the site answers " * 20
    book.conclude(claimed, "stood-down", {"why": why, "dry_run": False, "outcome": "stood-down"})
    assert len(failover("history").out.splitlines()) == 2
    for name, value in (("COLUMNS", "80"), ("LINES", "24"), ("FORCE_COLOR", "1"), ("NO_COLOR", "1")):
        monkeypatch.setenv(name, value)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", failover("history").out)
    assert max(map(len, shown.splitlines())) <= 80 and claimed.name in shown
    assert " ".join(shown.split()).count("the site answers") == 20


@pytest.mark.parametrize(
    ("lost", "why", "said"),
    [
        (False, "", "canary: nothing failed, "),
        (True, "canary: no record came back", "canary: no record comes back, says us-west-2"),
        (True, "kafka: refused", "canary: not known: the site looks lost otherwise"),
    ],
)
def test_status_says_what_the_canary_and_the_alarms_of_the_plan_say_of_clients(
    failover: Failover, book: Ledger, stack: Any, plan_text: str, lost: bool, why: str, said: str
) -> None:
    assert "no canary is sent" in failover("status").out
    put_plan(stack, plan_text.replace("  canary_topic:", "  canary_probe: true\n  canary_topic:"), "orders")
    assert "canary: no look in the last" in failover("status").out
    heard(book, lost=lost, why=why)
    heard(book, lost=True, source="failover-orders-east-kafka")
    (document,) = json.loads(failover("status", "--json").out)["plans"]
    assert said in document["clients"] and "failover-orders-east-kafka: in alarm, since " in document["clients"]
    assert said in failover("status").out


def test_what_is_next_where_the_active_site_looks_lost_is_to_fail_over_unless_somebody_said_no(
    failover: Failover, book: Ledger, claimed: Execution
) -> None:
    denial = Denial(site="east", why="not now", execution=claimed.name, at=1.0)
    book.conclude(claimed, "stood-down", {}, denial)
    heard(book, lost=True)
    assert "next: failover resume orders" in failover("status").out
    failover("resume")
    (document,) = json.loads(failover("status", "--json").out)["plans"]
    assert document["next"] == 'failover start failover orders --why "east is lost"'


def test_a_site_that_was_left_by_a_failover_is_said_to_be_no_mirror_until_it_is_restored(
    failover: Failover, book: Ledger, claimed: Execution
) -> None:
    assert "west stands by (epoch 1)" in failover("status").out
    book.conclude(claimed, "succeeded", {})
    shown = failover("status").out
    assert "clients are led to west, east was lost, and is no mirror yet (epoch 1)" in shown
    assert shown.endswith("next: failover start restore orders --dry-run --watch\n")
    restore = claimed.model_copy(
        update={"kind": "restore", "name": "orders-2-restore", "epoch": 2, "from_site": "east", "to_site": "west"}
    )
    book.claim(restore, "east")
    book.conclude(restore, "succeeded", {})
    assert "clients are led to west, east stands by (epoch 2)" in failover("status").out


def test_a_line_that_is_typed_says_whose_plans_to_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    options = options_of(["failover", "status", "--stack=mine", "--region", "us-west-2", "--drill", "or"])
    assert (options.stack, options.region, options.profile, options.drill) == ("mine", "us-west-2", None, True)
    assert options_of(["failover", "status", "--profile"]).profile is None


class _Line:
    obj = None

    def find_root(self) -> _Line:
        return self


def test_plan_names_are_completed_and_nothing_is_where_they_can_not_be_known(
    stack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    line: Any = _Line()
    assert (complete_plan(line, "or"), complete_plan(line, "x")) == (["orders"], [])
    monkeypatch.setenv("COMP_WORDS", "failover status --stack none-of-ours 'or")
    assert complete_plan(line, "or") == []


def looked_before_the_dry_run(book: Ledger, to: str = "west") -> None:
    """A look that found none, and a dry run after it."""
    now = time.time()
    words = {"evidence": ["never walked through"], "remedy": "failover start failover orders --dry-run"}
    checks = [{"name": "dry-run", "status": "fail", **words}]
    save(book, {"plan": "orders", "taken_at": now - 60, "checks": checks})
    run = {"plan": "orders", "execution": "walk", "to": to, "outcome": "succeeded", "why": "", "steps": []}
    save_dry_run(book, run | {"claimed_at": now - 30, "ended_at": now - 20})


def test_a_dry_run_that_ended_since_the_last_look_has_its_say(failover: Failover, book: Ledger) -> None:
    looked_before_the_dry_run(book)
    assert "readiness  ready, looked at" in failover("status").out
    shown = failover("check")
    assert shown.code == 0 and "never walked" not in shown.out


def test_a_dry_run_towards_the_other_site_is_none_towards_the_standby(failover: Failover, book: Ledger) -> None:
    looked_before_the_dry_run(book, to="east")
    shown = failover("check")
    assert shown.code == 1 and "the last dry run led to east; none to west yet" in shown.out


def test_what_to_do_about_a_check_can_be_pasted_where_the_controller_is_named(failover: Failover, book: Ledger) -> None:
    words = {"evidence": ["none"], "remedy": "start a dry run: failover start failover orders --dry-run; look why"}
    save(book, {"plan": "orders", "taken_at": 1.0, "checks": [{"name": "dry-run", "status": "fail", **words}]})
    shown = failover("check", "--region", "us-west-2").out
    assert "do: start a dry run: failover start failover orders --dry-run --region us-west-2; look why" in shown
