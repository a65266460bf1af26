"""What the state machines of a second controller call: its own functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from simulation.functions import Functions
from simulation.machine.execution import Token
from simulation.scheduler import Scheduler


@dataclass(frozen=True, kw_only=True)
class ControllerElsewhere:
    """The surroundings of an execution in another region."""

    region: str
    functions: Functions
    scheduler: Scheduler
    tokens: dict[str, Token]
    trace: Callable[..., None]

    def invoke(self, function: str, payload: Any, timeout: float, execution: str) -> Any:
        """Call a function there."""
        return self.functions.invoke(function, payload, timeout, execution, region=self.region)

    def note(self, *what: object) -> None:
        """Add to the trace."""
        self.trace(self.region, *what)
