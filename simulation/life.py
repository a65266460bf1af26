"""One life, from its story to what is to be said of it."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final, TypeVar

import yaml

from simulation import process, world
from simulation.aws import hooks
from simulation.aws.s3 import RESCUE
from simulation.calls import Fault
from simulation.client_names import DESCRIBED, held_by, hold
from simulation.deployment import Deployment, deployment
from simulation.fleets import add_fleets, sites_with
from simulation.functions import ROOT, Handler, load_handlers
from simulation.machine import expressions
from simulation.machine.execution import Execution
from simulation.observers import Observers, points_of
from simulation.oracle import Broken, Oracle
from simulation.people import People
from simulation.regions import OTHER_REGION, REGION
from simulation.schedules import Schedules
from simulation.sites import NAME_SERVERS
from simulation.story import POLICIES, AnchoredFault, AnchoredSpell, Story
from simulation.verdicts import Decisions, Verdicts
from simulation.world import STARTED, World

Entered = TypeVar("Entered", bound=World)
_DUMPER: Final = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_GARBAGE: Final = (50_000, 20, 100)
"""A life leaves little before its end: it is looked for less often than by default."""
SHORTENING_LIVES: Final = 24
"""How many lives are tried at most to make a story shorter."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a life."""

    story: Story
    digest: str
    """Of its trace: the same for the same story."""
    executions: int
    faults: int
    """How many calls something went wrong with."""
    calls: int
    longest_s: float
    """The longest time from where the active site looked lost to where people were told or something started, while
    ledger, bus and SNS answered."""
    decisions: Decisions
    endings: tuple[str, ...]
    """Of each execution by its record in the ledger; of one that claimed nothing, by Step Functions' word."""
    active: str
    """The active site at the end."""
    broken: tuple[Broken, ...]
    told: tuple[str, ...]
    """The life as a story, line by line."""


class Simulation:
    """The patched process, with the product in it. There is one in a process."""

    def __init__(self) -> None:
        process.install()
        world.install()
        expressions.install()
        self._handlers: dict[str, Handler] = load_handlers()
        process.use_virtual_datetime()
        gc.freeze()
        gc.set_threshold(*_GARBAGE)
        self._deployed: Deployment = deployment()
        self._plan: Any = yaml.safe_load((ROOT / "plans" / "orders.yaml").read_text(encoding="utf-8"))

    def world(
        self, seed: str, plan: Mapping[str, Any], clocks_ahead: Mapping[str, float] = MappingProxyType({REGION: 0.0})
    ) -> World:
        """A world in which nothing happened yet. `plan`: what its plan says beside the example's; `clocks_ahead`: of
        each controller, by its region."""
        document = self._plan | plan | {"policy": self._plan["policy"] | plan.get("policy", {})}
        document["dns"] = plan.get("dns", self._plan["dns"] | {"nameservers": NAME_SERVERS})
        text = yaml.dump(document, Dumper=_DUMPER, sort_keys=False)
        life = World(seed, self._deployed, self._handlers, text, clocks_ahead=clocks_ahead)
        world.enter(life)
        return life

    def enter(self, make: Callable[[Deployment, Mapping[str, Handler], str], Entered]) -> Entered:
        """A world of another make, of which nothing happened yet: it is given the deployment, the handlers and the text
        of the example's plan."""
        text = yaml.dump(self._plan, Dumper=_DUMPER, sort_keys=False)
        life = make(self._deployed, self._handlers, text)
        world.enter(life)
        return life

    def live(self, story: Story) -> Outcome:
        """Live it through."""
        second = {} if story.clock_ahead_elsewhere is None else {OTHER_REGION: story.clock_ahead_elsewhere}
        life = self.world(story.seed, _plan_of(story), {REGION: 0.0} | second)
        life.starts_elsewhere_first = story.starts_elsewhere_first and bool(second)
        life.sites.lag_known = story.lag_known
        life.sites.sites["west"].fleet.route_to(story.standby_leads_to)
        add_fleets(life, story.fleets)
        if story.client_name in DESCRIBED:
            hold(life, story.client_name)
        for line in story.lines():
            life.trace.tell(life.now, line)
        observers = Observers(life, story)
        if story.hooks != "none":
            life.account.operations |= hooks.Hooks(story.hooks, life.hook_called).operations()
        people = People(life, story, observers.lose)
        oracle = Oracle(life, story, observers, people)
        for fault in story.faults:
            _at(life, fault.function, fault.invocation, _fault(life, fault))
        for spell in story.spells:
            _at(life, spell.function, spell.invocation, _spell(life, spell))
        verdicts = Verdicts(life, story, observers)
        for actor in (observers, people, oracle, verdicts, Schedules(life)):
            actor.begin()
        life.scheduler.run(STARTED + story.seconds)
        oracle.conclude()
        outcome = Outcome(
            story=story,
            digest=life.trace.digest,
            executions=len(life.executions),
            faults=life.calls.hits,
            calls=life.calls.count,
            longest_s=oracle.longest_s,
            decisions=verdicts.conclude(),
            endings=tuple(_ending(life, execution) for execution in life.executions),
            active=str(life.kept("state").get("active", "east")),
            broken=tuple(oracle.broken),
            told=tuple(life.trace.story),
        )
        life.scheduler.close()
        gc.collect(0)
        return outcome

    def shortest(self, story: Story, promise: int) -> Outcome:
        """The same promise broken by less: what can be left out is left out."""
        outcome, shortening, lives = self.live(story), True, 0
        while shortening and lives < SHORTENING_LIVES:
            shortening = False
            for shorter in outcome.story.shorter():
                lives += 1
                tried = self.live(shorter)
                if any(each.promise == promise for each in tried.broken):
                    outcome, shortening = tried, True
                    break
        return outcome


def _plan_of(story: Story) -> dict[str, Any]:
    policy = {
        "mode": story.mode,
        **asdict(POLICIES[story.policy]),
        "on_approval_timeout": story.on_approval_timeout,
        "approval_timeout_seconds": 300,
        "maintenance": [] if story.maintenance is None else [_window(story.maintenance)],
    }
    name = held_by(story.client_name) if story.client_name in DESCRIBED else {}
    more: dict[str, Any] = {"hooks": hooks.described(story.hooks)} if story.hooks != "none" else {}
    if story.controller_lost_with_site:
        more["vantage_points"] = points_of(story)
    if story.rescues:
        more["rescue"] = RESCUE
    return {"policy": policy} | sites_with(story.fleets) | name | more


def _window(seconds: tuple[float, float]) -> dict[str, str]:
    begins, ends = (datetime.fromtimestamp(STARTED + each, UTC).isoformat() for each in seconds)
    return {"begins": begins, "ends": ends}


def _ending(life: World, execution: Execution) -> str:
    redriven = f" after {execution.redrives} redrive{'s' * (execution.redrives > 1)}" if execution.redrives else ""
    return str(life.kept(f"execution#{execution.name}").get("status", execution.status.lower())) + redriven


def _at(life: World, function: str, invocation: int, action: Callable[[], None]) -> None:
    before = life.functions.at_invocation.get((function, invocation))

    def both() -> None:
        if before is not None:
            before()
        action()

    life.functions.at_invocation[function, invocation] = both


def _fault(life: World, fault: AnchoredFault) -> Callable[[], None]:
    def arm() -> None:
        number = life.calls.by_function[fault.function] + fault.call
        life.calls.faults.append(Fault(function=fault.function, call=number, trouble=fault.trouble))

    return arm


def _spell(life: World, spell: AnchoredSpell) -> Callable[[], None]:
    return lambda: life.spell(spell.service, spell.seconds, spell.trouble)
