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
        """Who reads no more of it is no error, and keeps nothing from being done."""
        print_to_nobody()


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
        print_to_nobody()


def complain(what: str, remedy: str = "", *, as_json: bool = False) -> None:
    """Print to standard error why a command could not do what it was asked, and what to do next; for machines to
    standard output, too."""
    if as_json:
        show_json({"error": what, "next": remedy.removeprefix("next: ")})
    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    console.print(Text(what, "red"), soft_wrap=True)
    if remedy:
        console.print(remedy, soft_wrap=True)


class _Reader:
    gone = False


def is_read() -> bool:
    """Whether somebody still reads what is printed."""
    return not _Reader.gone


def print_to_nobody() -> None:
    """Let what is printed from now on go nowhere: who read it has gone."""
    _Reader.gone = True
    # Python flushes once more when it ends, and would complain then.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
