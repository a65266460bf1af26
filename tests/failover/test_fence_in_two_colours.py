"""When the fence of a fleet in two colours holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from failover.fleets import FleetState
from failover.fleets.blue_green import BlueGreenFleet


def state(target: str, *, settled: bool = False, vacated: bool = False) -> FleetState:
    """A colour that is routed there, or on its way."""
    return FleetState(target=target, settled=settled, vacated=vacated, instances=(), detail="0 of 2")


@dataclass
class Colour:
    """One that is only looked at."""

    now: FleetState

    def look(self) -> FleetState:
        return self.now


@dataclass
class Switch:
    """Which colours have clients, and the instances of the other one that have some still."""

    selected: set[str | None]
    connected: list[str] = field(default_factory=list)
    leads: str = "it leads to"

    def still_connected_to(self, _: str) -> list[str]:
        return self.connected


class Fleet(BlueGreenFleet):
    """One of these."""

    def __init__(self, switch: Switch, east: FleetState, west: FleetState) -> None:
        colours: Any = {"east": Colour(east), "west": Colour(west)}
        super().__init__("a fleet", {"east": "blue", "west": "green"}, colours)
        self.switch = switch

    def _switch(self) -> Any:
        return self.switch


VACATED, SETTLED = state("fenced", vacated=True), state("fenced", settled=True)
FENCING, WEST = state("fenced"), state("west", settled=True)


@pytest.mark.parametrize(
    ("switch", "east", "west", "holds"),
    [
        (Switch({"east"}), VACATED, WEST, True),
        (Switch({"east"}), SETTLED, WEST, True),
        (Switch({"east"}), FENCING, WEST, False),
        (Switch({"east"}, connected=["green-1"]), VACATED, WEST, False),
        (Switch({"east"}, connected=["green-1"]), SETTLED, WEST, False),
        (Switch({"east", "west"}), VACATED, SETTLED, True),
        (Switch({"east", "west"}), VACATED, FENCING, False),
        (Switch({"east", "west"}), VACATED, WEST, False),
        (Switch({"east", None}), VACATED, WEST, False),
    ],
)
def test_a_fence_holds_where_every_colour_that_may_have_clients_is_fenced_and_has_no_instance_of_before(
    switch: Switch, east: FleetState, west: FleetState, holds: bool
) -> None:
    assert Fleet(switch, east, west).look().fence_holds is holds
