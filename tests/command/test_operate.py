"""The operator's commands, typed as an operator types them, on the account that a stack was deployed to."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from failover.decision.case import Case, Decision
from failover.decision.log import decision_record, save_decision
from failover.detection.evidence import Evidence, Signal
from failover.detection.signal_store import save_signal
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.ledger.records import Denial, PlanState
from failover.plan.policy import Policy
from failover.readiness.store import save
from tests.command.conftest import Failover
from tests.plans import put_plan

ANSWERED = {"approve": "approved", "deny": "denied"}
CASE = Case(
    evidence=Evidence(lost_site="east", standby_site="west"),
    policy=Policy(),
    state=PlanState(active="east", epoch=0),
    manual=False,
    now=1_795_426_265.0,
)
UNREADY = {"name": "links", "status": "fail", "evidence": ["orders-link is PAUSED"], "remedy": "resume the link"}


def inputs(stack: Any) -> dict[str, dict[str, Any]]:
    """The input of each execution that was started, by name."""
    states = stack("stepfunctions")
    machine = states.list_state_machines()["stateMachines"][0]["stateMachineArn"]
    runs = states.list_executions(stateMachineArn=machine)["executions"]
    described = [states.describe_execution(executionArn=run["executionArn"]) for run in runs]
    return {run["name"]: json.loads(run["input"]) for run in described}


def test_status_says_who_is_active_what_is_known_and_what_to_say_next(failover: Failover) -> None:
    shown = failover("status", "orders")
    assert "orders: clients are led to east, west stands by (epoch 0)" in shown.out
    assert "never looked at" in shown.out and "lag        not known" in shown.out
    assert shown.out.endswith("next: failover start failover orders --dry-run\n")
    assert (shown.code, shown.err) == (0, "")


def test_status_needs_no_name_where_there_is_one_plan_and_lists_them_where_there_are_more(
    failover: Failover, stack: Any, plan_text: str
) -> None:
    assert "orders: clients are led to east" in failover("status").out
    text = plan_text.replace("name: orders\n", "name: payments\n")
    put_plan(stack, text, "payments")
    put_plan(stack, "name: broken", "broken")
    shown = failover("status")
    assert [line.split()[0] for line in shown.out.splitlines()[:3]] == ["orders", "payments", "broken"]
    assert "broken    is refused" in shown.out and shown.code == 1
    ended = failover("pause", "--why", "x")
    assert ended.code == 2 and "name one of them" in ended.err


def test_a_site_that_looks_lost_is_said_first_and_by_the_exit_code(failover: Failover, book: Ledger) -> None:
    for source in ("failover-orders-east-kafka", "probe/us-west-2"):
        save_signal(
            book,
            "orders",
            Signal(site="east", source=source, says_lost=True, at=CASE.now, since=CASE.now, why="2 of 3"),
            15,
        )
    shown = failover("status", "orders")
    assert shown.code == 1
    assert shown.out.splitlines()[1] == "  east looks lost to failover-orders-east-kafka, probe/us-west-2"


def test_machines_get_the_same_in_json(failover: Failover, claimed: Execution) -> None:
    (plan,) = json.loads(failover("status", "--json").out)["plans"]
    assert (plan["active"], plan["execution"], plan["lag"]) == ("east", claimed.name, None)
    assert [step["step"] for step in plan["steps"]] == ["claim", "assess"]
    assert json.loads(failover("history", "orders", "--json").out)[0]["execution"] == claimed.name
    assert json.loads(failover("decisions", "orders", "--json").out) == []


def test_an_execution_that_runs_is_shown_with_its_steps_and_can_be_aborted_and_redriven(
    failover: Failover, stack: Any, claimed: Execution
) -> None:
    shown = failover("status", "orders")
    assert f"{claimed.name} in us-west-2, running" in shown.out and "done      assess" in shown.out
    assert "next: failover status orders --watch" in shown.out
    assert "is nothing to redrive" in failover("redrive", "orders").err
    assert "nobody is there to type the plan's name" in failover("abort", "orders").err
    refused = failover("abort", "orders", "--yes")
    assert refused.code == 2 and "abort orders --stop stops it where it is" in refused.err
    assert "keeps the lease of orders" in failover("abort", "orders", "--stop", "--yes", "--why", "rubbish").out
    run = stack("stepfunctions").describe_execution(executionArn=claimed.arn)
    assert run["status"] == "ABORTED"
    shown = failover("status", "orders")
    assert shown.code == 1 and "has ended (ABORTED) and keeps the lease" in shown.out
    assert "next: failover redrive orders" in shown.out


@pytest.mark.parametrize(("word", "answer"), [("approve", "approve"), ("deny", "deny")])
def test_a_question_is_answered_by_the_plans_name_alone_once(
    failover: Failover, book: Ledger, claimed: Execution, word: str, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from failover.execution import approval

    monkeypatch.setattr(approval, "_hand_over", lambda *_: None)
    assert "asks a person" in failover(word, "orders", *(["--yes"] if word == "approve" else [])).err
    book.save_approval_token(claimed, "token")
    book.record_step(claimed, "request_approval", "done", {"asked": True}, claimed.claimed_at)
    shown = failover("status", "orders")
    assert shown.code == 1 and "orders-1-failover asks a person" in shown.out
    assert "next: failover approve orders" in shown.out
    answered = failover(word, "orders", "--by", "Ada", "--why", "seen", *(["--yes"] if word == "approve" else []))
    assert answered.code == 0 and f"orders-1-failover: {ANSWERED[answer]} by Ada" in answered.out
    assert (book.item("orders", f"approval#{claimed.name}") or {})["answer"] == answer
    assert failover(word, "orders", "--by", "Bob").code == 2


def test_a_failover_says_what_it_will_do_and_starts_once_the_plans_name_is_typed(
    failover: Failover, stack: Any, book: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(book, {"plan": "orders", "taken_at": CASE.now, "checks": [UNREADY]})
    refused = failover("start", "failover", "orders")
    assert refused.code == 2 and "--yes" in refused.err and inputs(stack) == {}
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    for typed, code in (("order", 2), ("orders", 0)):
        monkeypatch.setattr("typer.prompt", lambda *_, typed=typed, **__: typed)
        shown = failover("start", "failover", "orders", "--by", "Ada", "--why", "east burns")
        assert shown.code == code
    assert "flip     kafka.orders.example.com leads to west" in shown.out
    assert "Expected to be stranded: not known" in shown.out and "never measured" in shown.out
    assert "NOT READY: links: orders-link is PAUSED" in shown.out and "stands down if that site answers" in shown.out
    ((name, start),) = inputs(stack).items()
    assert name.startswith("orders-by-hand-") and "next: failover status orders --watch" in shown.out
    assert start == {"plan": "orders", "from": "east", "to": "west", "by": "Ada", "reason": "east burns"}


def test_a_dry_run_needs_no_name_typed_and_changes_nothing(failover: Failover, stack: Any) -> None:
    shown = failover("start", "failover", "orders", "--dry-run", "--json")
    started = json.loads(shown.out)
    assert shown.code == 0 and started["input"]["dry_run"] is True
    assert inputs(stack) == {started["execution"]: started["input"]}


def test_a_dry_run_is_looked_at_until_it_ends(failover: Failover, stack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    watched: list[Any] = []
    monkeypatch.setattr("command.start.follow", lambda *words: watched.append(words[2]))
    shown = failover("start", "failover", "orders", "--dry-run", "--watch")
    (name,) = watched
    assert shown.out.endswith(f"next: failover report {name}\n") and shown.code == 1, "it has not succeeded"


def test_what_holds_the_lease_is_superseded_only_once_it_has_ended(
    failover: Failover, stack: Any, claimed: Execution
) -> None:
    refused = failover("start", "failover", "orders", "--yes")
    assert refused.code == 2 and f"{claimed.name} holds the lease" in refused.err
    assert "orders-1-failover runs" in failover("supersede", "orders", "--yes").err
    failover("abort", "orders", "--stop", "--yes")
    assert failover("supersede", "orders", "--yes", "--why", "it is stuck").code == 0
    assert [start.get("supersedes") for start in inputs(stack).values() if start] == [claimed.name]


@pytest.mark.parametrize("line", [("supersede",), ("start", "failover", "--supersede")])
def test_a_failover_takes_over_from_a_switchover_that_runs(
    failover: Failover, stack: Any, book: Ledger, line: tuple[str, ...]
) -> None:
    machine = stack("stepfunctions").list_state_machines()["stateMachines"][0]["stateMachineArn"]
    run = stack("stepfunctions").start_execution(stateMachineArn=machine, name="orders-1-switchover", input="{}")
    execution = Execution(
        plan="orders",
        epoch=1,
        name="orders-1-switchover",
        arn=run["executionArn"],
        kind="switchover",
        from_site="east",
        to_site="west",
        claimed_at=1.0,
    )
    book.claim(execution, "east")
    assert failover("start", "failover", "orders", "--yes").code == 2
    shown = failover(*line, "orders", "--yes", "--why", "east is lost")
    assert shown.code == 0 and "only if its active site dies" in shown.out
    starts = [start for start in inputs(stack).values() if start]
    assert [(start["to"], start["supersedes"]) for start in starts] == [("west", "orders-1-switchover")]


def test_clients_are_led_back_from_what_holds_the_lease_or_stood_down_in_its_place(
    failover: Failover, stack: Any, book: Ledger
) -> None:
    refused = failover("start", "failover", "orders", "--back", "--yes")
    assert refused.code == 2 and "--supersede --back" in refused.err
    assert failover("supersede", "orders", "--back", "--yes").code == 2, "nothing is half done"
    fields: dict[str, Any] = {"plan": "orders", "from_site": "east", "to_site": "west", "claimed_at": 1.0}
    over = Execution(**fields, epoch=1, name="orders-1-switchover", kind="switchover")
    on = Execution(**fields | {"claimed_at": 2.0}, epoch=2, name="on", kind="failover")
    book.claim(over, "east")
    book.claim(on, "east", over.name)
    book.conclude(on, "stood-down", {})
    shown = failover("supersede", "orders", "--back", "--yes", "--why", "west is lost")
    assert shown.code == 0 and "from west back to east" in shown.out and "is stranded" in shown.out
    (start,) = [start for start in inputs(stack).values() if start]
    assert (start["from"], start["to"], start["supersedes"], start["force"]) == ("west", "east", "on", True)


def test_a_switchover_is_asked_to_put_back_what_it_changed(failover: Failover, book: Ledger) -> None:
    assert "nothing runs for orders" in failover("abort", "orders", "--yes").err
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
    ended = failover("abort", "orders", "--yes", "--why", "the wrong day", "--by", "anna")
    assert ended.code == 0 and "orders-1-switchover puts back what it changed" in ended.out
    assert "is to be aborted by anna" in failover("status", "orders").out


def test_a_pause_is_seen_and_ended_and_so_is_a_denial(failover: Failover, book: Ledger, claimed: Execution) -> None:
    denial = Denial(site="east", why="not now", execution=claimed.name, at=CASE.now)
    book.conclude(claimed, "stood-down", {}, denial)
    assert "nothing is started by itself" in failover("pause", "orders", "--why", "we look first", "--by", "anna").out
    shown = failover("status", "orders")
    assert "paused by anna: we look first" in shown.out and "denied to leave east" in shown.out
    assert "next: failover resume orders" in shown.out
    failover("resume", "orders")
    state = book.state("orders", "east")
    assert (state.paused, state.denial) == (None, None)


@pytest.mark.parametrize("command", [["pause", "--why", "x"], ["resume"], ["status"], ["check"], ["start", "failover"]])
def test_a_wrong_name_is_refused_with_the_nearest_and_nothing_is_done(
    failover: Failover, book: Ledger, stack: Any, command: list[str]
) -> None:
    ended = failover(*command, "ordres")
    assert ended.code == 2 and "no plan 'ordres' is deployed: did you mean orders?" in ended.err
    assert book.item("ordres", "state") is None and inputs(stack) == {}


def test_readiness_is_shown_with_what_to_do(failover: Failover, book: Ledger) -> None:
    never = failover("check", "orders")
    assert never.code == 2 and "next: failover check orders --now" in never.err
    good = {"name": "fleets", "status": "pass", "evidence": ["3 of 3 tasks run"], "remedy": ""}
    save(book, {"plan": "orders", "taken_at": CASE.now, "checks": [good, UNREADY]})
    shown = failover("check", "orders")
    assert shown.code == 1 and "orders: NOT READY, 1 of 2 checks" in shown.out
    lines = [line.strip() for line in shown.out.splitlines()]
    assert lines[1:5] == ["fail     links", "orders-link is PAUSED", "do: resume the link", "pass     fleets"]
    save(book, {"plan": "orders", "taken_at": CASE.now + 1, "checks": [good]})
    assert failover("check", "orders").code == 0


@pytest.mark.parametrize(
    ("statuses", "following"),
    [
        ({"dry-run": "fail", "group-offsets": "unknown"}, "start failover orders --dry-run --watch"),
        ({"dry-run": "fail", "links": "fail"}, "check orders --now"),
        ({"group-offsets": "unknown"}, "check orders --now"),
        ({}, "start failover orders --dry-run --watch"),
    ],
)
def test_where_nothing_fails_but_that_no_dry_run_was_walked_it_is_the_next_thing_to_do(
    failover: Failover, book: Ledger, statuses: dict[str, str], following: str
) -> None:
    checks = [{"name": name, "status": status, "evidence": [], "remedy": ""} for name, status in statuses.items()]
    save(book, {"plan": "orders", "taken_at": CASE.now, "checks": checks})
    assert failover("check", "orders").out.splitlines()[-1] == f"next: failover {following}"


def test_decisions_are_told_the_last_one_first_in_a_sentence_each(failover: Failover, book: Ledger) -> None:
    assert "nothing was decided" in failover("decisions", "orders").out
    for second, why in enumerate(("1 of 2 votes say east is lost", "east is lost: a, b")):
        case = replace(CASE, now=CASE.now + second)
        save_decision(book, decision_record("orders", case, Decision(verdict="wait", why=why), by="judge"))
    lines = failover("decisions", "orders").out.splitlines()
    assert lines[0] == "2026-11-23 09:31:06Z  judge  wait  east is lost: a, b"
    assert len(lines) == 3 and len(failover("decisions", "orders", "--most", "1").out.splitlines()) == 2
    assert '"lost_site": "east"' in failover("decisions", "orders", "--json").out


def test_what_became_of_an_execution_is_in_its_history_and_its_report(
    failover: Failover, book: Ledger, claimed: Execution
) -> None:
    assert "it has no report yet" in failover("report", claimed.name).out
    document = {
        "plan": "orders",
        "from": "east",
        "to": "west",
        "dry_run": False,
        "outcome": "failed",
        "why": "",
        "reason": "east burns",
        "started_by": "Ada",
        "stopped_at": "PromoteAndPrepare",
        "error": {"Error": "LinkRejected", "Cause": "403: give the key the rights"},
        "steps": [{"step": "claim", "status": "done", "calls": 1, "took_seconds": 0.25}],
    }
    book.conclude(claimed, "failed", document)
    assert claimed.name in failover("history", "orders").out
    shown = failover("report", claimed.name).out
    assert "FAILOVER STOPPED" in shown and "started by Ada" in shown and "reason: east burns" in shown
    assert "stopped at PromoteAndPrepare: LinkRejected 403: give the key the rights" in shown
    missing = failover("report", "orders-2-failover")
    assert missing.code == 2 and "next: failover history orders" in missing.err


def test_a_report_can_be_had_as_a_page_and_as_a_document_of_all_that_is_kept(
    failover: Failover, claimed: Execution, call: Any, tmp_path: Path
) -> None:
    started = claimed.as_state()
    assert "has no report yet" in failover("report", claimed.name, "--save", str(tmp_path)).err
    call("conclude", {"execution": started, "outcome": "succeeded"})
    shown = failover("report", claimed.name, "--save", str(tmp_path / "kept"))
    assert (shown.code, shown.out.splitlines()[-2]) == (0, str(tmp_path / "kept" / "report.html"))
    assert json.loads(failover("report", claimed.name, "--save", str(tmp_path), "--json").out)["page"]
    assert "What to do next" in (tmp_path / "kept" / "report.html").read_text()
    assert json.loads((tmp_path / "kept" / "report.json").read_text())["report"]["execution"] == claimed.name


def test_where_no_browser_prints_the_page_is_kept_and_named(
    failover: Failover, claimed: Execution, call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call("conclude", {"execution": claimed.as_state(), "outcome": "succeeded"})
    monkeypatch.setenv("PATH", str(tmp_path))
    refused = failover("report", claimed.name, "--pdf", "--save", str(tmp_path))
    assert refused.code == 2 and "no browser here prints to PDF" in refused.err
    assert (tmp_path / "report.html").exists()


def test_a_report_is_of_the_last_execution_where_none_is_named_and_a_wrong_name_has_the_nearest(
    failover: Failover, book: Ledger, claimed: Execution
) -> None:
    assert claimed.name in failover("report").out
    ended = failover("report", "orders-1-failovre")
    assert ended.code == 2 and f"did you mean {claimed.name}?" in ended.err


@pytest.mark.parametrize(
    "words", [["plans", "show", "ordres"], ["plans", "remove", "ordres"], ["plans", "diff", "ordres"]]
)
def test_a_plan_that_never_was_is_refused_with_the_nearest(failover: Failover, words: list[str]) -> None:
    ended = failover(*words)
    assert ended.code == 2 and "did you mean orders?" in ended.err
