"""What happened in a life: every line goes into the hash, and those that make the story are kept to be read."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime


class Trace:
    """The lines of one life. `started`: seconds since 1970."""

    def __init__(self, started: float) -> None:
        self._started = started
        self._lines: list[str] = []
        self.story: list[str] = []
        """What a reader needs to know, in order."""

    @property
    def digest(self) -> str:
        """The same for the same life."""
        return hashlib.blake2b("".join(self._lines).encode(), digest_size=8).hexdigest()

    def note(self, now: float, *what: object) -> None:
        """A line that nobody reads."""
        self._lines.append(f"{now - self._started:.6f} {' '.join(map(str, what))}\n")

    def tell(self, now: float, sentence: str) -> None:
        """A line of the story."""
        self.note(now, sentence)
        seconds = now - self._started
        clock = f"{datetime.fromtimestamp(now, UTC):%H:%M:%S}"
        self.story.append(f"{clock}  {seconds:9.1f} s  {sentence}")
