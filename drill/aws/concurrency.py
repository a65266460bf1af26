"""How many functions run at once: all of an account in a region share one limit, and what is beyond is refused.

Source: https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html. An account has 1,000, or as few as 10 at
first; a hundred is what the controller is to manage with. What is reserved for a function is not looked at.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

AT_ONCE: Final = 100


class TooManyRequests(Exception):
    """As many run as may."""

    def __init__(self) -> None:
        super().__init__("Rate Exceeded.")


class Concurrency:
    """What runs in each region. Safe to use from any thread."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._running = Counter[str]()
        self._lock = threading.Lock()

    @contextmanager
    def one_more(self, region: str) -> Iterator[None]:
        """While it runs.

        Raises:
            TooManyRequests
        """
        with self._lock:
            if self._running[region] >= self._at_once:
                raise TooManyRequests
            self._running[region] += 1
        try:
            yield
        finally:
            with self._lock:
                self._running[region] -= 1
