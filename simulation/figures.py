"""What many lives come to, in one line."""

from __future__ import annotations

from dataclasses import dataclass

from simulation.life import Outcome


@dataclass(kw_only=True)
class Figures:
    """Sums over lives."""

    lives: int = 0
    executions: int = 0
    faults: int = 0
    """Calls that something went wrong with."""
    broken: int = 0
    """Promises, each counted once in a life."""
    longest_s: float = 0.0
    """The longest time from where the active site looked lost to where people were told or something started."""

    def add(self, outcome: Outcome) -> None:
        """Count a life."""
        self.lives += 1
        self.executions += outcome.executions
        self.faults += outcome.faults
        self.broken += len(outcome.broken)
        self.longest_s = max(self.longest_s, outcome.longest_s)

    def __str__(self) -> str:
        return (
            f"{self.lives} lives, {self.executions} executions, {self.faults} faults, at most {self.longest_s:.0f} s"
            f" from a loss to a message or a start, {self.broken} broken promises"
        )
