"""The scenarios, run. Each begins where the one before it ended, so that a world serves several."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from drill.decision.scenario_world import ScenarioRun
from drill.fixture_plan import HOME, STANDBY
from drill.fleets import FleetKind
from drill.fleets.cfk import CfkFleets
from drill.ledger_reader import ControllerAccount, Step
from drill.rerouting.connections import OpenConnections, led_to
from drill.rerouting.expected_outcomes import Ending
from drill.world import SITES, World
from drill.world_settings import Settings

CLIENTS: Final = 6
POLICY: Final = {"hold_seconds": 1}
RELOAD_WITHIN_S: Final = 5
BRISK: Final = {"lag_s": 0.3, "canary_s": 0.3, "drain_s": 4.0}
"""How long the operator and a gateway's drain take, in seconds; longer is slower, and ends no other way."""


class ReroutingRun:
    """One world, in which the scenarios of a setup are run."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.scenario_run = ScenarioRun(world)
        self._account = ControllerAccount(world.aws("dynamodb"), world.ledger_table)
        self._before: dict[str, set[str]] = {}
        self._clusters = {site: str(world.cluster(site)["cluster_id"]) for site in SITES}
        self._connections: OpenConnections | None = None
        self._clients: list[str] = []

    def begin(self) -> None:
        """A new scenario."""
        self.scenario_run.begin()
        self._connections, self._clients = None, []
        self._before = {site: set(self.world.fleets.instances(site)) for site in SITES}

    def hold(self, stack: ExitStack) -> OpenConnections:
        """Have clients hold connections until the scenario has ended."""
        self._connections = stack.enter_context(OpenConnections(self.world.client_bootstrap, CLIENTS))
        return self._connections

    def try_now(self) -> None:
        """Have new clients connect."""
        self._clients.append(led_to(self.world.client_bootstrap, self._clusters, CLIENTS))

    def kubernetes(self) -> CfkFleets:
        """The fleets, which are on Kubernetes."""
        if not isinstance(self.world.fleets, CfkFleets):
            raise TypeError("the fleets of this world are not on Kubernetes")
        return self.world.fleets

    def ending(self) -> Ending:
        """How the scenario ended."""
        end = self.scenario_run.ending()
        if self._connections is not None:
            self._clients.append(self._connections.fate())
        if end.executions:
            self.try_now()
        fleets = "; ".join(f"{site}: {self._fleet(site)}" for site in SITES)
        return Ending(executions=end.executions, active=end.active, fleets=fleets, clients=", ".join(self._clients))

    def _fleet(self, site: str) -> str:
        failover = self._account.failover()
        steps = failover.steps if failover else ()
        route = _route_of(next((step for step in steps if step.name == f"switch_routes:gateway-{site}"), None))
        if route == "out of reach":
            return route
        before, now = self._before[site], set(self.world.fleets.instances(site))
        return f"{route}, {len(before & now)} of {len(before)} instances of before"


def _route_of(step: Step | None) -> str:
    if step is None:
        return "as it was"
    if "out_of_reach" in step.observed:
        return "out of reach"
    how = step.observed.get("tier")
    return (
        f"to {step.observed['target']} by {how}" if step.status == "done" else f"not yet at {step.observed['target']}"
    )


Scenario = Callable[[ReroutingRun, ExitStack], None]


def _zone_lost(run: ReroutingRun, _: ExitStack) -> None:
    run.world.fleets.lose_zone(HOME)
    run.try_now()
    _both_look_twice(run.scenario_run)
    count = run.world.settings.instances
    run.scenario_run.until(lambda: len(run.world.fleets.instances(HOME)) == count, "the instances in the other zones")
    run.scenario_run.look()


def _stale_connections(run: ReroutingRun, stack: ExitStack) -> None:
    connections = run.hold(stack)
    run.world.hang_cluster(HOME)
    connections.ask()
    _fails_over(run.scenario_run)


def _cluster_lost(run: ReroutingRun, _: ExitStack) -> None:
    run.world.lose_cluster(HOME)
    _fails_over(run.scenario_run)


def _one_never_reloads(run: ReroutingRun, _: ExitStack) -> None:
    fleets = run.kubernetes()
    fleets.trouble(STANDBY, "stuck", fleets.instances(STANDBY)[:1])
    run.world.lose_cluster(HOME)
    _fails_over(run.scenario_run)


def _region_lost(run: ReroutingRun, _: ExitStack) -> None:
    run.world.lose(HOME)
    _fails_over(run.scenario_run)


def _fails_over(run: ScenarioRun) -> None:
    _both_look_twice(run)
    run.ended()


def _both_look_twice(run: ScenarioRun) -> None:
    """A sight must have stood for a while to be a vote."""
    run.look()
    time.sleep(POLICY["hold_seconds"])
    run.look()


@dataclass(frozen=True, kw_only=True)
class Setup:
    """A world, and the scenarios that are run in it, by the names of their rows."""

    fleet: FleetKind
    scenarios: Mapping[str, Scenario]
    instances: int = 2
    fleet_fields: Mapping[str, Any] = field(default_factory=dict)
    kubernetes: Mapping[str, Any] = field(default_factory=dict)


CONNECTED: Final[Mapping[str, Scenario]] = {"zone-lost": _zone_lost, "stale-connections": _stale_connections}
IMPATIENT: Final = {"reload_within_seconds": RELOAD_WITHIN_S}
SETUPS: Final = {
    "ecs": Setup(fleet="ecs", scenarios=CONNECTED, instances=3),
    "ecs, out of reach": Setup(fleet="ecs", scenarios={"fleet-api-gone": _region_lost}),
    "ecs-blue-green": Setup(fleet="ecs-blue-green", scenarios={"stale-connections": _stale_connections}, instances=1),
    "cfk": Setup(fleet="cfk", scenarios=CONNECTED, instances=3),
    "cfk, out of reach": Setup(fleet="cfk", scenarios={"fleet-api-gone": _region_lost}),
    "cfk, one stuck": Setup(fleet="cfk", scenarios={"one-never-reloads": _one_never_reloads}, fleet_fields=IMPATIENT),
    "cfk, unlicensed": Setup(
        fleet="cfk", scenarios={"unlicensed": _cluster_lost}, fleet_fields=IMPATIENT, kubernetes={"licence": "trial"}
    ),
}


def run_all(setup: Setup, directory: Path) -> Iterator[tuple[str, Ending]]:
    """ReroutingRun the scenarios of a setup, and see how each ends.

    Raises:
        ScenarioStuck: if one does not get to its end.
        WorldNotUp, ChildFailed
    """
    settings = Settings(
        directory=directory,
        instances=setup.instances,
        fleet=setup.fleet,
        watch=False,
        policy=dict(POLICY),
        fleet_fields=dict(setup.fleet_fields),
        kubernetes={**BRISK, **setup.kubernetes},
    )
    with World(settings) as world:
        run = ReroutingRun(world)
        for name, scenario in setup.scenarios.items():
            with ExitStack() as stack:
                run.begin()
                scenario(run, stack)
                yield name, run.ending()
