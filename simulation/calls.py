"""Every call that leaves a function: how long it takes, and what goes wrong with it.

What was sent is carried out by itself, also if the caller is dead by then. A fault hits the n-th call of a function,
before or after its effect; a spell hits every call of a service for a while.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, TypeVar

from simulation.scheduler import Event, Process, Scheduler

Trouble = Literal["throttled", "unreached", "unanswered", "killed before", "killed after"]
TROUBLES: Final[tuple[Trouble, ...]] = ("throttled", "unreached", "unanswered", "killed before", "killed after")
Result = TypeVar("Result")
_CONNECT_S: Final = 2.0
_READ_S: Final = 3.0
_LATENCY_S: Final = (0.002, 0.03)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong with one call."""

    function: str
    call: int
    """Which of the function's calls in this life, from 1."""
    trouble: Trouble
    seconds: float = 0.0
    """For which every call to the same service is in the same trouble."""


class Made(NamedTuple):
    """A call that was made."""

    at: float
    """Seconds since 1970."""
    function: str
    number: int
    """Which of the function's calls, from 1."""
    service: str
    operation: str


@dataclass(frozen=True, kw_only=True)
class Spell:
    """What goes wrong with every call of a service for a while; seconds since 1970."""

    service: str
    begins: float
    ends: float
    trouble: Trouble


@dataclass(frozen=True)
class Door:
    """How a way out of a function tells of trouble: the exceptions that its library raises."""

    throttled: Callable[[], Exception]
    unreached: Callable[[], Exception]
    unanswered: Callable[[], Exception]


class Calls:
    """The calls of one life. `note`: of the trace; `tell`: of the story."""

    def __init__(self, scheduler: Scheduler, note: Callable[..., None], tell: Callable[[str], None]) -> None:
        self._clock = scheduler
        self._note = note
        self._tell = tell
        self.count = 0
        self.by_function: Counter[str] = Counter()
        self.made: list[Made] = []
        self.faults: list[Fault] = []
        self.spells: list[Spell] = []
        self.hits = 0
        """How many calls something went wrong with."""
        self.crashes: dict[Process, Event] = {}
        """What happens when a container dies."""

    def make(self, service: str, operation: str, effect: Callable[[], Result], door: Door) -> Result:
        """Make a call; what its effect answers, or raises."""
        process = self._clock.process
        self.count += 1
        number = self.by_function[process.name] = self.by_function[process.name] + 1
        self.made.append(
            Made(at=self._clock.now, function=process.name, number=number, service=service, operation=operation)
        )
        trouble = self._trouble(service, process.name)
        self._note(process.name, service, operation, trouble or "")
        if trouble is not None:
            self.hits += 1
        match trouble:
            case "throttled":
                self._clock.sleep(self._latency())
                raise door.throttled()
            case "unreached":
                self._clock.sleep(_CONNECT_S)
                raise door.unreached()
            case "killed before":
                self._die(process)
        result: Any = None
        refusal: Exception | None = None

        def land() -> None:
            nonlocal result, refusal
            try:
                result = effect()
            except Exception as error:  # whatever the service answers instead
                refusal = error

        self._there_and_back(land, door, answered=trouble != "unanswered")
        if trouble == "killed after":
            self._die(process)
        if refusal is not None:
            raise refusal
        return result  # type: ignore[no-any-return]

    def _there_and_back(self, land: Callable[[], None], door: Door, *, answered: bool) -> None:
        """Let what was sent land on its way, and its answer come back; raises where none does."""
        clock, way, way_back = self._clock, self._latency(), self._latency()
        if not answered:
            clock.call_later(way, land)
            clock.sleep(_READ_S)
            raise door.unanswered()
        if clock.advance(way):
            clock.outside(land)
            clock.sleep(way_back)
        else:
            clock.call_later(way, land)
            clock.sleep(way + way_back)

    def _latency(self) -> float:
        return self._clock.random.uniform(*_LATENCY_S)

    def _trouble(self, service: str, function: str) -> Trouble | None:
        if not self.faults and not self.spells:
            return None
        number = self.by_function[function]
        for fault in self.faults:
            if (fault.function, fault.call) == (function, number):
                self._tell(f"call {number} of {function}, to {service}, is {fault.trouble}")
                ends = self._clock.now + fault.seconds
                if fault.seconds:
                    spell = Spell(service=service, begins=self._clock.now, ends=ends, trouble=fault.trouble)
                    self.spells.append(spell)
                return fault.trouble
        for spell in self.spells:
            if spell.service == service and spell.begins <= self._clock.now < spell.ends:
                return spell.trouble
        return None

    def _die(self, process: Process) -> None:
        process.kill()
        if (crash := self.crashes.get(process)) is not None:
            crash.set()
        self._clock.wait(())
