"""What scripts and pipes rely on: every command has JSON that parses, also of an error, and a documented exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from command.output import is_read
from failover.execution import approval
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.readiness.store import save
from tests.command.conftest import Failover

ROOT = Path(__file__).resolve().parents[2]


def asks(book: Ledger, execution: Execution, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approval, "_hand_over", lambda *_: None)
    book.save_approval_token(execution, "token")
    book.record_step(execution, "request_approval", "done", {"asked": True}, execution.claimed_at)


@pytest.mark.parametrize("words", [["approve", "--yes"], ["deny"]])
def test_an_answer_is_told_in_json(
    failover: Failover, book: Ledger, claimed: Execution, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    asks(book, claimed, monkeypatch)
    ended = failover(*words, "--by", "Ada", "--json")
    document = json.loads(ended.out)
    assert ended.code == 0 and document["execution"] == claimed.name and document["next"].startswith("failover ")


def test_what_changes_something_is_told_in_json(failover: Failover, stack: Any, claimed: Execution) -> None:
    for words in (["pause", "--why", "x"], ["resume"], ["abort", "--stop", "--yes"]):
        document = json.loads(failover(*words, "--json").out)
        assert document["plan"] == "orders" and document["next"].startswith("failover ")
    assert document["execution"] == claimed.name


def test_what_was_looked_at_is_told_in_json(failover: Failover, book: Ledger, claimed: Execution) -> None:
    save(book, {"plan": "orders", "taken_at": 1.0, "checks": []})
    for words in (["status"], ["check"], ["decisions"], ["history"], ["report", claimed.name]):
        json.loads(failover(*words, "--json").out)


@pytest.mark.parametrize("words", [["status", "ordres"], ["report", "none"], ["redrive"], ["status", "--watch"]])
def test_an_error_is_told_in_json_with_what_to_do_and_in_words_to_people(failover: Failover, words: list[str]) -> None:
    ended = failover(*words, "--json")
    document = json.loads(ended.out)
    assert ended.code == 2 and document["next"]
    assert document["error"] in ended.err and "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("words", "named", "help_of"),
    [
        (["status", "--jsn"], "--jsn", "status"),
        (["render"], "FILE", "render"),
        (["start", "failver"], "failver", "start"),
        (["decisions", "--most", "many"], "--most", "decisions"),
    ],
)
def test_a_wrong_line_is_told_in_json_and_in_words_to_people(
    failover: Failover, words: list[str], named: str, help_of: str
) -> None:
    ended = failover(*words, "--json")
    document = json.loads(ended.out)
    assert ended.code == 2 and named in document["error"] and named in ended.err
    assert document["next"] == f"failover {help_of} --help"


OF_A_PLAN = (
    *("status", "check", "decisions", "history", "approve", "deny", "abort", "redrive", "supersede", "resume"),
    "pause --why x",
    *("start failover", "start switchover", "start restore", "start failback"),
    *("rescue show", "plans show", "plans remove", "plans diff"),
)


def test_every_command_refuses_the_name_of_no_plan_with_the_nearest(failover: Failover) -> None:
    for words in OF_A_PLAN:
        ended = failover(*words.split(), "ordres")
        assert ended.code == 2 and "did you mean orders?" in ended.err, words
    ended = failover("report", "--plan", "ordres")
    assert ended.code == 2 and "did you mean orders?" in ended.err


def test_what_stopped_is_shown_with_its_cause_in_a_line(failover: Failover, book: Ledger, claimed: Execution) -> None:
    error = {"Error": "LinkRejected", "Cause": "403:\n give the key the rights"}
    book.conclude(claimed, "failed", {"outcome": "failed", "stopped_at": "Promote", "error": error})
    failover("abort", "--stop", "--yes")
    assert "  in Promote: LinkRejected: 403: give the key the rights" in failover("status").out.splitlines()


@pytest.mark.parametrize(
    ("outcome", "dry_run", "following"),
    [
        ("failed", False, "redrive orders"),
        ("succeeded", False, "start restore orders --dry-run"),
        ("succeeded", True, "status orders"),
    ],
)
def test_a_report_ends_with_what_comes_after_it(
    failover: Failover, book: Ledger, claimed: Execution, outcome: Any, dry_run: bool, following: str
) -> None:
    document = {"plan": "orders", "from": "east", "to": "west", "outcome": outcome, "dry_run": dry_run, "loss": None}
    book.conclude(claimed, outcome, document | {"recovery_seconds": 1.0, "kind": "failover", "why": ""})
    assert failover("report", claimed.name).out.splitlines()[-1] == f"next: failover {following}"


def test_an_error_of_ours_shows_no_traceback_but_with_debug(
    failover: Failover, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("none")

    monkeypatch.setattr("command.status.situation", broken)
    ended = failover("status")
    assert ended.code == 2 and "KeyError" in ended.err and "--debug shows where" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.slow
@pytest.mark.parametrize("words", [["--help"], ["plans", "check", "plans/orders.yaml", "plans/orders.yaml"]])
def test_who_reads_no_more_of_it_is_no_error(words: list[str]) -> None:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT}/layers/failover/python"}
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "command", *words]
    ended = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, cwd=ROOT, env=environment, check=False)
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert is_read()


@pytest.mark.slow
def test_completion_is_offered_for_the_commands(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}:{ROOT}/layers/failover/python",
        "_FAILOVER_COMPLETE": "complete_bash",
        "COMP_WORDS": "failover sta",
        "COMP_CWORD": "1",
    }
    command = [sys.executable, "-m", "command"]
    shown = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    assert set(shown.stdout.split()) == {"start", "status"}


def test_what_few_commands_need_is_loaded_by_those_alone() -> None:
    loaded = "import sys, command.__main__; print(*(name for name in ('httpx', 'jinja2') if name in sys.modules))"
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'layers/failover/python'}"}
    line = [sys.executable, "-c", loaded]
    printed = subprocess.run(line, capture_output=True, text=True, check=True, cwd=ROOT, env=environment).stdout
    assert printed.split() == []
