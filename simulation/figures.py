"""What many lives come to."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from simulation.life import Outcome
from simulation.story import PolicyName
from simulation.verdicts import Decisions


@dataclass(kw_only=True)
class PolicyFigures:
    """What came of the decisions under one policy; as in `Decisions`."""

    must: int = 0
    missed: int = 0
    false: int = 0
    either_way: int = 0
    to_decide: list[float] = field(default_factory=list)

    def add(self, decisions: Decisions) -> None:
        """Count those of a life."""
        self.must += decisions.must
        self.missed += decisions.missed
        self.false += decisions.false
        self.either_way += decisions.either_way
        self.to_decide += decisions.to_decide


@dataclass(kw_only=True)
class Figures:
    """Sums over lives."""

    lives: int = 0
    executions: int = 0
    faults: int = 0
    """Calls that something went wrong with."""
    faults_lost: int = 0
    """Those of lives in which a promise was broken."""
    broken: int = 0
    """Promises, each counted once in a life."""
    longest_s: float = 0.0
    """The longest time from where the active site looked lost to where people were told or something started."""
    policies: dict[PolicyName, PolicyFigures] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        """Count a life."""
        self.lives += 1
        self.executions += outcome.executions
        self.faults += outcome.faults
        self.faults_lost += outcome.faults if outcome.broken else 0
        self.broken += len(outcome.broken)
        self.longest_s = max(self.longest_s, outcome.longest_s)
        self.policies.setdefault(outcome.decisions.policy, PolicyFigures()).add(outcome.decisions)

    def as_json(self) -> dict[str, Any]:
        """All of them, for benchmarks."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"{self.lives} lives, {self.executions} executions, {self.faults} faults, at most {self.longest_s:.0f} s"
            f" from a loss to a message or a start, {self.broken} broken promises"
        )
