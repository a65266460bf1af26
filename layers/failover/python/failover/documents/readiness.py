"""Readiness of a plan, and what changed of it."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

Status = Literal["pass", "warn", "unknown", "fail"]


class Check(TypedDict):
    """One thing that a failover needs."""

    name: str
    status: Status
    evidence: list[str]
    remedy: str


class Readiness(TypedDict):
    """One round of checks, as `check_readiness` answers it and the ledger keeps it."""

    version: Literal[1]
    plan: str
    active: str | None
    taken_at: float
    took_seconds: float
    under_way: str | None
    """An execution that is at it, so that what is seen is in between."""
    ready: bool
    checks: list[Check]


class ReadinessChange(TypedDict):
    """A check whose status changed."""

    version: Literal[1]
    plan: str
    check: str
    before: Status | None
    """None: it was never checked."""
    after: Status
    revision: int
    """The round that saw it."""
    at: float
    evidence: list[str]
    remedy: str


class ReadinessChanged(ReadinessChange):
    """The event `Readiness changed`."""

    key: str
    """The same for an event that is put again."""
