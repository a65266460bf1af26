"""What happens in a life, as plain data: it can be read, and be cut down to what matters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Final, Literal

from simulation.calls import Trouble

VANTAGE_POINTS: Final = ("us-west-2", "us-east-1")
STEPS: Final = (
    "claim",
    "assess",
    "fence",
    "promote_mirrors",
    "check_offsets",
    "create_groups",
    "switch_routes",
    "flip_dns",
    "verify",
    "conclude",
)


@dataclass(frozen=True, kw_only=True)
class VotingRules:
    """What of a policy says whose word counts."""

    fast_path: bool
    quorum: int
    hold_seconds: int


Part = Literal["site", "kafka", "gateway", "rest"]
FleetKind = Literal["ecs", "ecs-blue-green", "ecs-near-clients", "cfk", "cfk-blue-green", "kroxylicious"]
NameKind = Literal[
    "route53-record",
    "route53-health-check",
    "route53-latency",
    "arc-routing-control",
    "cloud-dns",
    "traffic-manager",
    "none",
]
HookConduct = Literal["none", "answer", "are slow", "break at first", "fail"]
Approver = Literal["approves", "denies", "is late"]
HAPPENINGS: Final = ("acts", "spells", "faults", "outages", "switchovers")
SWITCHOVER_STEPS: Final = (
    "claim",
    "precheck",
    "fence",
    "drain_mirrors",
    "reverse_mirrors",
    "sync_offsets",
    "promote_mirrors",
    "switch_routes",
    "flip_dns",
    "verify",
    "conclude",
    "announce",
)
RESTORE_STEPS: Final = (
    "claim",
    "precheck_restore",
    "switch_routes",
    "measure_divergence",
    "rescue_records",
    "restore_mirrors",
    "conclude",
    "announce",
)
Hindrance = Literal["none", "a mirror never catches up", "somebody writes past the gateways", "a link of one way"]
Deed = Literal[
    "abort",
    "want it put back",
    "lose the active site",
    "lose the standby",
    "lead clients back",
    "have a group read on the standby",
    "delete a topic of the standby",
    "pause",
    "supersede",
    "supersede a running one",
    "deploy",
    "change the plan",
    "rotate a secret",
    "revert the name",
    "revert a fleet",
    "rehearse",
]
PolicyName = Literal["fast path", "fast", "alarms", "cautious"]
POLICIES: Final[Mapping[PolicyName, VotingRules]] = {
    "fast path": VotingRules(fast_path=True, quorum=2, hold_seconds=3),
    "fast": VotingRules(fast_path=True, quorum=2, hold_seconds=1),
    "alarms": VotingRules(fast_path=False, quorum=2, hold_seconds=3),
    "cautious": VotingRules(fast_path=False, quorum=3, hold_seconds=30),
}
ACTIVE: Final = "the active site"
"""In place of a site's name: whichever is active then."""


@dataclass(frozen=True, kw_only=True)
class Outage:
    """A site, or a part of it, does not answer for a while. Seconds from the life's beginning."""

    site: str
    """Its name, or `ACTIVE`."""
    part: Part
    begins: float
    ends: float
    silent: bool
    seen_by: tuple[str, ...]
    """The vantage points that see it; fewer than all: the site is well, and the way there is lost."""

    @property
    def is_of_clients(self) -> bool:
        """Whether clients can't work, wherever they are."""
        return self.part != "rest" and len(self.seen_by) == len(VANTAGE_POINTS)

    def is_seen_by(self, vantage: str) -> bool:
        """Whether a vantage point sees it; what all of `VANTAGE_POINTS` see every other one sees, too."""
        return vantage in self.seen_by or len(self.seen_by) == len(VANTAGE_POINTS)

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
class Switchover:
    """People have the standby take over from a site that is well, so many seconds after the life's beginning."""

    begins: float
    hindrance: Hindrance = "none"

    def __str__(self) -> str:
        hindrance = "" if self.hindrance == "none" else f"; {self.hindrance}"
        return f"people switch over at {self.begins:.0f} s{hindrance}"


@dataclass(frozen=True, kw_only=True)
class Story:
    """A whole life. `seconds`: how long it is."""

    seed: str
    seconds: float
    outages: tuple[Outage, ...] = ()
    faults: tuple[AnchoredFault, ...] = ()
    spells: tuple[AnchoredSpell, ...] = ()
    acts: tuple[Act, ...] = ()
    switchovers: tuple[Switchover, ...] = ()
    mode: Literal["automatic", "approve", "observe"] = "automatic"
    policy: PolicyName = "fast path"
    on_approval_timeout: Literal["stand-down", "proceed"] = "stand-down"
    approver: Approver = "approves"
    redrives: bool = True
    """Whether people redrive what stopped, once they are told; else they supersede it."""
    starts_by_hand: bool = False
    """Whether people start a failover that is held back, once they are told."""
    restores: bool = False
    """Whether people make the lost site the standby again, some hours after it is back."""
    fails_back: bool = False
    """Whether they lead clients back to it then, by a switchover."""
    rescues: bool = False
    """Whether what is stranded on it is saved before; else they say that it is to be discarded."""
    hooks: HookConduct = "none"
    """Whether the plan has a hook, and what becomes of its calls."""
    clock_ahead_elsewhere: float | None = None
    """Seconds that the clock of a second controller is ahead of the first's; None: there is no second one."""
    controller_lost_with_site: bool = False
    """Whether the loss of a whole site is that of its region, with the controller and the vantage point in it."""
    starts_elsewhere_first: bool = False
    """Whether people take the other region's controller for the one to start at, every other time."""
    untidy_bus: bool = False
    """Whether events come twice, late and out of order."""
    maintenance: tuple[float, float] | None = None
    """From when to when a window of maintenance is open; seconds from the life's beginning."""
    watched_as_deployed: bool = False
    """Whether the sites are looked at as often as `watch_site` does, and never less often."""
    lag_known: bool = True
    fleets: FleetKind = "ecs"
    client_name: NameKind = "route53-record"
    standby_leads_to: str = "west"
    """Where the standby's own fleet leads at first."""

    def lines(self) -> list[str]:
        """The story before it begins, in sentences."""
        policy = f"policy: {self.mode}, {self.policy}"
        if self.maintenance is not None:
            policy += f", maintenance from {self.maintenance[0]:.0f} s to {self.maintenance[1]:.0f} s"
        if (self.fleets, self.client_name) != ("ecs", "route53-record"):
            policy += f"; fleets of kind {self.fleets}, a name of kind {self.client_name}"
        people = [f"who is asked {self.approver}"] if self.mode == "approve" else []
        people.append("people redrive what stopped" if self.redrives else "people supersede what stopped")
        if self.starts_by_hand:
            people.append("they start what is held back")
        if self.restores:
            people.append(self._restoring)
        if self.hooks != "none":
            people.append(f"hooks {self.hooks}")
        if self.clock_ahead_elsewhere is not None:
            people.append(f"a second controller, whose clock is {self.clock_ahead_elsewhere:+.1f} s ahead")
        if self.controller_lost_with_site:
            people.append("which dies with its site's region, as the first does")
        if self.starts_elsewhere_first:
            people.append("people start at the wrong one first")
        if self.untidy_bus:
            people.append("events come twice, late and out of order")
        happenings = [*self.outages, *self.switchovers, *self.faults, *self.spells, *self.acts]
        return [f"{policy}; {'; '.join(people)}", *map(str, happenings)]

    @property
    def _restoring(self) -> str:
        rescuing = " and rescue what it holds" if self.rescues else ""
        return f"they restore what comes back{rescuing}{', then lead clients back to it' if self.fails_back else ''}"

    def shorter(self) -> Iterator[Story]:
        """The same without one of the things that happen."""
        for field in HAPPENINGS:
            happenings = getattr(self, field)
            for number in range(len(happenings)):
                yield replace(self, **{field: happenings[:number] + happenings[number + 1 :]})
        plain = Story(seed=self.seed, seconds=self.seconds)
        for each in fields(self):
            if each.name not in ("seed", "seconds", *HAPPENINGS):
                default = getattr(plain, each.name)
                if getattr(self, each.name) != default:
                    yield replace(self, **{each.name: default})
