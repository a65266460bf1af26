"""What a command prints: to people in lines that are wrapped to their terminal, to machines in JSON."""

from __future__ import annotations

import json
import os
import re
import select
import sys
from collections.abc import Iterable, Sequence
from textwrap import fill
from typing import Any

from rich.console import Console
from rich.text import Text

from command.words import columns

_FIRST_COLUMN = re.compile(r" *(\S+ {2,}|- )?")
"""The indent of a line, and its first column, if it has two."""
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
    """Print lines; in a terminal those that are too long go on below where their text began."""
    paper = console()
    for line in lines:
        words, style = (line, "") if isinstance(line, str) else line
        whole = hanging(words, paper.width) if paper.is_terminal else words
        paper.print(Text(whole, style), soft_wrap=True)


def show_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns; in a terminal no row is broken within a column but for one that is broader than it."""
    paper = console()
    show(columns(rows, paper.width if paper.is_terminal else None))


def hanging(line: str, width: int) -> str:
    """A line broken to a width: what follows the first break stands below the line's last column, or its indent."""
    first = _FIRST_COLUMN.match(line)
    begins = len(first[0]) if first else 0
    text = line.lstrip()
    indent = " " * (len(line) - len(text))
    below = " " * begins if begins < width // 2 else indent
    return fill(
        text, width, initial_indent=indent, subsequent_indent=below, break_long_words=False, break_on_hyphens=False
    )


def show_next(command: str) -> None:
    """Print what to say next, whole, so that it can be pasted."""
    paper = console()
    paper.print(Text(f"next: {command}", "dim"), soft_wrap=True)


def show_json(document: Any) -> None:
    """Print a document for machines."""
    show_exactly(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def show_exactly(text: str) -> None:
    """Print a text as it is, for files and pipes."""
    try:
        print(text, end="", flush=True)
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


def notice_reader() -> None:
    """Notice a reader that has gone also while there is nothing to print."""
    poll = select.poll()
    try:
        poll.register(sys.stdout.fileno(), 0)
    except OSError:  # It is no file of the system.
        return
    if poll.poll(0):
        print_to_nobody()


def print_to_nobody() -> None:
    """Let what is printed from now on go nowhere: who read it has gone."""
    _Reader.gone = True
    # Python flushes once more when it ends, and would complain then.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
