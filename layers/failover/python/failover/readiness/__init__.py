"""Readiness: what a failover will need, looked at before the disaster, one module a concern.

Each concern is judged by pure functions from what was seen to findings; a check is the sum of its findings. `unknown`
is a finding of its own: what could not be looked at is not ready.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from failover.documents import readiness as documents
from failover.documents.readiness import Status
from failover.errors import FailoverError, TransientError

_BY_WEIGHT: Final[tuple[Status, ...]] = ("pass", "warn", "unknown", "fail")
FACTS_AT_MOST: Final = 12
"""How many facts a check says; the worst come first."""


@dataclass(frozen=True)
class Finding:
    """One fact, what it means for a failover, and what to do about it."""

    status: Status
    fact: str
    remedy: str = ""


@dataclass(frozen=True, kw_only=True)
class Check:
    """What is known of one thing a failover needs. `warn`: a failover would work, yet something is not as it should be;
    `unknown`: it could not be looked at."""

    name: str
    status: Status
    evidence: tuple[str, ...]
    remedy: str = ""

    @property
    def ready(self) -> bool:
        """Whether a failover can count on it."""
        return self.status in ("pass", "warn")

    def as_document(self) -> documents.Check:
        """The form it has in the ledger, in events and in answers."""
        return {"name": self.name, "status": self.status, "evidence": list(self.evidence), "remedy": self.remedy}


def ok(fact: str) -> Finding:
    """As it should be."""
    return Finding("pass", fact)


def warn(fact: str, remedy: str) -> Finding:
    """A failover would work, yet this is not as it should be."""
    return Finding("warn", fact, remedy)


def unknown(fact: str, remedy: str) -> Finding:
    """It could not be looked at, or what was seen says nothing."""
    return Finding("unknown", fact, remedy)


def fail(fact: str, remedy: str) -> Finding:
    """A failover would not work, or lose what it need not lose."""
    return Finding("fail", fact, remedy)


def check(name: str, findings: Iterable[Finding]) -> Check:
    """The sum of the findings: the worst decides. Nothing found is unknown, not ready."""
    ordered = sorted(findings, key=lambda finding: -_BY_WEIGHT.index(finding.status))
    if not ordered:
        return Check(
            name=name, status="unknown", evidence=("nothing was found to look at",), remedy="see the function's log"
        )
    remedies = dict.fromkeys(finding.remedy for finding in ordered if finding.remedy)
    return Check(
        name=name,
        status=ordered[0].status,
        evidence=tuple(some([finding.fact for finding in ordered], FACTS_AT_MOST)),
        remedy="; ".join(remedies),
    )


def unreadable(error: Exception) -> Finding:
    """What an error tells: nobody answered, which is unknown; or it was refused for good, and would be on the day."""
    if isinstance(error, TransientError):
        return unknown(str(error), "look whether that service is up, and can be reached from the controller")
    if isinstance(error, FailoverError):
        return fail(str(error), "mend what the error names: it will not pass by itself")
    return unknown(f"the check itself failed: {type(error).__name__}: {error}", "see the function's log")


def some(names: Sequence[str], limit: int) -> list[str]:
    """The first names, and how many more there are."""
    more = len(names) - limit
    return [*names[:limit], f"and {more:,} more"] if more > 0 else list(names)


def listed(names: Iterable[str], limit: int = 5) -> str:
    """Names in a sentence."""
    return ", ".join(some(sorted(names), limit))
