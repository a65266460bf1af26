"""A gateway fleet in two colours: one routed to each site for good, both warm, and a switch that leads clients to one.

Turning the switch moves new connections only; those that are there stay where they are until their instance is gone. So
the previous colour is scaled to zero once the other one has taken over, and only then the fleet is settled.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Final, Protocol

from failover.errors import FleetRejected
from failover.fleets import Fleet, FleetState
from failover.plan.model import FENCED

TIER: Final = "blue/green"


class Colour(Fleet, Protocol):
    """The half of the fleet that is routed to one site."""

    def scale_to_zero(self) -> None:
        """End every connection to it; a route brings its instances back."""


class Switch(Protocol):
    """What leads clients to a colour, as it was when it was read."""

    @property
    def leads(self) -> str:
        """Its part of a sentence: `its selector leads to`."""

    @property
    def selected(self) -> set[str | None]:
        """The sites whose colours it leads to, with None for whatever the plan does not name."""

    def turn_to(self, site: str) -> None:
        """Lead new connections to the colour of a site, if it still is as it was read."""

    def still_connected_to(self, site: str) -> list[str]:
        """The instances of a site's colour that had clients when they were led away, and may have them still."""


class BlueGreenFleet(ABC):
    """A `Fleet` that is two others and a switch."""

    def __init__(self, where: str, names: Mapping[str, str], colours: Mapping[str, Colour]) -> None:
        """`where` names the fleet in messages; `names` and `colours` are by site."""
        self._where, self._names, self._colours = where, names, colours

    @abstractmethod
    def _switch(self) -> Switch:
        """The switch as it is now."""

    def look(self) -> FleetState:
        """Which colour the switch leads to, what that one is, and whether instances of the other still have clients."""
        switch = self._switch()
        selected = _only(switch)
        if selected is None:
            return self._undecided(switch)
        state = self._colours[selected].look()
        target = state.target if state.target in (selected, FENCED) else None
        previous = switch.still_connected_to(self._other(selected))
        stalled_because = state.stalled_because
        if previous and target == selected:
            stalled_because = (
                f"{', '.join(previous)} of the previous colour still carry connections: to be scaled to zero"
            )
        detail = f"{switch.leads} {self._names[selected]}: {state.detail}"
        return FleetState(
            target=target,
            settled=state.settled and not previous,
            instances=state.instances,
            detail="; ".join([detail, *([stalled_because] if stalled_because else [])]),
            tier=TIER,
            fence_kind=state.fence_kind,
            vacated=state.vacated and not previous,
            stalled_because=stalled_because,
            refused_because=state.refused_because,
            look_again_s=state.look_again_s,
            missing=0 if previous else state.missing,
            size=state.size,
        )

    def route(self, target: str) -> None:
        """The next thing to do: warm up the target's colour, turn the switch, or empty the previous colour."""
        switch = self._switch()
        if target == FENCED:
            self._fence(switch)
            return
        if target not in self._colours:
            raise FleetRejected(f"{self._where} has nothing for {target!r} in the plan")
        colour = self._colours[target]
        state = colour.look()
        if not state.routed_to(target):
            colour.route(target)
        elif not state.accepts_clients:
            return
        elif switch.selected != {target}:
            switch.turn_to(target)
        else:
            self._colours[self._other(target)].scale_to_zero()

    def size(self) -> int | None:
        """That of the colour that has all clients."""
        selected = _only(self._switch())
        return None if selected is None else self._colours[selected].size()

    def raise_to(self, instances: int) -> None:
        """Raise the colour that has all clients.

        Raises:
            FleetRejected: there is none.
        """
        selected = _only(switch := self._switch())
        if selected is None:
            raise FleetRejected(f"{self._where} can't be raised: {_leads(switch)}")
        self._colours[selected].raise_to(instances)

    def _undecided(self, switch: Switch) -> FleetState:
        """What it is while the switch leads to more than one colour, or elsewhere: fenced, if all of that is."""
        states = [self._colours[site].look() for site in switch.selected if site is not None]
        fenced = None not in switch.selected and bool(states) and all(state.target == FENCED for state in states)
        return FleetState(
            target=FENCED if fenced else None,
            settled=fenced and all(state.settled for state in states),
            instances=(),
            detail=_leads(switch),
            tier=TIER,
            fence_kind=states[0].fence_kind if fenced else None,
            vacated=fenced and all(state.fence_holds for state in states),
        )

    def _fence(self, switch: Switch) -> None:
        """Fence the colours that have clients.

        Raises:
            FleetRejected: clients are led to what nobody here can fence, too.
        """
        for site in switch.selected - {None}:
            self._colours[str(site)].route(FENCED)
        if not switch.selected or None in switch.selected:
            raise FleetRejected(f"{self._where} can't be fenced: {_leads(switch)}")

    def _other(self, site: str) -> str:
        return next(other for other in self._colours if other != site)


def _only(switch: Switch) -> str | None:
    """The one site whose colour has all clients, if there is one."""
    return next(iter(switch.selected)) if len(switch.selected) == 1 else None


def _leads(switch: Switch) -> str:
    led = " and ".join(sorted(site or "what the plan does not name" for site in switch.selected))
    return f"{switch.leads} {led or 'nothing'}"
