"""Where controllers are, and what differs from one to the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from simulation.scheduler import Event, Scheduler

REGION: Final = "us-west-2"
"""Of the controller that every life has."""
OTHER_REGION: Final = "us-east-2"
"""Of the one beside it, if there is one."""


class LostRegions:
    """The regions that are lost now, with the controllers in them."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._clock = scheduler
        self._returns: dict[str, Event] = {}

    def __contains__(self, region: str) -> bool:
        return region in self._returns

    def lose(self, region: str) -> None:
        """From now on nothing in it does anything, or is reached."""
        self._returns.setdefault(region, Event(self._clock))

    def bring_back(self, region: str) -> None:
        """What waited for it goes on."""
        self._returns.pop(region).set()

    def await_return(self, region: str) -> None:
        """Wait as long as it is lost."""
        while region in self._returns:
            self._clock.wait((self._returns[region],))


def environments_in(
    region: str, environments: Mapping[str, dict[str, str]], regions: tuple[str, ...]
) -> dict[str, dict[str, str]]:
    """The functions' environments as the stack of a region has them, where there are controllers in all `regions`."""
    return {
        name: {key: value.replace(REGION, region) for key, value in variables.items()}
        | {"CONTROLLER_REGIONS": ",".join(regions)}
        for name, variables in environments.items()
    }


def at_home(arn: str) -> str:
    """The ARN of the same state machine in `REGION`."""
    return arn.replace(f":{OTHER_REGION}:", f":{REGION}:")
