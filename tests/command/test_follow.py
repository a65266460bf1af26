"""Looking on until an execution has ended: what is awaited, and how it ended, also where nobody sits at a terminal."""

from __future__ import annotations

import io
import os
from dataclasses import replace

import pytest
from rich.console import Console

from command import follow as looking
from command.controller import Controller, Options
from command.follow import follow
from command.output import hanging, is_read
from command.progress import StepProgress, awaited, steps_table
from command.situation import situation
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.plan.model import Plan
from failover.plan.store import plan_named


@pytest.fixture
def controller(book: Ledger) -> Controller:
    return Controller(options=Options(), answer_function="", readiness_function="", book=book, machines={})


@pytest.fixture
def plan(stack: object, monkeypatch: pytest.MonkeyPatch) -> Plan:
    return plan_named("orders")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking again is a failure here: all has happened already."""

    def asleep(seconds: float) -> None:
        raise AssertionError("it looks on, though there is nothing more to see")

    monkeypatch.setattr("command.follow.time.sleep", asleep)


def test_an_execution_that_ended_before_the_first_look_is_told_to_its_end(
    controller: Controller, plan: Plan, claimed: Execution, capsys: pytest.CaptureFixture[str]
) -> None:
    report = {
        "plan": "orders",
        "from": "east",
        "to": "west",
        "outcome": "stood-down",
        "dry_run": False,
        "kind": "failover",
    }
    controller.book.conclude(claimed, "stood-down", report | {"loss": None, "why": "", "recovery_seconds": None})
    last = follow(controller, plan, claimed.name)
    assert last.record is not None and last.record.status == "stood-down"
    *lines, end = capsys.readouterr().out.splitlines()
    assert end == "orders east to west: stood down, nothing was changed"
    facts = [line.split("Z  ", 1)[1] for line in lines]
    assert facts[-1] == f"{claimed.name} stood-down" and any(fact.startswith("assess: done after") for fact in facts)
    assert [line[:20] for line in lines] == sorted(line[:20] for line in lines)


def test_whose_reader_has_gone_is_not_looked_at_any_more_though_nothing_happens(
    controller: Controller, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()
    looks: list[float] = []

    def asleep(seconds: float) -> None:
        assert not looks, "it looks on, though nobody reads"
        looks.append(seconds)
        os.close(reading)

    monkeypatch.setattr("command.follow.time.sleep", asleep)
    monkeypatch.setattr("command.output._Reader.gone", False)
    with os.fdopen(writing, "w") as paper, monkeypatch.context() as printing:
        printing.setattr("sys.stdout", paper)
        follow(controller, plan)
    assert looks and not is_read()


@pytest.fixture
def refused(controller: Controller, claimed: Execution, stack: object) -> Execution:
    """An execution whose promotion was refused at its only call, while a fleet was prepared beside it."""
    stack("stepfunctions").stop_execution(executionArn=claimed.arn)  # type: ignore[operator]
    why = f"POST /links/orders-link/mirrors:failover answered 403 {'not authorized ' * 12}to the end"
    stop = {"at": claimed.claimed_at + 3, "step": "promote_mirrors", "error": "LinkRejected", "why": why}
    stop |= {"site": "west", "remedy": "give the key in secret failover/orders/west ALTER", "redriven_at": None}
    awaited_of = {"fleets": {"gateway-west": "0 of 2 tasks"}}
    controller.book.record_step(claimed, "switch_routes:gateway-west", "waiting", awaited_of, claimed.claimed_at + 2)
    report = {"plan": "orders", "from": "east", "to": "west", "outcome": "failed", "dry_run": False, "loss": None}
    report |= {"kind": "failover", "stopped_at": "PromoteAndPrepare", "error": {"Error": "LinkRejected", "Cause": why}}
    controller.book.conclude(claimed, "failed", report | {"stops": [stop]})
    return claimed


def test_a_stop_is_shown_beside_the_step_that_failed_and_its_cause_whole_at_the_end(
    controller: Controller, plan: Plan, refused: Execution
) -> None:
    now = situation(controller, plan, refused.name)
    screen = Console(file=io.StringIO(), width=80, height=24, force_terminal=True, color_system=None)
    with screen.capture() as capture:
        screen.print(looking._picture(now, controller, screen))
    lines = [line.rstrip() for line in capture.get().splitlines()]
    assert len(lines) <= 24 and max(map(len, lines)) <= 80
    assert [line.split() for line in lines if "\u2718" in line] == [["\u2718", "promote_mirrors", "LinkRejected"]]
    (beside,) = (line for line in lines if "switch_routes" in line)
    assert beside.endswith("cut short") and "awaits" not in beside
    cause = " ".join(lines[next(i for i, line in enumerate(lines) if "refused by west" in line) :])
    assert "to the end do: give the key in secret failover/orders/west ALTER" in cause
    assert f"next: mend that, then failover redrive {plan.name}" in cause


def test_without_a_terminal_the_cause_of_a_stop_is_the_last_that_is_told(
    controller: Controller, plan: Plan, refused: Execution, capsys: pytest.CaptureFixture[str]
) -> None:
    assert follow(controller, plan, refused.name).holder == "ended"
    *lines, cause, remedy = capsys.readouterr().out.splitlines()
    assert "promote_mirrors was refused by west: LinkRejected" in cause and cause.endswith("to the end")
    assert "do: give the key in secret failover/orders/west ALTER" in remedy
    assert any("promote_mirrors: LinkRejected" in line for line in lines)
    assert any("switch_routes:gateway-west: cut short" in line for line in lines)


def test_an_execution_that_stopped_is_not_waited_for(
    controller: Controller, plan: Plan, claimed: Execution, stack: object, capsys: pytest.CaptureFixture[str]
) -> None:
    stack("stepfunctions").stop_execution(executionArn=claimed.arn)  # type: ignore[operator]
    assert follow(controller, plan, claimed.name).holder == "ended"
    assert "has stopped (ABORTED), and keeps the lease" in capsys.readouterr().out


def test_one_that_ended_before_it_claimed_the_plan_is_not_waited_for(
    controller: Controller, plan: Plan, stack: object
) -> None:
    states = stack("stepfunctions")  # type: ignore[operator]
    machine = states.list_state_machines()["stateMachines"][0]["stateMachineArn"]
    arn = states.start_execution(stateMachineArn=machine, name="refused")["executionArn"]
    states.stop_execution(executionArn=arn)
    known = replace(controller, machines={"failover": machine})
    assert follow(known, plan, "refused").record is None


def test_the_picture_has_what_is_awaited_and_what_is_to_come_and_fits_a_small_terminal(
    controller: Controller, plan: Plan, claimed: Execution
) -> None:
    stuck = {"left": ["orders", "payments"], "rejected": []}
    controller.book.record_step(claimed, "promote_mirrors", "waiting", stuck, claimed.claimed_at + 2)
    now = situation(controller, plan)
    screen = Console(file=io.StringIO(), width=80, height=24, force_terminal=True, color_system=None)
    with screen.capture() as capture:
        screen.print(looking._picture(now, controller, screen))
    lines = capture.get().splitlines()
    assert len(lines) <= 24 and max(map(len, lines)) <= 80
    (step,) = (line for line in lines if "promote_mirrors" in line)
    assert "awaits to be STOPPED: orders, payments" in step
    assert any("verify" in line for line in lines)
    facts = [fact for _, fact in looking._facts(replace(now, lag=None))]
    assert "promote_mirrors: awaits to be STOPPED: orders, payments" in facts


@pytest.mark.parametrize(
    ("observed", "words"),
    [
        ({"unproven": ["a record through the name"]}, "a proof: a record through the name"),
        ({"fleets": {"gateway-east": "being fenced"}}, "gateway-east: being fenced"),
        ({"left": []}, ""),
        ({}, ""),
    ],
)
def test_what_a_step_awaits_is_what_it_reported_last(observed: dict[str, object], words: str) -> None:
    assert awaited(observed) == words


def test_at_80_columns_what_is_awaited_is_cut_and_no_mark_or_time() -> None:
    steps = [
        StepProgress(name="claim", state="done", seconds=0.4),
        StepProgress(name="switch_routes:gateway-west", state="running", seconds=12.3, awaits="tasks " * 40),
    ]
    printed = io.StringIO()
    Console(file=printed, width=80).print(steps_table(steps, plain=False))
    claim, waits = printed.getvalue().splitlines()
    assert claim.split()[1:] == ["claim", "0.4", "s"]
    assert "switch_routes:gateway-west 12.3 s awaits tasks" in waits and len(waits) <= 80


def test_a_line_that_is_too_long_goes_on_below_where_its_text_began() -> None:
    lines = hanging(f"  readiness  {'word ' * 30}".rstrip(), 80).splitlines()
    assert len(lines) == 3 and all(line.startswith(" " * 13 + "word") for line in lines[1:])
    assert hanging(f"    {'x' * 100}", 80) == f"    {'x' * 100}"
