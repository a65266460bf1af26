"""What a command prints: to people in lines that are wrapped to their terminal, to machines in JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.text import Text

Line = str | tuple[str, str]
"""A line, or a line and its style."""


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Who reads no more of it is no error."""
        _nobody_reads()


def console() -> Console:
    """What lines are printed on."""
    return _Console(highlight=False, markup=False, emoji=False)


def show(lines: Iterable[Line]) -> None:
    """Print lines."""
    paper = console()
    for line in lines:
        text = Text(line) if isinstance(line, str) else Text(*line)
        paper.print(text, soft_wrap=not paper.is_terminal)


def show_next(command: str) -> None:
    """Print what to say next, whole, so that it can be pasted."""
    paper = console()
    paper.print(Text(f"next: {command}", "dim"), soft_wrap=True)


def show_json(document: Any) -> None:
    """Print a document for machines."""
    try:
        print(json.dumps(document, indent=2, ensure_ascii=False), flush=True)
    except BrokenPipeError:
        _nobody_reads()


def complain(what: str, remedy: str = "") -> None:
    """Print to standard error why a command could not do what it was asked, and what to do next."""
    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    console.print(Text(what, "red"), soft_wrap=True)
    if remedy:
        console.print(remedy, soft_wrap=True)


def _nobody_reads() -> None:
    # Python flushes once more when it ends, and would complain then.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(0)
