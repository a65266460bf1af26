"""What happens in a life, drawn from its seed: plain data, so that it can be read, and be cut down to what matters."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Final, Literal

from simulation.calls import TROUBLES, Trouble

STEPS: Final = (
    "claim",
    "assess",
    "fence",
    "promote_mirrors",
    "check_offsets",
    "switch_routes",
    "flip_dns",
    "verify",
    "conclude",
)
SPELLS: Final = ("dynamodb", "sns", "events", "ssm", "secretsmanager", "stepfunctions", "ecs", "route53", "rest", "dns")
Part = Literal["site", "kafka", "gateway", "rest"]
Deed = Literal["abort", "pause", "supersede", "deploy"]
MINUTE: Final = 60.0


@dataclass(frozen=True, kw_only=True)
class Outage:
    """A site, or a part of it, does not answer for a while. Seconds from the life's beginning."""

    site: str
    part: Part
    begins: float
    ends: float
    silent: bool
    seen_by: tuple[str, ...]
    """The vantage points that see it; fewer than all: the site is well, and the way there is lost."""

    def __str__(self) -> str:
        how = "silently" if self.silent else "loudly"
        whole = self.site if self.part == "site" else f"{self.part} of {self.site}"
        seen = "" if len(self.seen_by) > 1 else f", as seen from {', '.join(self.seen_by)} alone"
        return f"{whole} is lost {how} from {self.begins:.0f} s to {self.ends:.0f} s{seen}"


@dataclass(frozen=True, kw_only=True)
class AnchoredFault:
    """One call of a function goes wrong: the `call`-th after its `invocation`-th invocation began."""

    function: str
    invocation: int
    call: int
    trouble: Trouble

    def __str__(self) -> str:
        return f"call {self.call} of {self.function} (invocation {self.invocation}) is {self.trouble}"


@dataclass(frozen=True, kw_only=True)
class AnchoredSpell:
    """A service is in trouble for so many seconds from a function's n-th invocation on."""

    function: str
    invocation: int
    service: str
    seconds: float
    trouble: Trouble

    def __str__(self) -> str:
        return (
            f"every call to {self.service} is {self.trouble} for {self.seconds:.0f} s from invocation"
            f" {self.invocation} of {self.function} on"
        )


@dataclass(frozen=True, kw_only=True)
class Act:
    """Somebody does something, so many seconds after a function's n-th invocation began."""

    deed: Deed
    function: str
    invocation: int
    after: float

    def __str__(self) -> str:
        return f"{self.deed} {self.after:.2f} s after invocation {self.invocation} of {self.function}"


@dataclass(frozen=True, kw_only=True)
class Story:
    """A whole life. `seconds`: how long it is."""

    seed: str
    seconds: float
    outages: tuple[Outage, ...] = ()
    faults: tuple[AnchoredFault, ...] = ()
    spells: tuple[AnchoredSpell, ...] = ()
    acts: tuple[Act, ...] = ()
    mode: Literal["automatic", "approve", "observe"] = "automatic"
    fast_path: bool = True
    on_approval_timeout: Literal["stand-down", "proceed"] = "stand-down"
    approver: Literal["approves", "denies", "is late"] = "approves"
    redrives: bool = True
    """Whether people redrive what stopped, once they are told; else they supersede it."""
    starts_by_hand: bool = False
    """Whether people start a failover that is held back, once they are told."""
    lag_known: bool = True

    def lines(self) -> list[str]:
        """The story before it begins, in sentences."""
        policy = f"policy: {self.mode}, fast path {'on' if self.fast_path else 'off'}"
        people = [f"who is asked {self.approver}"] if self.mode == "approve" else []
        people.append("people redrive what stopped" if self.redrives else "people supersede what stopped")
        if self.starts_by_hand:
            people.append("they start what is held back")
        happenings = [*self.outages, *self.faults, *self.spells, *self.acts]
        return [f"{policy}; {'; '.join(people)}", *map(str, happenings)]

    def shorter(self) -> Iterator[Story]:
        """The same without one of the things that happen."""
        for field in ("acts", "spells", "faults", "outages"):
            happenings = getattr(self, field)
            for number in range(len(happenings)):
                yield replace(self, **{field: happenings[:number] + happenings[number + 1 :]})
        plain = Story(seed=self.seed, seconds=self.seconds)
        for each in fields(self):
            if each.name in ("mode", "fast_path", "on_approval_timeout", "approver", "starts_by_hand", "lag_known"):
                default = getattr(plain, each.name)
                if getattr(self, each.name) != default:
                    yield replace(self, **{each.name: default})


VANTAGE_POINTS: Final = ("us-west-2", "us-east-1")


def drawn(seed: int) -> Story:
    """The story of a seed."""
    chance = random.Random(f"story {seed}")  # noqa: S311 - drawn to be drawn again
    kind = chance.choice(
        ("plain", "fault", "fault", "fault", "spell", "spell", "spell", "ask", "ask", "people", "people", "flapping", "partial", "standby")
    )
    begins = chance.uniform(20, 60)
    lasts = chance.choice((chance.uniform(5, 120), chance.uniform(10, 60) * MINUTE, 6 * 60 * MINUTE))
    silent = chance.random() < 0.5
    outage = Outage(site="east", part="site", begins=begins, ends=begins + lasts, silent=silent, seen_by=VANTAGE_POINTS)
    story = Story(
        seed=str(seed),
        seconds=chance.choice((20 * MINUTE, 40 * MINUTE, 3 * 60 * MINUTE)),
        outages=(outage,),
        fast_path=chance.random() < 0.7,
        redrives=chance.random() < 0.7,
        starts_by_hand=chance.random() < 0.2,
        lag_known=chance.random() < 0.8,
    )
    lasting = replace(outage, ends=begins + 12 * 60 * MINUTE)
    match kind:
        case "fault":
            faults = tuple(_fault(chance) for _ in range(chance.randint(1, 3)))
            return replace(story, outages=(lasting,), faults=faults)
        case "spell":
            return replace(story, outages=(lasting,), spells=(_spell(chance),))
        case "ask":
            approver = chance.choice(("approves", "denies", "is late"))
            late: Literal["stand-down", "proceed"] = chance.choice(("stand-down", "proceed"))
            return replace(story, mode="approve", approver=approver, on_approval_timeout=late, acts=_acts(chance, 0, 1))
        case "people":
            return replace(story, acts=_acts(chance, 1, 2))
        case "flapping":
            return replace(story, outages=tuple(_flapping(chance, outage)))
        case "partial":
            part = chance.choice(("kafka", "gateway", "rest"))
            seen_by = chance.choice((VANTAGE_POINTS, VANTAGE_POINTS[:1], VANTAGE_POINTS[1:]))
            return replace(story, outages=(replace(outage, part=part, seen_by=seen_by),))
        case "standby":
            first = begins + chance.uniform(-10, 90)
            part = chance.choice(("site", "kafka", "gateway", "rest"))
            lost = Outage(
                site="west", part=part, begins=first, ends=first + chance.uniform(10, 600), silent=silent, seen_by=VANTAGE_POINTS
            )
            return replace(story, outages=(lasting, lost))
    return story


def _fault(chance: random.Random) -> AnchoredFault:
    return AnchoredFault(
        function=chance.choice((*STEPS, "judge")),
        invocation=1 if chance.random() < 0.7 else chance.randint(2, 4),
        call=chance.randint(1, 14),
        trouble=chance.choice(TROUBLES),
    )


def _spell(chance: random.Random) -> AnchoredSpell:
    return AnchoredSpell(
        function=chance.choice((*STEPS, "judge")),
        invocation=1 if chance.random() < 0.7 else chance.randint(2, 12),
        service=chance.choice(SPELLS),
        seconds=chance.choice((20.0, 60.0, 60.0, 600.0)),
        trouble=chance.choice(("throttled", "unreached", "unanswered")),
    )


def _acts(chance: random.Random, least: int, most: int) -> tuple[Act, ...]:
    return tuple(
        Act(
            deed=chance.choice(("abort", "abort", "pause", "supersede", "deploy")),
            function=chance.choice(STEPS),
            invocation=1 if chance.random() < 0.8 else 2,
            after=chance.choice((chance.uniform(0, 0.3), chance.uniform(0, 10))),
        )
        for _ in range(chance.randint(least, most))
    )


def _flapping(chance: random.Random, outage: Outage) -> Iterator[Outage]:
    at = outage.begins
    for _ in range(chance.randint(2, 5)):
        ends = at + chance.uniform(2, 90)
        yield replace(outage, begins=at, ends=ends)
        at = ends + chance.uniform(5, 180)
