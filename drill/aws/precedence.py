"""Whose containers go first. On AWS each has a processor of its own; here all share those of one machine, and the plan
whose clients are measured must not wait for plans that have none."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from contextlib import suppress
from typing import Final

GIVES_WAY_BY: Final = 5
"""Of a process's niceness: beside one that does not give way it has a third of its time."""
NICEST: Final = 19


class Precedence:
    """`ahead`: the plan that goes first; `aside`: those that give way to it."""

    def __init__(self, ahead: str = "", aside: Collection[str] = ()) -> None:
        # The name of the plan is part of no hostname then.
        self._ahead = re.compile(rb"\b%s\b(?!\.)" % re.escape(ahead.encode()))
        self._aside = re.compile(b"|".join(rb"\b%s\b" % re.escape(plan.encode()) for plan in aside)) if aside else None

    def gives_way(self, event: bytes) -> bool:
        """Whether an event is of plans alone that give way. One that names no plan is everybody's."""
        return self._aside is not None and bool(self._aside.search(event)) and not self._ahead.search(event)


def give_way(pid: int) -> None:
    """Have a process run only as far as others leave it time."""
    with suppress(ProcessLookupError):
        os.setpriority(os.PRIO_PROCESS, pid, min(NICEST, os.getpriority(os.PRIO_PROCESS, pid) + GIVES_WAY_BY))
