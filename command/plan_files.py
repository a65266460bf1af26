"""The text of a plan, from a file or from the standard input."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Final

import typer

from command.errors import NotDone
from failover.errors import BadPlan
from failover.plan.model import Plan, parse

STANDARD_INPUT: Final = "-"
File = Annotated[str, typer.Argument(metavar="FILE", help="A plan, in YAML; - is the standard input.")]


def text_of(file: str) -> str:
    """What is in a file.

    Raises:
        OSError, UnicodeDecodeError
    """
    if file == STANDARD_INPUT:
        return sys.stdin.buffer.read().decode()
    return Path(file).read_text(encoding="utf-8")


def readable_text(file: str) -> str:
    """What is in a file.

    Raises:
        NotDone: it can't be read.
    """
    try:
        return text_of(file)
    except (OSError, UnicodeDecodeError) as error:
        raise NotDone(f"{file}: {unreadable_because(error)}", remedy_of_missing(Path(file))) from None


def plan_in(file: str) -> Plan:
    """The plan in a file.

    Raises:
        NotDone: it can't be read, or is refused.
    """
    return plan_of(readable_text(file), file)


def plan_of(text: str, file: str) -> Plan:
    """The plan in the text of a file.

    Raises:
        NotDone: it is refused.
    """
    try:
        return parse(text)
    except BadPlan as error:
        raise NotDone(str(error), f"failover plans check {file} says of each field what to write") from None


def unreadable_because(error: OSError | UnicodeDecodeError) -> str:
    """Why a file could not be read, in words."""
    return (error.strerror or str(error)) if isinstance(error, OSError) else "is not text in UTF-8"


def remedy_of_missing(file: Path) -> str:
    """What to do about a file that can't be read."""
    beside = [path.name for path in file.parent.iterdir()] if file.parent.is_dir() else []
    nearest = get_close_matches(file.name, beside, n=1)
    if file.name not in beside and nearest:
        return f"did you mean {file.parent / nearest[0]}?"
    return "see whether the file is there, and is text"
