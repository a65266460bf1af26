"""What a shell completes beside commands and options: the names of the deployed plans. It is quick, and silent where
they can't be known: whoever presses a key wants to wait for nobody."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from threading import Thread
from typing import Any, Final

import typer

from command.controller import Options, connect
from failover.plan.store import plan_names

PATIENCE_S: Final = 2.0
"""For the stack and the ledger together."""
_LINES: Final = ("COMP_WORDS", "_TYPER_COMPLETE_ARGS")
"""Where a shell leaves the line that is typed."""


def complete_plan(context: typer.Context, incomplete: str) -> list[str]:
    """The deployed plans whose names begin so."""
    names = list[str]()
    options = context.find_root().obj or options_of(_typed_line())
    look = Thread(target=_look, args=(options, names), daemon=True)
    look.start()
    look.join(PATIENCE_S)
    return sorted(name for name in names if name.startswith(incomplete))


def options_of(line: Sequence[str]) -> Options:
    """How the controller is found, by a line that is not whole yet."""
    values: dict[str, Any] = {"stack": os.environ.get("FAILOVER_STACK")}
    for index, word in enumerate(line):
        name, equals, value = word.partition("=")
        if name in ("--stack", "--region", "--profile"):
            values[name[2:]] = value if equals else next(iter(line[index + 1 :]), None)
    return Options(drill="--drill" in line, **{name: value for name, value in values.items() if value})


def _typed_line() -> list[str]:
    text = next(filter(None, map(os.environ.get, _LINES)), "")
    try:
        return shlex.split(text)
    except ValueError:  # A quote is still open.
        return text.split()


def _look(options: Options, names: list[str]) -> None:
    try:
        connect(options)
        names += plan_names()
    except Exception:  # There is nothing to complete, for whatever reason.
        return
