"""A decision and the evidence it stands on."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

Verdict = Literal["proceed", "ask", "wait", "stand-down"]


class Decision(TypedDict):
    """The event `Failover Decision`; in the ledger with the evidence."""

    version: Literal[1]
    plan: str
    at: float
    """When it was first taken."""
    by: str
    """The judge, or the execution."""
    site: str
    """The site that is said to be lost."""
    verdict: Verdict
    why: str
    guard: str
    """What gave the reason; empty to proceed."""
    votes: list[str]
    on: list[str]
    """The sources whose word was the occasion."""
    started: str | None
    """The execution it started."""
    times: int
    until: float
    """When it was last taken."""


class Signal(TypedDict):
    """What one source last said of a site."""

    site: str
    source: str
    says_lost: bool
    at: float
    since: float
    lost_since: float | None
    why: str
    kind: Literal["alarm", "probe", "advisory"]
    vantage: str
    region: str
    silenced: bool
    read_at: float | None
    clock_ahead: int


class Probe(TypedDict):
    """What the controller saw of a service itself."""

    site: str
    service: str
    healthy: bool | None
    took_seconds: float
    why: str
    refused: bool


class Lag(TypedDict):
    """How far the mirrors trail."""

    mirrors: int
    partitions: int
    unknown_partitions: int
    records: int
    largest: int


class Evidence(TypedDict):
    """All that was known."""

    lost_site: str
    standby_site: str
    signals: list[Signal]
    probes: list[Probe]
    lag: Lag | None
    mirrors_by_status: dict[str, int] | None
    prefixed_mirrors: int
    isolated_because: str | None
    advisories_left_out: int
