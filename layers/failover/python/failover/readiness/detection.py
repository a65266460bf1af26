"""Detection: whether the loss of the active site would be noticed, and by enough of those whose votes count. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from failover.detection.evidence import CLOCKS_DIFFER_S, Signal
from failover.plan.model import Alarm, Plan
from failover.readiness import Finding, fail, listed, ok, unknown, warn

SPOKE_S: Final = 90.0
"""A vantage point speaks once a minute while all is well; one that was silent for so long is no voter."""
RULE_PREFIX: Final = "failover-"
"""The names of alarms that the stack's own rule hears; others are parameters of it."""


@dataclass(frozen=True, kw_only=True)
class CloudWatchAlarm:
    """An alarm as CloudWatch has it."""

    region: str
    state: str
    actions_enabled: bool


@dataclass(frozen=True)
class CloudWatchAlarms:
    """The plan's alarms in the regions where they may live."""

    by_name: Mapping[str, tuple[CloudWatchAlarm, ...]] = field(default_factory=dict)
    unreadable_regions: Mapping[str, str] = field(default_factory=dict)
    """Regions that could not be asked, and why."""


def votes(
    plan: Plan, site: str, signals: Collection[Signal], alarms: CloudWatchAlarms, now: float
) -> Iterator[Finding]:
    """Whether those who would notice the loss of the site are there, and are enough."""
    if not plan.vantage_points:
        yield warn(
            "the plan names no vantage points: whoever may put events on the account's bus counts as one",
            "name the regions that watch the sites under vantage_points",
        )
    speaking, findings = _vantage_points(plan, signals, now)
    yield from findings
    standing, findings = _alarms(plan, site, alarms)
    yield from findings
    yield from _enough(plan, site, speaking, standing)
    yield from _clocks(signals)


def unheard(plan: Plan, heard_by_name: Collection[str]) -> Iterator[Finding]:
    """Alarms of the plan whose events no rule of the stack hears."""
    names = [alarm.name for site in plan.sites.values() for alarm in site.alarms]
    deaf = [name for name in names if not name.startswith(RULE_PREFIX) and name not in heard_by_name]
    if deaf:
        yield fail(
            f"no rule hears {listed(deaf)}: their names do not begin with {RULE_PREFIX}",
            "name them in the stack's HealthCheckAlarmNames, and in that of the region they live in",
        )


def _vantage_points(plan: Plan, signals: Iterable[Signal], now: float) -> tuple[list[str], list[Finding]]:
    """Those that spoke lately and are listened to, and what there is to say of all."""
    spoke: dict[str, float] = {}
    for signal in signals:
        if signal.kind == "probe" and plan.trusts(signal.vantage):
            spoke[signal.vantage] = max(signal.at, spoke.get(signal.vantage, 0.0))
    speaking: list[str] = []
    findings: list[Finding] = []
    for vantage in plan.vantage_points or sorted(spoke):
        ago = now - spoke[vantage] if vantage in spoke else None
        if ago is None or ago > SPOKE_S:
            findings.append(
                fail(
                    f"vantage point {vantage} was {'never heard' if ago is None else f'last heard {ago:,.0f} s ago'}",
                    "look at watch_site's log there, and whether it is deployed with this plan",
                )
            )
        elif plan.policy.listens_to(f"probe/{vantage}"):
            speaking.append(vantage)
            findings.append(ok(f"vantage point {vantage} was heard {max(ago, 0.0):.0f} s ago"))
    return speaking, findings


def _alarms(plan: Plan, site: str, alarms: CloudWatchAlarms) -> tuple[dict[str, str], list[Finding]]:
    """Where from those of the site that may be votes see it, and what there is to say of those of both sites."""
    standing: dict[str, str] = {}
    findings: list[Finding] = []
    for name, of_site in plan.sites.items():
        for alarm in of_site.alarms:
            findings += _alarm(alarm, alarms)
            regions = [one.region for one in alarms.by_name.get(alarm.name, ()) if one.actions_enabled]
            if name == site and plan.policy.listens_to(alarm.name) and regions:
                standing[alarm.name] = plan.vantage_of_alarm(alarm.name, regions[0])
    return standing, findings


def _alarm(alarm: Alarm, alarms: CloudWatchAlarms) -> Iterator[Finding]:
    regional = alarms.by_name.get(alarm.name, ())
    if not regional and alarms.unreadable_regions:
        why = "; ".join(f"{region}: {why}" for region, why in alarms.unreadable_regions.items())
        yield unknown(f"whether there is an alarm {alarm.name} is not known: {why}", "look whether CloudWatch answers")
    elif not regional:
        yield fail(
            f"there is no alarm {alarm.name}", "create it where the plan says it lives, or take it out of the plan"
        )
    for copy in regional:
        if not copy.actions_enabled:
            yield warn(f"the actions of {alarm.name} in {copy.region} are disabled: it is no vote", "enable them")
        elif copy.state == "INSUFFICIENT_DATA":
            yield warn(f"{alarm.name} in {copy.region} has too little data to tell", "look whether its metric is sent")
        else:
            yield ok(f"{alarm.name} in {copy.region} is {copy.state}")


def _enough(plan: Plan, site: str, speaking: Collection[str], standing: Mapping[str, str]) -> Iterator[Finding]:
    policy = plan.policy
    voters = [*(f"probe/{vantage}" for vantage in speaking), *standing]
    places = {*speaking, *standing.values()}
    by_whom = listed(voters) or "nobody"
    if policy.quorum > len(voters):
        yield fail(
            f"{len(voters)} can say that {site} is lost ({by_whom}), and policy wants {policy.quorum}",
            "mend those that are silent, or lower policy.quorum",
        )
    elif policy.min_vantage_points > len(places):
        yield fail(
            f"the loss of {site} can be seen from {len(places)} vantage points, and policy wants"
            f" {policy.min_vantage_points}",
            "mend those that are silent, or lower policy.min_vantage_points",
        )
    elif not policy.fast_path and not standing:
        yield fail(
            f"no alarm can say that {site} is lost, and policy does not let probes decide alone", "mend the alarms"
        )
    else:
        yield ok(f"{len(voters)} can say that {site} is lost, and policy wants {policy.quorum}: {by_whom}")


def _clocks(signals: Iterable[Signal]) -> Iterator[Finding]:
    ahead = {signal.source: signal.clock_ahead for signal in signals if signal.clock_ahead > CLOCKS_DIFFER_S}
    for source, seconds in sorted(ahead.items()):
        yield warn(
            f"the clock of {source} is {seconds} s ahead: what it says counts from its receipt", "set that clock right"
        )
