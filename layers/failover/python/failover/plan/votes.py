"""Whether the votes that policy asks for can ever come from the sources that a plan names.

What the plan does not tell counts as there: where an alarm lives that names no vantage point, and who probes where it
names no vantage points. So what is a shortfall here stays one whatever is deployed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from failover.plan.model import ALARMED, ROUTE53_REGION, Alarm, Plan
from failover.plan.policy import Policy
from failover.wording import Problem

PROBE: Final = "probe/"
"""The source of a probe is this and its vantage point."""
ROUTE53: Final = "route53"
"""The vantage point of an alarm on a Route 53 health check, whose checkers look from all over the world."""
_WILDCARD: Final = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class _Voters:
    """The sources whose votes count that a site is lost. `vantage_points`: those that probe; None: any may."""

    alarms: tuple[Alarm, ...]
    vantage_points: frozenset[str] | None

    def __str__(self) -> str:
        named = [alarm.name for alarm in self.alarms] + [f"{PROBE}{name}" for name in sorted(self.vantage_points or ())]
        return ", ".join(named) or "none"


def shortfalls(plan: Plan, site: str) -> Iterator[Problem]:
    """Why a site can never be decided to be lost, and what to write instead."""
    voters = _voters(plan, site)
    if not plan.policy.fast_path and not voters.alarms:
        yield (
            "policy.fast_path",
            f"is false, so that an alarm must be among the votes, and no alarm of site {site} counts: name one in"
            f" sites.{site}.alarms that policy.signals matches, or write true",
        )
    yield from _too_few(plan.policy, voters, f"that {site} is lost")


def shortfalls_without_its_region(plan: Plan, site: str) -> Iterator[Problem]:
    """Why a site can't be decided to be lost once its whole region is, and with it all that looks at it from there."""
    voters, region = _voters(plan, site), plan.sites[site].region
    elsewhere = plan.sites[plan.other(site)].region
    remaining = _Voters(
        tuple(_voting_from(elsewhere, plan, site, alarm) for alarm in voters.alarms if region not in _places(alarm)),
        None if voters.vantage_points is None else voters.vantage_points - {region},
    )
    gone = _Voters(
        tuple(alarm for alarm in voters.alarms if region in _places(alarm)),
        (voters.vantage_points or frozenset()) & {region},
    )
    if (gone.alarms or gone.vantage_points) and not list(_too_few(plan.policy, voters, "")):
        lost_with_it = f"that {site} is lost once all of {region} is, and {gone} with it"
        yield from _too_few(plan.policy, remaining, lost_with_it)


def signals_of_nobody(plan: Plan) -> Iterator[Problem]:
    """Patterns of `policy.signals` that match no source the plan may have."""
    alarms = [alarm.name for site in plan.sites.values() for alarm in site.alarms]
    for index, pattern in enumerate(plan.policy.signals):
        one = plan.policy.model_copy(update={"signals": (pattern,)})
        probes = [f"{PROBE}{vantage}" for vantage in plan.vantage_points]
        matches_probe = any(map(one.listens_to, probes)) if probes else _may_match_a_probe(pattern)
        if not any(map(one.listens_to, alarms)) and not matches_probe:
            nearest = get_close_matches(pattern, [*alarms, f"{PROBE}*"], n=1)
            right = f"did you mean {nearest[0]}?" if nearest else f"write an alarm's name, or {PROBE}* for every probe"
            yield f"policy.signals[{index}]", f"matches no alarm of the plan and no probe: {right}"


def alarms_without_a_vote(plan: Plan) -> Iterator[Problem]:
    """Alarms that no pattern of `policy.signals` matches."""
    for name, site in plan.sites.items():
        for index, alarm in enumerate(site.alarms):
            if not plan.policy.listens_to(alarm.name):
                yield (
                    f"sites.{name}.alarms[{index}]",
                    f"is no vote, since nothing in policy.signals matches {alarm.name}: add it there, or take it out",
                )


def _voters(plan: Plan, site: str) -> _Voters:
    policy = plan.policy
    alarms = tuple(alarm for alarm in plan.sites[site].alarms if policy.listens_to(alarm.name))
    if plan.vantage_points:
        return _Voters(
            alarms, frozenset(point for point in plan.vantage_points if policy.listens_to(f"{PROBE}{point}"))
        )
    probing = [pattern for pattern in policy.signals if _may_match_a_probe(pattern)]
    if any(_WILDCARD.search(pattern) for pattern in probing):
        return _Voters(alarms, None)
    return _Voters(alarms, frozenset(pattern.removeprefix(PROBE) for pattern in probing))


def _places(alarm: Alarm) -> frozenset[str | None]:
    """Where an alarm sees from, and where it lives: it is lost with either."""
    lives = alarm.region or (ROUTE53_REGION if alarm.vantage == ROUTE53 else None)
    return frozenset({alarm.vantage, lives})


def _voting_from(region: str, plan: Plan, site: str, alarm: Alarm) -> Alarm:
    """An alarm as it is seen by the controller that remains in that region, if it is one of the plan's small stack."""
    own = alarm.name in {f"failover-{plan.name}-{site}-{service}" for service in ALARMED}
    return alarm.model_copy(update={"vantage": region}) if own and not _places(alarm) - {None} else alarm


def _may_match_a_probe(pattern: str) -> bool:
    """Whether there may be a vantage point whose probes the pattern matches."""
    wildcard = _WILDCARD.search(pattern)
    if wildcard is None:
        return pattern.startswith(PROBE) and pattern != PROBE
    begin = pattern[: wildcard.start()]
    return begin.startswith(PROBE) or PROBE.startswith(begin)


def _too_few(policy: Policy, voters: _Voters, what: str) -> Iterator[Problem]:
    if voters.vantage_points is None:
        return
    votes = len(voters.alarms) + len(voters.vantage_points)
    if policy.quorum > votes:
        yield "policy.quorum", _write_less(policy.quorum, votes, f"{votes} votes can say {what} ({voters})")
    from_unknown = sum(alarm.vantage is None for alarm in voters.alarms)
    places = len({alarm.vantage for alarm in voters.alarms if alarm.vantage} | voters.vantage_points) + from_unknown
    if policy.min_vantage_points > places:
        most = f"votes from {places} vantage points can say {what} ({voters})"
        yield "policy.min_vantage_points", _write_less(policy.min_vantage_points, places, most)


def _write_less(value: int, right: int, most: str) -> str:
    remedy = f"write {right}, or " if right else ""
    return f"is {value}, and at most {most}: {remedy}name more sources"
