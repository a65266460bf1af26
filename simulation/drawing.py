"""A story is drawn from a seed: what is lost, for how long, what else goes wrong, and what people do about it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal

from simulation.calls import TROUBLES, Trouble
from simulation.story import (
    ACTIVE,
    RESTORE_STEPS,
    STEPS,
    SWITCHOVER_STEPS,
    VANTAGE_POINTS,
    Act,
    AnchoredFault,
    AnchoredSpell,
    Approver,
    Deed,
    FleetKind,
    Hindrance,
    HookConduct,
    NameKind,
    Outage,
    Part,
    PolicyName,
    Story,
    Switchover,
)

MINUTE: Final = 60.0
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
SERVICES: Final = (
    "cloudwatch",
    "dns",
    "dynamodb",
    "ecs",
    "events",
    "kafka",
    "rest",
    "route53",
    "secretsmanager",
    "sns",
    "stepfunctions",
    "tcp",
)
_PARTS: Final[tuple[Part, ...]] = ("kafka", "gateway", "rest")
_APPROVERS: Final[tuple[Approver, ...]] = ("approves", "denies", "denies", "is late")
_UNANSWERED: Final[tuple[Literal["stand-down", "proceed"], ...]] = ("stand-down", "proceed")
_LASTING: Final[tuple[Trouble, ...]] = ("throttled", "unreached", "unanswered")
_DEEDS: Final[tuple[Deed, ...]] = (
    "abort",
    "abort",
    "pause",
    "supersede",
    "supersede a running one",
    "deploy",
    "change the plan",
    "rotate a secret",
    "rotate a secret",
    "revert the name",
    "revert a fleet",
    "rehearse",
)
_FLEETS: Final[tuple[FleetKind, ...]] = (*("ecs",) * 6, "ecs-blue-green", "cfk", "cfk-blue-green", "kroxylicious")
_NAMES: Final[tuple[NameKind, ...]] = (
    *("route53-record",) * 7,
    "route53-health-check",
    "arc-routing-control",
    "cloud-dns",
    "traffic-manager",
    "none",
)
_OF_FLEETS: Final[Mapping[FleetKind, str]] = {
    "ecs-blue-green": "elbv2",
    "cfk": "kubernetes",
    "cfk-blue-green": "kubernetes",
    "kroxylicious": "kubernetes",
}
_OF_NAMES: Final[Mapping[NameKind, str]] = {
    "route53-health-check": "s3",
    "arc-routing-control": "route53-recovery-cluster",
    "cloud-dns": "google",
    "traffic-manager": "azure",
}
_SWITCHOVER_DEEDS: Final[tuple[Deed, ...]] = (
    "want it put back",
    "want it put back",
    "lose the active site",
    "lose the active site",
    "abort",
    "supersede",
    "rotate a secret",
    "revert a fleet",
    "deploy",
)
_RESTORE_DEEDS: Final[tuple[Deed, ...]] = (
    "abort",
    "supersede",
    "supersede a running one",
    "want it put back",
    "lose the active site",
    "rotate a secret",
    "deploy",
)
_SERVICES_OF_RESTORE: Final = ("dynamodb", "kafka", "rest", "s3", "s3", "secretsmanager")
_HOOKS: Final[tuple[HookConduct, ...]] = ("answer", "answer", "are slow", "break at first", "fail")
_HOOKED: Final = 0.12
"""How likely a plan has a hook,"""
_TWO_CONTROLLERS: Final = 0.1
"""and how likely there are two controllers; in weeks with restores, twice as likely:"""
_LOST_WITH_SITE: Final = 0.5
_STARTED_ELSEWHERE: Final = 0.3
_CLOCKS_APART_S: Final = (-4.0, 4.0)
"""by so much. What is further apart than five seconds is found by readiness."""
_SERVING_AT_ONCE: Final = 0.06
"""How likely fleets of both sites serve at all times."""
_NEAR_CLIENTS: Final = 0.06
"""How likely gateways stand near the clients, and none in the sites."""
_NAMES_OF_PLACES: Final[tuple[NameKind, ...]] = ("route53-latency", "route53-latency", "none")
_FAILED_BACK: Final = 0.4
"""How likely people lead clients back to what they have restored."""
_SWITCHED_OVER: Final = 0.2
"""How likely a life has a switchover."""
_HINDRANCES: Final[tuple[Hindrance, ...]] = (
    "none",
    "none",
    "none",
    "a mirror never catches up",
    "somebody writes past the gateways",
    "a link of one way",
)
_POLICIES: Final[tuple[PolicyName, ...]] = ("fast path", "fast path", "fast path", "fast path", "alarms", "cautious")
_CALLED: Final = (*STEPS, "announce", "judge")


def drawn(seed: int) -> Story:
    """The story of a seed."""
    chance = random.Random(f"story {seed}")
    weeks = chance.random() < 0.15
    outages = tuple(_weeks(chance) if weeks else _outages(chance))
    likely = chance.random
    story = Story(
        seed=str(seed),
        seconds=max(
            chance.choice((20 * MINUTE, 40 * MINUTE, 40 * MINUTE, 90 * MINUTE, 3 * HOUR)),
            outages[-1].begins + 20 * MINUTE,
        ),
        outages=outages,
        faults=tuple(_fault(chance) for _ in range(chance.randint(1, 4))) if likely() < 0.5 else (),
        spells=tuple(_spell(chance) for _ in range(chance.randint(1, 2))) if likely() < 0.4 else (),
        acts=tuple(_act(chance) for _ in range(chance.randint(1, 2))) if likely() < 0.35 else (),
        mode="approve" if likely() < 0.25 else "observe" if likely() < 0.05 else "automatic",
        policy=chance.choice(_POLICIES),
        on_approval_timeout=chance.choice(_UNANSWERED),
        approver=chance.choice(_APPROVERS),
        redrives=likely() < 0.7,
        starts_by_hand=likely() < 0.15,
        restores=weeks,
        untidy_bus=likely() < 0.3,
        maintenance=_maintenance(chance) if likely() < 0.1 else None,
        lag_known=likely() < 0.8,
        standby_leads_to=chance.choice(("west", "west", "east")),
    )
    kinds = random.Random(f"kinds {seed}")
    story = replace(story, fleets=kinds.choice(_FLEETS), client_name=kinds.choice(_NAMES))
    if story.fleets != "ecs":
        story = replace(story, standby_leads_to="west")
    story = _with_more(story, seed)
    planned = random.Random(f"switchover {seed}")
    if not weeks and planned.random() < _SWITCHED_OVER:
        story = _with_switchover(story, planned)
    return replace(story, spells=tuple(replace(each, service=_own(each.service, story)) for each in story.spells))


def _own(service: str, story: Story) -> str:
    """The service that the plan's fleets and name have in place of ECS and of Route 53."""
    own = {"ecs": _OF_FLEETS.get(story.fleets), "route53": _OF_NAMES.get(story.client_name)}
    return own.get(service) or service


def _with_more(story: Story, seed: int) -> Story:
    """Where gateways stand, hooks, a second controller, and what goes wrong with a restore."""
    story = _with_gateways(story, seed)
    hooks, elsewhere, restore = (random.Random(f"{what} {seed}") for what in ("hooks", "controllers", "restore"))
    if hooks.random() < _HOOKED:
        story = replace(story, hooks=hooks.choice(_HOOKS))
        if hooks.random() < 0.3:
            story = replace(story, spells=(*story.spells, _spell(hooks, ("call_hooks",), ("lambda",))))
        if hooks.random() < 0.3:
            story = replace(story, faults=(*story.faults, _fault(hooks, ("call_hooks",))))
    if elsewhere.random() < (_TWO_CONTROLLERS if not story.restores else 2 * _TWO_CONTROLLERS):
        story = replace(story, clock_ahead_elsewhere=elsewhere.choice((0.0, elsewhere.uniform(*_CLOCKS_APART_S))))
        lost, wrong = elsewhere.random() < _LOST_WITH_SITE, elsewhere.random() < _STARTED_ELSEWHERE
        story = replace(story, controller_lost_with_site=lost, starts_elsewhere_first=wrong)
    if not story.restores:
        return story
    story = replace(story, rescues=restore.random() < 0.6)
    story = _with_failback(story, random.Random(f"failback {seed}"))
    if restore.random() < 0.4:
        faults = tuple(_fault(restore, RESTORE_STEPS) for _ in range(restore.randint(1, 3)))
        story = replace(story, faults=(*story.faults, *faults))
    if restore.random() < 0.25:
        story = replace(story, spells=(*story.spells, _spell(restore, RESTORE_STEPS, _SERVICES_OF_RESTORE)))
    if restore.random() < 0.25:
        story = replace(story, acts=(*story.acts, _act(restore, _RESTORE_DEEDS, RESTORE_STEPS)))
    return story


def _with_gateways(story: Story, seed: int) -> Story:
    """Those of both sites serve at all times, or they stand near the clients, and none in the sites."""
    if random.Random(f"latency {seed}").random() < _SERVING_AT_ONCE:
        story = replace(story, client_name="route53-latency")
    chance = random.Random(f"near {seed}")
    if chance.random() >= _NEAR_CLIENTS:
        return story
    outages = tuple(replace(lost, part="kafka") if lost.part == "gateway" else lost for lost in story.outages)
    return replace(story, fleets="ecs-near-clients", client_name=chance.choice(_NAMES_OF_PLACES), outages=outages)


def _with_failback(story: Story, chance: random.Random) -> Story:
    """Once a site is restored people lead clients back to it; what goes wrong with that is of a switchover's steps."""
    if chance.random() >= _FAILED_BACK:
        return story
    faults = tuple(_fault(chance, SWITCHOVER_STEPS[3:]) for _ in range(chance.randint(0, 2)))
    acts = (_act(chance, _SWITCHOVER_DEEDS, SWITCHOVER_STEPS[3:7]),) if chance.random() < 0.3 else ()
    return replace(story, fails_back=True, faults=(*story.faults, *faults), acts=(*story.acts, *acts))


def _with_switchover(story: Story, chance: random.Random) -> Story:
    """People switch over; what else happens, happens in it, after it, or not at all."""
    begins = chance.uniform(20, 60)
    switchovers = [Switchover(begins=begins, hindrance=chance.choice(_HINDRANCES))]
    if chance.random() < 0.3:
        switchovers.append(Switchover(begins=begins + chance.uniform(2, 20) * MINUTE))
    later = chance.choice((None, chance.uniform(0, 60), chance.uniform(1, 15) * MINUTE))
    outages = (
        ()
        if later is None
        else tuple(replace(outage, begins=outage.begins + later, ends=outage.ends + later) for outage in story.outages)
    )
    acts = tuple(_act(chance, _SWITCHOVER_DEEDS, SWITCHOVER_STEPS) for _ in range(chance.randint(0, 2)))
    faults = tuple(_fault(chance, SWITCHOVER_STEPS) for _ in story.faults)
    spells = tuple(_spell(chance, SWITCHOVER_STEPS) for _ in story.spells)
    return replace(
        story,
        seconds=max(story.seconds, 40 * MINUTE),
        outages=outages,
        switchovers=tuple(switchovers),
        acts=acts,
        faults=faults,
        spells=spells,
        standby_leads_to="west",
    )


def _weeks(chance: random.Random) -> Iterator[Outage]:
    """Weeks with an outage of whichever site is active every few days."""
    begins = chance.uniform(0.1, 2) * DAY
    for _ in range(chance.randint(3, 6)):
        yield Outage(
            site=ACTIVE,
            part=chance.choice(("site", "site", "site", "gateway", "kafka")),
            begins=begins,
            ends=begins + chance.choice((chance.uniform(1, 3), chance.uniform(5, 40))) * MINUTE,
            silent=chance.random() < 0.5,
            seen_by=VANTAGE_POINTS,
        )
        begins += chance.uniform(0.3, 4) * DAY


def _maintenance(chance: random.Random) -> tuple[float, float]:
    begins = chance.uniform(-20, 10) * MINUTE
    return begins, begins + chance.uniform(5, 60) * MINUTE


def _outages(chance: random.Random) -> Iterator[Outage]:
    begins = chance.uniform(20, 60)
    silent = chance.random() < 0.5
    whole = Outage(site="east", part="site", begins=begins, ends=begins, silent=silent, seen_by=VANTAGE_POINTS)
    match chance.choice(
        ("for good", "for good", "for good", "for minutes", "for seconds", "again and again", "in part")
    ):
        case "for good":
            yield replace(whole, ends=begins + 24 * HOUR)
        case "for minutes":
            yield replace(whole, ends=begins + chance.uniform(2, 40) * MINUTE)
        case "for seconds":
            yield replace(whole, ends=begins + chance.uniform(2, 120))
        case "again and again":
            for _ in range(chance.randint(2, 5)):
                ends = begins + chance.uniform(2, 90)
                yield replace(whole, begins=begins, ends=ends)
                begins = ends + chance.uniform(5, 180)
        case _:
            seen_by = chance.choice((VANTAGE_POINTS, VANTAGE_POINTS, VANTAGE_POINTS[:1], VANTAGE_POINTS[1:]))
            part = chance.choice((*_PARTS, "site"))
            yield replace(whole, part=part, seen_by=seen_by, ends=begins + chance.uniform(1, 60) * MINUTE)
    if chance.random() < 0.15:
        first = begins + chance.uniform(-15, 120)
        yield replace(
            whole,
            site="west",
            part=chance.choice((*_PARTS, "site")),
            begins=first,
            ends=first + chance.uniform(10, 900),
        )
    if chance.random() < 0.1:
        again = begins + chance.uniform(1.2, 3) * HOUR
        yield replace(whole, site="west", begins=again, ends=again + chance.uniform(0.1, 2) * HOUR)


def _fault(chance: random.Random, functions: Sequence[str] = _CALLED) -> AnchoredFault:
    return AnchoredFault(
        function=chance.choice(functions),
        invocation=1 if chance.random() < 0.7 else chance.randint(2, 4),
        call=chance.randint(1, 14),
        trouble=chance.choice(TROUBLES),
    )


def _spell(
    chance: random.Random, functions: Sequence[str] = _CALLED, services: Sequence[str] = SERVICES
) -> AnchoredSpell:
    return AnchoredSpell(
        function=chance.choice(functions),
        invocation=1 if chance.random() < 0.8 else chance.randint(2, 5),
        service=chance.choice(services),
        seconds=chance.choice((20.0, 60.0, 60.0, 600.0)),
        trouble=chance.choice(_LASTING),
    )


def _act(chance: random.Random, deeds: Sequence[Deed] = _DEEDS, functions: Sequence[str] = _CALLED) -> Act:
    return Act(
        deed=chance.choice(deeds),
        function=chance.choice(functions),
        invocation=1 if chance.random() < 0.8 else 2,
        after=chance.choice((chance.uniform(0, 0.3), chance.uniform(0, 10))),
    )
