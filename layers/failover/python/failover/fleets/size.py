"""How many instances a fleet needs that clients come to, by what those had that they come from. No I/O.

It is as many, and as few zones may not cost it more than they would have cost those: what the lost site could bear to
lose, an instance or a zone, its successor bears, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from math import ceil

from failover.fleets import FleetState, Instance


@dataclass(frozen=True, kw_only=True)
class Size:
    """How large a fleet is that is well."""

    instances: int
    """That its control plane is asked for."""
    zones: int
    """In which they run; 0: nothing tells."""


def size_of(state: FleetState) -> Size | None:
    """How large a fleet is; None where nothing tells."""
    if not state.size:
        return None
    zones = {instance.zone for instance in state.instances}
    return Size(instances=state.size, zones=0 if None in zones else len(zones))


def needed_by(fleet: str, zones: int, joining: Set[str], leaving: Mapping[str, Size]) -> int | None:
    """How many instances a fleet needs in so many zones: what the one of its name had, else its part of what others had
    that have no namesake. None: it is not known of any. `joining`: the fleets, itself among them, that take over from
    `leaving`."""
    if fleet in leaving:
        return _needed([leaving[fleet]], zones)
    others = [size for name, size in leaving.items() if name not in joining]
    return ceil(_needed(others, zones) / len(joining - leaving.keys())) if others else None


def zones_of(instances: Sequence[Instance], otherwise: int) -> int:
    """In how many zones a fleet runs that has these instances. Where each is in a zone of its own there may be more of
    those: as many as `otherwise`."""
    zones = {instance.zone for instance in instances}
    if None in zones:
        return otherwise
    return len(zones) if len(zones) < len(instances) else max(len(zones), otherwise)


def _needed(sizes: Sequence[Size], zones: int) -> int:
    needed = sum(size.instances for size in sizes)
    remaining = sum(_without_a_zone(size.instances, size.zones) for size in sizes)
    if zones < 2:
        return needed
    # Half of twice as many remain, however few the zones are.
    return next(count for count in range(needed, 2 * needed + 2) if _without_a_zone(count, zones) >= remaining)


def _without_a_zone(instances: int, zones: int) -> int:
    """How many are left once the fullest zone is lost; they are spread evenly."""
    return instances - ceil(instances / max(1, zones))
