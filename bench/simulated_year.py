"""A year of one plan, simulated on a fast clock, decided by the controller's own decision code.

Seeded: single probes that fail, observers that lose their way to a site or their own network, REST and standby outages,
flapping, short and long outages of the active site. Two vantage points look every two seconds, and alarms stand on what
the one in the standby's region sees (periods of ten seconds, two of three). Only the time around incidents is walked
through; in between nothing says anything.

A failover is false if clients could work on the active site all through the ten seconds before it. An outage is missed
if it lasts two minutes, the standby is well, no cooldown is on, and there is no failover. Shorter ones, and flapping,
may go either way and are counted by themselves.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

import gateway  # noqa: F401 - it puts the layer on the path
from bench.result import Result
from failover.decision.case import Case
from failover.decision.rules import decide, judge
from failover.detection.evidence import SERVICES, Evidence, Probe, Signal, View, unbroken, with_newer
from failover.ledger.records import PlanState
from failover.plan.policy import Policy

YEAR_S: Final = 365 * 86_400.0
ROUND_S: Final = 2.0
PERIOD_S: Final = 10.0
ALARM_DELAY_S: Final = 3.0
ASSESS_EVERY_S: Final = 5.0
ASSESS_LIMIT_S: Final = 60.0
AROUND_S: Final = 90.0
MUST_FAIL_OVER_S: Final = 120.0
CLIENTS_WORK_S: Final = 10.0
HOME, STANDBY = "east", "west"
HERE, THIRD = "us-west-2", "eu-west-1"
SEED: Final = 20_261_123

POLICIES: Final = {
    "fast path": Policy(mode="automatic", fast_path=True, hold_seconds=3),
    "alarms": Policy(mode="automatic", quorum=2),
    "cautious": Policy(mode="automatic", quorum=3, hold_seconds=30),
}


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """Something that is wrong from `start` to `end`. `services` of `site` are down; seen by `vantage` alone if named;
    with no site, that vantage point's own network is."""

    start: float
    end: float
    site: str | None
    services: frozenset[str]
    vantage: str | None = None
    kind: str = ""


CLIENTS_NEED: Final = frozenset({"kafka", "gateway"})
EVERYTHING: Final = frozenset(SERVICES)


@dataclass(kw_only=True)
class Tally:
    """What came of a year under one policy. Durations in seconds."""

    failovers: int = 0
    false: int = 0
    missed: int = 0
    must: int = 0
    either_way: int = 0
    to_decide: list[float] = field(default_factory=list)
    stories: list[str] = field(default_factory=list)


def measure() -> list[Result]:
    """False failovers, missed outages, and the time from outage to decision, for each policy."""
    results = []
    for name, policy in POLICIES.items():
        tally = simulate(policy, year(SEED))
        label = f"year.{name.replace(' ', '_')}"
        results += [
            Result(name=f"{label}.false_failovers", value=tally.false, unit="failovers", limit=0),
            Result(name=f"{label}.missed_outages", value=tally.missed, unit=f"of {tally.must}", limit=0),
            Result(name=f"{label}.either_way", value=tally.either_way, unit="failovers", limit=None),
            Result(name=f"{label}.to_decide", value=statistics.median(tally.to_decide), unit="s, median", limit=None),
            Result(name=f"{label}.to_decide_worst", value=max(tally.to_decide), unit="s", limit=None),
        ]
    return results


def year(seed: int, length: float = YEAR_S) -> list[Trouble]:
    """The troubles of a year (or of so many seconds), in order; outages of the active site are two days apart."""
    chance = random.Random(seed)
    share = length / YEAR_S

    def times(count: int) -> Iterator[float]:
        yield from (chance.uniform(3600, length - 7200) for _ in range(max(1, round(count * share))))

    def some(
        kind: str,
        count: int,
        lasts: tuple[float, float],
        site: str | None,
        vantage: str | None = None,
        services: frozenset[str] = EVERYTHING,
    ) -> Iterator[Trouble]:
        for at in times(count):
            yield Trouble(
                start=at, end=at + chance.uniform(*lasts), site=site, services=services, vantage=vantage, kind=kind
            )

    troubles: list[Trouble] = []
    for vantage in (HERE, THIRD):
        for service in SERVICES:
            troubles += some(
                "one probe", 500, (ROUND_S, ROUND_S), site=HOME, vantage=vantage, services=frozenset({service})
            )
        troubles += some("observer cut off", 24, (30, 900), site=HOME, vantage=vantage)
        troubles += some("observer ill", 12, (30, 900), site=None, vantage=vantage)
    troubles += some("REST down", 12, (60, 1800), site=HOME, services=frozenset({"rest"}))
    troubles += some("standby down", 8, (60, 900), site=STANDBY)
    troubles += _outages(chance, length, share)
    return sorted(troubles, key=lambda trouble: trouble.start)


def _outages(chance: random.Random, length: float, share: float) -> Iterator[Trouble]:
    """Outages of the active site, spread out so that no cooldown hides one."""
    kinds = ["long"] * 14 + ["short"] * 24 + ["flapping"] * 8 + ["both"] * 2
    chosen = [kinds[n % len(kinds)] for n in range(max(4, round(len(kinds) * share)))]
    chance.shuffle(chosen)
    slot = (length - 7200) / len(chosen)
    for number, kind in enumerate(chosen):
        at = 3600 + slot * (number + chance.uniform(0.1, 0.4))
        services = chance.choice([EVERYTHING, frozenset({"kafka"}), frozenset({"gateway"})])
        match kind:
            case "long":
                yield Trouble(
                    start=at,
                    end=at + chance.uniform(MUST_FAIL_OVER_S + 30, 3600),
                    site=HOME,
                    services=services,
                    vantage=None,
                    kind=kind,
                )
            case "short":
                yield Trouble(
                    start=at, end=at + chance.uniform(1, 60), site=HOME, services=services, vantage=None, kind=kind
                )
            case "flapping":
                for turn in range(20):
                    begin = at + 14 * turn
                    yield Trouble(
                        start=begin,
                        end=begin + chance.uniform(2, 7),
                        site=HOME,
                        services=services,
                        vantage=None,
                        kind=kind,
                    )
            case _:
                yield Trouble(start=at, end=at + 900, site=HOME, services=services, vantage=None, kind=kind)
                yield Trouble(start=at - 60, end=at + 1000, site=STANDBY, services=EVERYTHING, vantage=None, kind=kind)


def simulate(policy: Policy, troubles: list[Trouble]) -> Tally:
    """Walk through the time around every trouble, and count what the controller did."""
    tally = Tally()
    for window in _windows(troubles):
        _Window(policy, window, tally).walk()
    return tally


def _windows(troubles: list[Trouble]) -> Iterator[list[Trouble]]:
    """Troubles that are near each other, together."""
    near: list[Trouble] = []
    for trouble in troubles:
        if near and trouble.start > max(each.end for each in near) + 2 * AROUND_S:
            yield near
            near = []
        near.append(trouble)
    if near:
        yield near


def _healthy(view: View, site: str, service: str) -> bool:
    return all(probe.healthy for probe in view.probes if (probe.site, probe.service) == (site, service))


class _Window:
    """Some time around troubles. The site is home again before each; people see to that."""

    def __init__(self, policy: Policy, troubles: list[Trouble], tally: Tally) -> None:
        self._policy = policy
        self._troubles = troubles
        self._tally = tally
        self._signals: dict[tuple[str, str], Signal] = {}
        self._state = PlanState(active=HOME, epoch=1)
        self._failed_over: float | None = None
        self._periods: dict[str, list[tuple[float, bool]]] = {service: [] for service in CLIENTS_NEED}
        self._alarms: dict[str, bool] = dict.fromkeys(CLIENTS_NEED, False)
        self._due: list[tuple[float, Signal]] = []
        self._assessing: tuple[float, float] | None = None

    def walk(self) -> None:
        start = self._troubles[0].start - AROUND_S
        end = max(trouble.end for trouble in self._troubles) + AROUND_S
        rounds = int((end - start) / ROUND_S)
        for number in range(rounds):
            now = start + number * ROUND_S
            for vantage, offset in ((HERE, 0.0), (THIRD, 0.7)):
                self._look(vantage, now + offset)
            self._ring(now)
            self._assess(now)
        self._count()

    def _look(self, vantage: str, now: float) -> None:
        view = self._view(vantage, now)
        for signal in view.signals():
            self._hear(signal)
        if vantage == HERE and view.isolated_because is None:
            self._measure(view, now)
        self._judge(now + 0.3)

    def _view(self, vantage: str, now: float) -> View:
        wrong = [trouble for trouble in self._troubles if trouble.start <= now < trouble.end]
        ill = any(t.site is None and t.vantage == vantage for t in wrong)
        probes = tuple(
            Probe(
                site=site,
                service=service,
                healthy=not (ill or self._down(wrong, site, service, vantage)),
                took_seconds=0.1,
            )
            for site in (HOME, STANDBY)
            for service in SERVICES
        )
        # As probe_sites judges itself: who sees neither site is isolated.
        blind = not any(probe.healthy for probe in probes)
        return View(
            vantage=vantage, at=now, probes=probes, isolated_because="isolated: it sees neither site" if blind else None
        )

    @staticmethod
    def _down(wrong: list[Trouble], site: str, service: str, vantage: str) -> bool:
        return any(t.site == site and service in t.services and t.vantage in (None, vantage) for t in wrong)

    def _hear(self, signal: Signal) -> None:
        signal_before = self._signals.get((signal.site, signal.source))
        if signal.kind == "probe" and signal.says_lost:
            signal = unbroken(signal, signal_before, self._policy.probe_max_age_seconds)
        if signal_before is None or signal.at > signal_before.at:
            self._signals[signal.site, signal.source] = signal

    def _measure(self, view: View, now: float) -> None:
        """The metrics, and the alarms that stand on them: two of three periods."""
        for service in CLIENTS_NEED:
            healthy = _healthy(view, HOME, service)
            periods, period = self._periods[service], now - now % PERIOD_S
            if periods and periods[-1][0] == period:
                periods[-1] = (period, periods[-1][1] and healthy)
                continue
            bad = [at for at, well in periods[-3:] if not well]
            periods.append((period, healthy))
            if (len(bad) >= 2) != self._alarms[service]:
                self._alarms[service] = not self._alarms[service]
                since = bad[0] if bad else now
                says = Signal(
                    site=HOME,
                    source=f"alarm-{service}",
                    says_lost=self._alarms[service],
                    at=now,
                    since=since,
                    why="",
                    kind="alarm",
                    vantage=HERE,
                )
                self._due.append((now + ALARM_DELAY_S, says))

    def _ring(self, now: float) -> None:
        for at, signal in [each for each in self._due if each[0] <= now]:
            self._due.remove((at, signal))
            self._hear(signal)
            self._judge(now)

    def _case(self, now: float, view: View | None) -> Case:
        signals = tuple(self._signals.values())
        evidence = Evidence(
            lost_site=self._state.active,
            standby_site=HOME if self._state.active == STANDBY else STANDBY,
            signals=signals,
        )
        if view is not None:
            sightings = [
                unbroken(s, self._signals.get((s.site, s.source)), self._policy.probe_max_age_seconds)
                for s in view.signals()
            ]
            mirrors = {"ACTIVE": 10} if _healthy(view, STANDBY, "rest") else None
            evidence = replace(
                evidence,
                signals=with_newer(signals, sightings),
                probes=view.probes,
                mirrors_by_status=mirrors,
                isolated_because=view.isolated_because,
            )
        return Case(evidence=evidence, policy=self._policy, state=self._state, manual=False, now=now)

    def _judge(self, now: float) -> None:
        idle = self._failed_over is None and self._assessing is None
        if idle and judge(self._case(now, None)).verdict == "proceed":
            self._assessing = (now + 1.0, now + ASSESS_LIMIT_S)

    def _assess(self, now: float) -> None:
        if self._assessing is None or now < self._assessing[0]:
            return
        verdict = decide(self._case(now, self._view(HERE, now))).verdict
        if verdict == "proceed":
            self._failed_over, self._assessing = now, None
            self._state = PlanState(active=STANDBY, epoch=2, changed_at=now)
        elif verdict == "wait" and now < self._assessing[1]:
            self._assessing = (now + ASSESS_EVERY_S, self._assessing[1])
        else:
            self._assessing = None

    def _count(self) -> None:
        tally, at = self._tally, self._failed_over
        outages = [t for t in self._troubles if t.site == HOME and t.vantage is None and t.services & CLIENTS_NEED]
        must = [t for t in outages if t.kind == "long" and not self._standby_down(t)]
        tally.must += len(must)
        if at is None:
            tally.missed += len(must)
            tally.stories += [f"missed: {t}" for t in must]
            return
        tally.failovers += 1
        cause = next((t for t in outages if t.start <= at and t.end > at - CLIENTS_WORK_S), None)
        if cause is None:
            tally.false += 1
            tally.stories.append(f"false at {at}: {self._troubles}")
        elif cause in must:
            tally.to_decide.append(at - cause.start)
        else:
            tally.either_way += 1

    def _standby_down(self, outage: Trouble) -> bool:
        return any(t.site == STANDBY and t.start < outage.end and t.end > outage.start for t in self._troubles)
