"""Patience with what comes later than a quick machine has it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from failover.errors import KafkaUnavailable

Answer = TypeVar("Answer")
PATIENCE_S = 90.0
EVERY_S = 0.05


def eventually(look: Callable[[], Answer], within_s: float = PATIENCE_S, what: str = "what is looked for") -> Answer:
    """What a look gives, as soon as that is true."""
    deadline = time.monotonic() + within_s
    while not (seen := look()):
        assert time.monotonic() < deadline, f"{what} did not come within {within_s:.0f} s"
        time.sleep(EVERY_S)
    return seen


def patiently(ask: Callable[[], Answer]) -> Answer:
    """A busy machine may answer later than the controller waits."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return ask()
        except KafkaUnavailable:
            if time.monotonic() > deadline:
                raise
