"""Ports that are chosen long before somebody listens on them are nobody else's meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

import pytest

from drill.ports import RESERVED, NoPortsFree, release_ports, reserved_ports

COUNT: Final = 4
RESERVE: Final = "from drill.ports import reserved_ports; print(reserved_ports(4), flush=True); "


@contextmanager
def another(then: str) -> Iterator[int]:
    """Another process that has reserved ports, until it hears that its time is over."""
    command = [sys.executable, "-c", RESERVE + then]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(os.environ)) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.kill()


@pytest.mark.parametrize(
    "then",
    [
        pytest.param("input()", id="it goes on"),
        pytest.param("import os; os.execlp('sleep', 'sleep', '600')", id="it becomes what will listen"),
    ],
)
def test_two_processes_and_one_never_reserve_the_same_ports(then: str) -> None:
    with ExitStack() as stack:
        firsts = [stack.enter_context(another(then)), stack.enter_context(another(then))]
        for _ in range(2):
            firsts.append(reserved_ports(COUNT))
            stack.callback(release_ports, firsts[-1], COUNT)
        ports = [port for first in firsts for port in range(first, first + COUNT)]
        assert len(set(ports)) == len(ports) and set(ports) <= set(RESERVED)


def test_what_is_released_or_was_a_dead_processs_can_be_reserved_again() -> None:
    assert any(_were_reserved_again() for _ in range(20)), "others may take them in between, but not each time"


def _were_reserved_again() -> bool:
    with another("input()") as first:
        pass
    again = reserved_ports(COUNT)
    release_ports(again, COUNT)
    with another("input()") as other:
        return other <= again <= first


def test_none_are_left_is_said() -> None:
    with pytest.raises(NoPortsFree, match="no 701 contiguous ports"):
        reserved_ports(len(RESERVED) + 1)
