"""A guided tour: an outage, a question, its answer, the report, and the way back, by the commands that serve on AWS.

Each stop says what it shows, and runs one command as an operator would type it, in a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.rule import Rule

from drill.fixture_plan import PLAN
from drill.process import ROOT
from drill.up import FAILBACK_AFTER_S, Outage, RunningWorld

PATIENCE_S: Final = 90.0
LOOK_EVERY_S: Final = 0.5
SETTLE_S: Final = 20.0
"""Until the lag of mirrors that are new was seen, and its samples are proven."""


@dataclass(frozen=True, kw_only=True)
class Stop:
    """One stop: what it shows, then what befalls the world, then what is typed."""

    title: str
    text: str
    befalls: Callable[[RunningWorld], str] | None = None
    commands: Sequence[Sequence[str]] = ()
    until: Callable[[RunningWorld], bool] | None = None
    """What is waited for before anything is typed."""


class TourStuck(RuntimeError):
    """What a stop waits for did not come."""


def stops() -> Iterator[Stop]:
    """The way."""
    yield Stop(
        title="Where a plan stands",
        text="Clients write and read by one name, which leads to east. Any command ends with what to say next.",
        commands=[["status"]],
    )
    yield Stop(
        title="Whether a failover would work",
        text="Everything that it will need is looked at, every five minutes on AWS, and now. `do:` says what to mend:"
        " here a dry run, which nobody walked yet, and comes next.",
        commands=[["check", "--now"]],
    )
    yield Stop(
        title="What it would do",
        text="A dry run walks the whole way with the real functions, and changes nothing.",
        commands=[["start", "failover", PLAN, "--dry-run", "--watch"], ["report"]],
    )
    yield Stop(
        title="The active site is lost",
        text="Probes from two regions agree. The policy's mode is `approve`, so a person is asked, by a message.",
        befalls=lambda running: running.begin(Outage.SITE),
        until=_asks,
        commands=[["status"]],
    )
    yield Stop(
        title="You say yes",
        text="The evidence is shown again, and the plan's name is typed. `failover deny` is a no, until you resume.",
        commands=[["approve", PLAN, "--watch"]],
    )
    yield Stop(
        title="What became of it",
        text="Who is active now, how long it took, and what is expected to be lost, with labels that say how well it is"
        " known.",
        until=_is_free,
        commands=[["status"], ["history"], ["report"]],
    )
    yield Stop(
        title="The lost site comes back",
        text="It still believes to be what it was. Nobody is led to it.",
        befalls=lambda running: running.end(Outage.SITE),
        commands=[["status"]],
    )
    yield Stop(
        title="It becomes a mirror again",
        text="A restore measures exactly what was stranded, and truncates it. A plan with `rescue` has it saved before;"
        " this one has none, so it is discarded, by word.",
        commands=[["start", "restore", PLAN, "--discard", "--watch"]],
    )
    yield Stop(
        title="Home again",
        text="Both sites are up: a failback is a switchover, and loses nothing. First the mirrors must be seen to"
        " follow for a while.",
        until=_follows_for_a_while(),
        commands=[["start", "failback", PLAN, "--watch"], ["history"]],
    )


def take(running: RunningWorld, console: Console, *, alone: bool) -> None:
    """Take the tour. `alone`: nobody is there to press Enter or type a name.

    Raises:
        TourStuck: what a stop waits for did not come.
    """
    way = list(stops())
    began, typed = time.monotonic(), 0
    for number, stop in enumerate(way, 1):
        console.print(Rule(f"{number} of {len(way)}: {stop.title}", characters="-"))
        console.print(stop.text, highlight=False, markup=False)
        if stop.befalls is not None:
            console.print(f"-> {stop.befalls(running)}", style="bold red", markup=False, highlight=False)
        _until(running, stop)
        for words in stop.commands:
            typed += 1
            _run(console, _whole(running, words, alone=alone), alone=alone)
            running.tell()
    minutes = (time.monotonic() - began) / 60
    console.print(Rule(characters="-"))
    console.print(f"{typed} commands in {minutes:.1f} minutes; on AWS they are the same, without --drill.")
    console.print("next: docs/deploy.md", highlight=False)


def _whole(running: RunningWorld, words: Sequence[str], *, alone: bool) -> list[str]:
    """What is typed: with the last execution where one is meant, and --yes where nobody is there."""
    last = running.controller.failover()
    name = [last.name] if words == ["report"] and last is not None else []
    yes = ["--yes"] if alone and words[0] in ("approve", "start") and "--dry-run" not in words else []
    return [*words, *name, *yes, "--drill"]


def _run(console: Console, words: Sequence[str], *, alone: bool) -> None:
    console.print(f"\n$ failover {' '.join(words)}", style="bold", markup=False, highlight=False, soft_wrap=True)
    if not alone:
        console.input("[dim](Enter runs it)[/dim]")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "layers/failover/python")])}
    subprocess.run([sys.executable, "-m", "command", *words], env=environment, check=False)


def _until(running: RunningWorld, stop: Stop) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while stop.until is not None and not stop.until(running):
        if time.monotonic() > deadline:
            raise TourStuck(f"{stop.title}: nothing came of it within {PATIENCE_S:.0f} s; see {running.world.logs}")
        running.tell()
        time.sleep(LOOK_EVERY_S)
    running.tell()


def _asks(running: RunningWorld) -> bool:
    last = running.controller.failover()
    return last is not None and any(step.name == "request_approval" for step in last.steps)


def _follows_for_a_while() -> Callable[[RunningWorld], bool]:
    """Looks of the controller come every few seconds, and the first must be as old as policy wants."""
    began: list[float] = []

    def follows(running: RunningWorld) -> bool:
        began.append(time.monotonic())
        return began[-1] - began[0] > FAILBACK_AFTER_S + SETTLE_S

    return follows


def _is_free(running: RunningWorld) -> bool:
    last = running.controller.failover()
    return last is not None and last.status != "running"


def directory_for_commands(directory: Path) -> None:
    """Lead the commands to this drill, also where another one runs."""
    os.environ["DRILL_DIRECTORY"] = str(directory)
