"""How far a change has come on the pods of a Deployment, whichever operator owns it. No I/O."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from failover.fleets import Instance
from failover.fleets.kubernetes import Object
from failover.fleets.pods import carries_clients, is_ready, rolled_out, short_of

REFUSAL_VALID_S: Final = 90
"""How long an operator's refusal is its answer. An execution ends with it at once; whoever comes that much later, a
redrive or the next execution, may find its cause mended, and asks anew."""


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """What an operator does not take."""

    words: str
    stood_s: float

    @property
    def is_answer(self) -> bool:
        """Whether it is the answer to a change of now, and none of an earlier execution."""
        return self.stood_s < REFUSAL_VALID_S

    @property
    def retry_because(self) -> str:
        """Why the fleet won't settle by itself."""
        return f"the operator refused it {self.stood_s:.0f} s ago: {self.words}: to be asked again"


@dataclass(frozen=True, kw_only=True)
class Rollout(ABC):
    """One look at the pods of a fleet and at what they should be."""

    deployment: Object | None
    pods: tuple[Object, ...]
    now: float
    """Seconds since 1970."""

    @property
    @abstractmethod
    def accepted(self) -> bool:
        """Whether the operator has taken the present spec."""

    @property
    @abstractmethod
    def scaled_to_zero(self) -> bool:
        """Whether it shall have no instance."""

    @property
    @abstractmethod
    def instances(self) -> tuple[Instance, ...]:
        """The pods that clients may be connected to, and what is proven of each."""

    @cached_property
    def carrying(self) -> tuple[Object, ...]:
        """The pods that clients may be connected to."""
        return tuple(pod for pod in self.pods if carries_clients(pod, self.now))

    @property
    def settled(self) -> bool:
        """Whether every instance is proven, and nothing is on its way any more."""
        if self.scaled_to_zero:
            return not self.pods
        return self._proven and self.deployment is not None and rolled_out(self.deployment)

    @property
    def missing(self) -> int:
        """How many instances there are too few of, if that is all."""
        return short_of(self.deployment) if self._proven and self.deployment is not None else 0

    @property
    def _proven(self) -> bool:
        """Whether there is an instance, and every one is proven."""
        return (
            self.accepted and any(map(is_ready, self.carrying)) and all(instance.proof for instance in self.instances)
        )
