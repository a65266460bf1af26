"""Evidence: the signals and probe results a decision is taken on. Plain facts, without any judgement."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal, cast

from failover.documents import decision as documents
from failover.link import Lag

GATEWAY = "gateway"
"""Any of the site's own fleets."""
SERVICES = ("kafka", GATEWAY, "rest")
CANARY = "canary"
"""A record through the site's own gateway; probed where the plan says so."""
CARRY_CLIENTS = frozenset({"kafka", GATEWAY, CANARY})
"""Clients can't work without these; a site whose REST API alone is silent is not lost."""

ADVISORIES_AT_MOST: Final = 20
"""In a document. A region of AWS has hundreds in a month, and Step Functions takes 256 KB."""
WHY_LENGTH: Final = 1_000
CLOCKS_DIFFER_S: Final = 5.0
"""What is further ahead counts from its receipt: nothing that is said later would be newer than it."""
LAPSE_S: Final = 60.0
"""A source that was silent for less, and says lost as before, is not taken to have seen the site well in between: by
such a vote nothing is done, but people hear of it."""

SignalKind = Literal["alarm", "probe", "advisory"]


@dataclass(frozen=True, kw_only=True)
class Signal:
    """What one source last said of a site."""

    site: str
    source: str
    says_lost: bool
    at: float
    """When it said so, by its own clock, in seconds since 1970."""
    since: float
    """From when on it says so without a break, in seconds since 1970."""
    lost_since: float | None = None
    """Of one that says lost: since when it has not said otherwise, though it was silent for a moment; None: `since`."""
    why: str = ""
    kind: SignalKind = "alarm"
    """An advisory tells people something, and is no vote."""
    vantage: str = ""
    """Where from it was seen; what is seen from one vantage point may be wrong together."""
    region: str = ""
    """Where an alarm lives, to be asked again."""
    silenced: bool = False
    """An alarm that stands, and is no vote since somebody silenced it."""
    read_at: float | None = None
    """When an alarm was last read again in CloudWatch."""
    clock_ahead: int = 0
    """Seconds its source's clock was ahead of ours; `at` is then when it was received."""

    @property
    def stands(self) -> bool:
        """Whether it says lost, or would if nobody had silenced it."""
        return self.says_lost or self.silenced

    @property
    def confirmed_at(self) -> float:
        """When this was last known to be so."""
        return max(self.at, self.read_at or self.at)

    @property
    def key(self) -> tuple[str, str, str]:
        """What it replaces if it is newer: the word of the same source; alarms of two regions may have one name."""
        return self.site, self.source, self.region


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What one vantage point saw of a service."""

    site: str
    service: str
    healthy: bool | None
    """None: it can't be told, since the probe itself failed or was refused."""
    took_seconds: float
    why: str = ""
    refused: bool = False
    """It refused our credentials, so somebody is there."""

    @property
    def answers(self) -> bool:
        """Whether somebody is there: whoever refuses is alive."""
        return self.healthy is True or self.refused


@dataclass(frozen=True, kw_only=True)
class View:
    """What one vantage point saw of all sites."""

    vantage: str
    at: float
    """When it began to look, in seconds since 1970."""
    probes: tuple[Probe, ...]
    isolated_because: str | None = None
    """Why it can't trust its own eyes, or None."""

    def signals(self) -> tuple[Signal, ...]:
        """What it says of each site. An isolated vantage point says nothing, and overtakes what it said before."""
        return tuple(self._signal(site) for site in dict.fromkeys(probe.site for probe in self.probes))

    def _signal(self, site: str) -> Signal:
        failed = [p for p in self.probes if p.site == site and p.healthy is False]
        lost = self.isolated_because is None and any(probe.service in CARRY_CLIENTS for probe in failed)
        why = self.isolated_because or "; ".join(f"{probe.service}: {probe.why}" for probe in failed)
        return Signal(
            site=site,
            source=f"probe/{self.vantage}",
            says_lost=lost,
            at=self.at,
            since=self.at,
            why=why,
            kind="probe",
            vantage=self.vantage,
        )


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All that is known when a decision is taken."""

    lost_site: str
    standby_site: str
    signals: tuple[Signal, ...] = ()
    """Of both sites."""
    probes: tuple[Probe, ...] = ()
    """Of both sites, by whoever decides; none before an execution was started."""
    lag: Lag | None = None
    mirrors_by_status: dict[str, int] | None = None
    """None if they can't be read."""
    prefixed_mirrors: int = 0
    isolated_because: str | None = None
    """Why the one who decides can't trust its own eyes, or None."""

    def probes_of(self, site: str) -> tuple[Probe, ...]:
        """The probes of one site."""
        return tuple(probe for probe in self.probes if probe.site == site)

    def as_document(self) -> documents.Evidence:
        """The form it has in the ledger, in a state and in the report, with the newest advisories alone."""
        advisories = sorted((s for s in self.signals if s.kind == "advisory"), key=lambda s: s.at, reverse=True)
        votes = tuple(signal for signal in self.signals if signal.kind != "advisory")
        brief = (replace(signal, why=signal.why[:WHY_LENGTH]) for signal in (*votes, *advisories[:ADVISORIES_AT_MOST]))
        omitted = max(0, len(advisories) - ADVISORIES_AT_MOST)
        document = vars(self) | {
            "signals": [dict(vars(signal)) for signal in brief],
            "probes": [dict(vars(probe)) for probe in self.probes],
            "lag": None if self.lag is None else dict(vars(self.lag)),
            "advisories_left_out": omitted,
        }
        return cast("documents.Evidence", document)


def unbroken(signal: Signal, before: Signal | None, gap: float) -> Signal:
    """The signal, since when it says so without a break: a source that was silent for more than `gap` seconds, or said
    otherwise in between, begins anew."""
    if before is None or before.says_lost != signal.says_lost or not 0 <= signal.at - before.at <= max(gap, LAPSE_S):
        return signal
    lost_since = before.lost_since or before.since if signal.says_lost else None
    if signal.at - before.at > gap:
        return replace(signal, lost_since=lost_since)
    return replace(signal, since=min(before.since, signal.since), lost_since=lost_since)


def with_newer(signals: Iterable[Signal], newer: Iterable[Signal]) -> tuple[Signal, ...]:
    """The signals, with newer ones in the place of those of the same source."""
    latest = {signal.key: signal for signal in signals}
    latest |= {signal.key: signal for signal in newer}
    return tuple(latest.values())
