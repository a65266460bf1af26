"""Patience with clusters that answer later than the controller waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from failover.errors import KafkaUnavailable

Answer = TypeVar("Answer")
PATIENCE_S = 90.0


def patiently(ask: Callable[[], Answer]) -> Answer:
    """A busy machine may answer later than the controller waits."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return ask()
        except KafkaUnavailable:
            if time.monotonic() > deadline:
                raise
