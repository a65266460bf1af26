"""The clients' traffic while it happens: their logs tailed, records counted by the second and by cluster."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import floor
from pathlib import Path

from drill.clients.record_log import Acknowledged, Key, LogTail, Notice, Received


@dataclass(frozen=True)
class Traffic:
    """Records of one kind a second: for each of the last seconds, oldest first, from the lost site and the standby."""

    lost_site: tuple[int, ...] = ()
    standby: tuple[int, ...] = ()

    @property
    def now(self) -> int:
        """Records in the last full second."""
        return self.lost_site[-1] + self.standby[-1] if self.lost_site else 0


@dataclass(kw_only=True)
class LiveTraffic:
    """Tails both logs. What comes after the loss is taken for the standby's: fit for looking on, not for accounting."""

    producer_log: Path
    consumer_log: Path
    seconds: int = 48
    killed_at: float | None = None
    notices: list[Notice] = field(default_factory=list)
    _acknowledged: Counter[tuple[int, bool]] = field(default_factory=Counter)
    _received: Counter[tuple[int, bool]] = field(default_factory=Counter)
    _last_acknowledged: dict[Key, float] = field(default_factory=dict)
    _last_received: dict[Key, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._tails = LogTail(self.producer_log), LogTail(self.consumer_log)

    def read(self) -> None:
        """Take in what was written since the last call. `notices` gets what the clients told besides records."""
        for tail in self._tails:
            for event in tail.read():
                if isinstance(event, Notice):
                    self.notices.append(event)
                elif isinstance(event, Acknowledged | Received):
                    kind = self._acknowledged if isinstance(event, Acknowledged) else self._received
                    last = self._last_acknowledged if isinstance(event, Acknowledged) else self._last_received
                    last[event.topic, event.partition] = event.at
                    kind[floor(event.at), self.killed_at is not None and event.at > self.killed_at] += 1

    def has_resumed(self) -> bool:
        """Whether records of every partition were acknowledged and received since a second after the loss, when no
        answer of the lost site is left. A client may wait for one broker's dead connection when the others are back."""
        since = (self.killed_at or 0.0) + 1
        return all(last and min(last.values()) > since for last in (self._last_acknowledged, self._last_received))

    def acknowledged(self, now: float) -> Traffic:
        """Records acknowledged a second, up to the last full second."""
        return self._last(self._acknowledged, now)

    def consumed(self, now: float) -> Traffic:
        """Records consumed a second, up to the last full second."""
        return self._last(self._received, now)

    def _last(self, counts: Counter[tuple[int, bool]], now: float) -> Traffic:
        span = range(floor(now) - self.seconds, floor(now))
        return Traffic(tuple(counts[s, False] for s in span), tuple(counts[s, True] for s in span))
