"""The table: every scenario of the fleets, and how it must end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from drill.fleets import FleetKind


@dataclass(frozen=True, kw_only=True)
class Ending:
    """What there is to see once a scenario is over.

    `executions`: the outcome of each that was started in it; `active`: the site that is active by the ledger, and that
    the client hostname leads to; `fleets`: by site, whether the controller has rerouted its fleet, by which tier, and
    how many of the instances of before are left; `clients`: what became of connections, old and new.
    """

    executions: tuple[str, ...]
    active: str
    fleets: str
    clients: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """One scenario with one kind of fleet: its name, what happens in it, and its ending."""

    scenario: str
    fleet: FleetKind
    happens: str
    ending: Ending


NOTHING: Final = ()
DONE: Final = ("succeeded",)
ZONE: Final = "one of east's three availability zones is lost"
STALE: Final = "east's cluster hangs; its gateways hold clients' connections with requests that nobody answers"
REGION: Final = "the whole of east is lost, the API of its fleet with it"
TO_WEST: Final = "6 of 6 new ones led to west"
WITHOUT_FAILOVER: Final = Ending(
    executions=NOTHING,
    active="east",
    fleets="east: as it was, 2 of 3 instances of before; west: as it was, 3 of 3 instances of before",
    clients="6 of 6 new ones led to east",
)
REPLACED: Final = "west: to west by replace, 0 of {0} instances of before"
RELOADED: Final = "west: to west by hot reload, {0} of {0} instances of before"
TABLE: Final = (
    Row(scenario="zone-lost", fleet="ecs", happens=ZONE, ending=WITHOUT_FAILOVER),
    Row(scenario="zone-lost", fleet="cfk", happens=ZONE, ending=WITHOUT_FAILOVER),
    Row(
        scenario="stale-connections",
        fleet="ecs",
        happens=STALE,
        ending=Ending(
            executions=DONE,
            active="west",
            fleets=f"east: to west by replace, 0 of 3 instances of before; {REPLACED.format(3)}",
            clients=f"6 of 6 stale connections ended, {TO_WEST}",
        ),
    ),
    Row(
        scenario="stale-connections",
        fleet="ecs-blue-green",
        happens=STALE,
        ending=Ending(
            executions=DONE,
            active="west",
            fleets="east: to west by blue/green, 1 of 2 instances of before;"
            " west: to west by blue/green, 1 of 2 instances of before",
            clients=f"6 of 6 stale connections ended, {TO_WEST}",
        ),
    ),
    Row(
        scenario="stale-connections",
        fleet="cfk",
        happens=STALE,
        ending=Ending(
            executions=DONE,
            active="west",
            fleets=f"east: to west by hot reload, 3 of 3 instances of before; {RELOADED.format(3)}",
            clients=f"6 of 6 stale connections ended, {TO_WEST}",
        ),
    ),
    Row(
        scenario="fleet-api-gone",
        fleet="ecs",
        happens=REGION,
        ending=Ending(
            executions=DONE, active="west", fleets=f"east: out of reach; {REPLACED.format(2)}", clients=TO_WEST
        ),
    ),
    Row(
        scenario="fleet-api-gone",
        fleet="cfk",
        happens=REGION,
        ending=Ending(
            executions=DONE, active="west", fleets=f"east: out of reach; {RELOADED.format(2)}", clients=TO_WEST
        ),
    ),
    Row(
        scenario="one-never-reloads",
        fleet="cfk",
        happens="east's cluster is lost; one of west's two pods never sees its new configuration, and is replaced",
        ending=Ending(
            executions=DONE,
            active="west",
            fleets="east: to west by hot reload, 2 of 2 instances of before;"
            " west: to west by hot reload, 1 of 2 instances of before",
            clients=TO_WEST,
        ),
    ),
    Row(
        scenario="unlicensed",
        fleet="cfk",
        happens="east's cluster is lost; the operator reports success, but no pod's licence allows a hot reload",
        ending=Ending(
            executions=DONE,
            active="west",
            fleets="east: to west by hot reload, 0 of 2 instances of before;"
            " west: to west by hot reload, 0 of 2 instances of before",
            clients=TO_WEST,
        ),
    ),
)


def as_markdown(rows: Iterable[Row] = TABLE) -> str:
    """The table as the documentation shows it."""
    lines = [
        "| scenario | fleet | what happens | executions | active site, name | fleets | clients |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        end = row.ending
        started = ", ".join(end.executions) or "none"
        cells = (f"`{row.scenario}`", row.fleet, row.happens, started, end.active, end.fleets, end.clients)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
