"""Looking at a plan again and again: one picture in a terminal, lines as things change where there is none."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from command.controller import Controller
from command.output import Line, console, is_read, notice_reader, show
from command.progress import steps_table
from command.situation import Situation, situation
from command.words import moment, span
from failover.errors import ServiceRejected, TransientError
from failover.execution.report import headline
from failover.execution.runs import describe_run
from failover.plan.model import Plan

EVERY_S: Final = 1.0
SUMMARY_AT_LEAST: Final = 4
"""Lines of it that a screen has, however low it is."""
Fact = tuple[float, str]
"""What is so, and since when, in seconds since 1970."""


def follow(controller: Controller, plan: Plan, execution: str | None = None, every_s: float = EVERY_S) -> Situation:
    """Show a plan until Ctrl-C; with an execution, until it has ended or asks a person. Gives what was
    last seen. Who reads no more of it ends it, too.

    What passes by itself does not end it: it is said, and looked at again.
    """
    screen = console()
    changes = _Changes()
    now = situation(controller, plan, execution)
    with Live(console=screen, auto_refresh=False) if screen.is_terminal else nullcontext() as live:
        while True:
            if isinstance(live, Live):
                live.update(_picture(now, controller, screen), refresh=True)
            else:
                changes.show(now)
            notice_reader()
            if not is_read() or (execution is not None and _is_over(now, controller, execution)):
                break
            time.sleep(every_s)
            try:
                now = situation(controller, plan, execution)
            except TransientError as error:
                show([(f"{moment(time.time())}  {error}", "yellow")])
    if now.record is not None and now.record.document.get("outcome"):
        show([(headline(now.record.document), "bold")])
    if now.stop:
        show(now.cause())
    return now


class _Changes:
    """Prints what was not printed before, in the order of its time."""

    def __init__(self) -> None:
        self._printed: set[str] = set()
        self._last = 0.0

    def show(self, now: Situation) -> None:
        """Print what is new."""
        for at, fact in sorted(_facts(now)):
            if fact not in self._printed:
                self._printed.add(fact)
                # Functions have clocks of their own: no line says a time before that of the line above it.
                self._last = max(self._last, at)
                show([f"{moment(self._last)}  {fact}"])


def _facts(now: Situation) -> Iterator[Fact]:
    began = now.record.started_at if now.record else now.now
    yield now.state.changed_at or began, f"{now.state.active} is active"
    if now.record is not None:
        yield began, f"{now.record.name} began"
    yield from _step_facts(now)
    for signal in now.lost:
        yield signal.since, f"{signal.source} says that {signal.site} is lost"
    if now.holder == "asks":
        yield now.now, f"{now.state.holder} asks a person"
    if now.holder == "ended":
        yield now.now, f"{now.state.holder} has stopped ({now.holder_status}), and keeps the lease"
        for line, _ in now.cause():
            yield now.now, line.strip()
    if now.record is not None and now.record.status != "running" and now.holder not in ("runs", "asks"):
        yield now.record.ended_at or now.now, f"{now.record.name} {now.record.status}"


def _step_facts(now: Situation) -> Iterator[Fact]:
    for step in now.steps:
        took = step.reported_at - step.started_at
        progress = now.progress_of(step)
        match progress.state:
            case "done":
                yield step.reported_at, f"{step.step}: done after {took:.1f} s"
            case "failed" | "cut short":
                yield step.reported_at, f"{step.step}: {progress.outcome} after {took:.1f} s"
            case _:
                yield step.started_at, f"{step.step}: awaits {progress.awaits or 'what it asked for'}"
    if now.stop and now.stop["step"] not in {step.step for step in now.steps}:
        yield now.stop["at"], f"{now.stop['step'] or 'a step'}: {now.stop['error']}"


def _is_over(now: Situation, controller: Controller, execution: str) -> bool:
    if now.state.holder == execution:
        return now.holder in ("ended", "asks")
    if now.record is not None:
        return now.record.status != "running"
    return any(_ended_unclaimed(machine, execution) for machine in controller.machines.values())


def _ended_unclaimed(machine: str, execution: str) -> bool:
    """Whether a run of that machine ended that may never have claimed the plan, and is in no ledger then."""
    arn = f"{machine.replace(':stateMachine:', ':execution:')}:{execution}"
    try:
        return describe_run(arn).status in ("FAILED", "ABORTED", "TIMED_OUT", "SUCCEEDED")
    except (TransientError, ServiceRejected):
        return False


def _picture(now: Situation, controller: Controller, screen: Console) -> Group:
    """What a screen holds whole: of the summary, whose worst comes first, as much as the steps leave room for."""
    progress = now.progress()
    since = f"; looked at {span(max(0.0, time.time() - now.now))} ago" if time.time() - now.now > 5 else ""
    cause = Text("\n").join(Text(line.strip(), style) for line, style in now.cause()) if now.stop else Text()
    redrive = "mend that, then " if now.stop and now.holder == "ended" else ""
    last = [f"next: {redrive}{controller.command(now.next_command)}", f"Ctrl-C ends this{since}"]
    below = len(last) + (len(cause.wrap(screen, screen.width)) + 1 if now.stop else 0)
    room = max(SUMMARY_AT_LEAST, screen.height - len(progress) - below - 3)
    lines = [Text(line) if isinstance(line, str) else Text(*line) for line in _above(now)[:room]]
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    steps = Group(Text(), steps_table(progress, plain=screen.options.ascii_only)) if progress else Group()
    whole = Group(Text(), cause) if now.stop else Group()
    return Group(*lines, steps, whole, Text(), *(Text(line, "dim", no_wrap=True, overflow="fold") for line in last))


def _above(now: Situation) -> list[Line]:
    """The summary; the cause of a stop stands whole below the steps, and not cut off here, too."""
    cause = set(now.cause()) if now.stop else set()
    return [line for line in now.summary() if line not in cause]
