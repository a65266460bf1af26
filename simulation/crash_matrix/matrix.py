"""Every call of every function in every scenario, with every fault: what is tried, and what becomes of it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from simulation.calls import Fault, Made, Trouble
from simulation.crash_matrix.ends import WITHHELD, End
from simulation.crash_matrix.scenario import Scenario
from simulation.life import Simulation
from simulation.world import STARTED, World

FAULTS: Final[dict[str, tuple[Trouble, float]]] = {
    "killed before": ("killed before", 0.0),
    "killed after": ("killed after", 0.0),
    "connection error": ("unreached", 0.0),
    "timeout after its effect": ("unanswered", 0.0),
    "throttled for a minute": ("throttled", 60.0),
}
"""By name: what goes wrong with the call, and for how many seconds with every other call to the same service."""
NEVER_THROTTLED: Final = ("dns", "kafka", "tcp")
"""Services that do not answer that they are asked too much."""
LOOKED_AT_EVERY_S: Final = 10.0


@dataclass(frozen=True, kw_only=True)
class Case:
    """One fault in one scenario."""

    scenario: Scenario
    call: Made
    """As it was made without the fault."""
    fault: str

    def __str__(self) -> str:
        call = f"call {self.call.number} of {self.call.function}, {self.call.service} {self.call.operation}"
        return f"{self.scenario.name}: {call}, {self.fault}"


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What became of a case."""

    case: Case
    hit: bool
    """Whether there was such a call."""
    differences: tuple[str, ...]
    """How it ended otherwise than without the fault."""
    gave_up: bool
    """Whether it was given up, where its scenario says that this is right."""
    told_meanwhile: bool
    """Whether people were told that nothing is done, while a service did not answer for long."""
    stopped: tuple[str, ...]
    """The executions that did not end well, and the calls that nobody makes again."""

    def __str__(self) -> str:
        return f"{self.case}: {'; '.join(self.differences) or ('given up' if self.gave_up else 'as without')}"


@dataclass(frozen=True)
class Lived:
    """A world that has come to its end, and that end."""

    world: World
    end: End


class Matrix:
    """All cases of some scenarios."""

    def __init__(self, simulation: Simulation, scenarios: Sequence[Scenario]) -> None:
        self._simulation = simulation
        self._without = {scenario.name: self._live(scenario) for scenario in scenarios}
        self._scenarios = scenarios

    def cases(self) -> Iterator[Case]:
        """Each call that is made without a fault, with each fault."""
        for scenario in self._scenarios:
            for made in self._without[scenario.name].world.calls.made:
                begin, end = scenario.faults
                is_tried = made.function in scenario.functions and made.service not in scenario.spared
                if not is_tried or not begin <= made.at - STARTED <= end:
                    continue
                for fault, (trouble, _) in FAULTS.items():
                    if trouble != "throttled" or made.service not in NEVER_THROTTLED:
                        yield Case(scenario=scenario, call=made, fault=fault)

    def sample(self, one_in: int) -> list[Case]:
        """One of so many cases, drawn from each function and fault in turn, and one at least of a function; always the
        same ones."""
        cases = sorted(self.cases(), key=_order)
        first = random.Random(one_in).randrange(one_in)
        sampled = cases[first::one_in]
        drawn = {case.call.function for case in sampled}
        of_the_rest = {case.call.function: case for case in cases if case.call.function not in drawn}
        return [*sampled, *of_the_rest.values()]

    def attempt(self, case: Case) -> Tried:
        """Live through a case."""
        without, lived = self._without[case.scenario.name], self._live(case.scenario, case)
        life, given_up = lived.world, case.scenario.given_up
        gave_up = (
            given_up is not None
            and case.call.function in given_up.functions
            and not _differences(given_up.end, lived.end)
        )
        withheld = without.end.get(WITHHELD, 0)
        is_long = FAULTS[case.fault][1] > 0
        expected = without.end | ({WITHHELD: lived.end[WITHHELD]} if is_long and WITHHELD in lived.end else {})
        return Tried(
            case=case,
            hit=life.calls.hits > 0,
            differences=() if gave_up else _differences(expected, lived.end),
            gave_up=gave_up,
            told_meanwhile=lived.end.get(WITHHELD, 0) > withheld,
            stopped=(
                *(f"{each.name} {each.status} {each.error}" for each in life.executions if each.status == "FAILED"),
                *(f"{name} is a dead letter" for _, name in life.functions.dead_letters),
            ),
        )

    def _live(self, scenario: Scenario, case: Case | None = None) -> Lived:
        life = self._simulation.world("crash matrix", scenario.plan)
        life.sites.hasten()
        promotions: list[str] = []
        life.on_change.append(lambda _, __, what: promotions.append(what) if "mirrors:failover" in what else None)
        if case is not None:
            trouble, seconds = FAULTS[case.fault]
            fault = Fault(function=case.call.function, call=case.call.number, trouble=trouble, seconds=seconds)
            life.calls.faults.append(fault)
        scenario.begin(life)
        while life.now < STARTED + scenario.seconds and not _settled(life, scenario.settles):
            life.scheduler.run(life.now + LOOKED_AT_EVERY_S)
        life.scheduler.close()
        counted = {"promotions": len(promotions)} if scenario.promotes_once else {}
        return Lived(life, scenario.end(life) | counted)


def _settled(life: World, seconds: float) -> bool:
    ends = [run.stopped for run in life.executions if run.stopped is not None]
    return bool(ends) and len(ends) == len(life.executions) and max(ends) + seconds < life.now


def _order(case: Case) -> tuple[str, str, str, int]:
    return case.scenario.name, case.call.function, case.fault, case.call.number


def _differences(expected: End, end: End) -> tuple[str, ...]:
    return tuple(f"{name}: {end[name]}, not {expected[name]}" for name in expected if end[name] != expected[name])
