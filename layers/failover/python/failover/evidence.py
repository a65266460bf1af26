"""Evidence: the signals and probe results a decision is taken on. Plain facts, without any judgement."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Signal:
    """What one alarm last said of a site. `at`: when it changed; `since`: first bad data point. Seconds since 1970."""

    site: str
    source: str
    says_lost: bool
    at: float
    since: float
    why: str = ""


@dataclass(frozen=True)
class Probe:
    """What the controller saw itself. `service`: kafka | gateway | rest. `healthy` None: the probe itself failed."""

    site: str
    service: str
    healthy: bool | None
    took_seconds: float
    why: str = ""


@dataclass(frozen=True)
class Lag:
    """How far the mirrors trail, as the standby last saw it. It freezes when the source is gone, and it is not a loss:
    `unknown_partitions` were never fetched since their leader started (last_source_fetch_offset -1)."""

    mirrors: int
    partitions: int
    unknown_partitions: int
    records: int
    largest: int


@dataclass(frozen=True)
class Evidence:
    """All that `assess` knows when it decides."""

    lost_site: str
    standby_site: str
    signals: tuple[Signal, ...] = ()
    probes: tuple[Probe, ...] = ()
    lag: Lag | None = None
    mirrors_by_status: dict[str, int] = field(default_factory=dict)
    prefixed_mirrors: int = 0

    def probes_of(self, site: str) -> tuple[Probe, ...]:
        """The probes of one site."""
        return tuple(probe for probe in self.probes if probe.site == site)

    def as_document(self) -> dict[str, Any]:
        """The form it has in the ledger, in a state and in the report."""
        return asdict(self)
