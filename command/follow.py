"""Looking at a plan again and again: one picture in a terminal, lines as things change where there is none."""

from __future__ import annotations

import time
from typing import Final

from rich.console import Group
from rich.live import Live
from rich.text import Text

from command.controller import Controller
from command.output import console, show
from command.situation import Situation, situation
from command.words import moment
from failover.errors import TransientError
from failover.plan.model import Plan

EVERY_S: Final = 2.0


def follow(controller: Controller, plan: Plan, execution: str | None = None, every_s: float = EVERY_S) -> Situation:
    """Show a plan until Ctrl-C; with an execution, until it holds the lease no more, or ends. Gives what was last seen.

    What passes by itself does not end it: it is said, and looked at again.
    """
    screen = console()
    facts: list[str] = []
    began, now = False, situation(controller, plan)
    with Live(console=screen, auto_refresh=False, transient=False) if screen.is_terminal else _NoScreen() as live:
        while True:
            if isinstance(live, Live):
                live.update(_picture(now, controller), refresh=True)
            else:
                facts = _show_changes(now, facts)
            began = began or now.state.holder == execution
            if execution is not None and began and _is_over(now, execution):
                return now
            time.sleep(every_s)
            try:
                now = situation(controller, plan)
            except TransientError as error:
                show([(f"{moment(time.time())}  {error}", "yellow")])


class _NoScreen:
    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


def _is_over(now: Situation, execution: str) -> bool:
    return now.state.holder != execution or now.holder in ("ended", "asks")


def _picture(now: Situation, controller: Controller) -> Group:
    lines = [Text(line) if isinstance(line, str) else Text(*line) for line in now.lines()]
    return Group(*lines, Text(f"\nnext: {controller.command(now.next_command)}"), Text("Ctrl-C ends this"))


def _show_changes(now: Situation, before: list[str]) -> list[str]:
    """Say what was not so before, with its time; gives what is so now."""
    facts = [f"{now.state.active} is active, epoch {now.state.epoch}"]
    facts += [f"{now.state.holder}: {now.holder_status.lower()}"] if now.state.holder else ["no execution"]
    facts += [f"{step.step}: {step.status}" for step in now.steps]
    facts += [f"{signal.source} says {signal.site} is lost" for signal in now.lost]
    show(f"{moment(now.now)}  {fact}" for fact in facts if fact not in before)
    return facts
