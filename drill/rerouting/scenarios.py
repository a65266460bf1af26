"""The stories, played. Each is told on the scene that the one before it left, so that a world serves several."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from drill.decision.scenario_world import Scene
from drill.fixture_plan import HOME, STANDBY
from drill.fleets import FleetKind
from drill.fleets.cfk import CfkFleets
from drill.ledger_reader import ControllerAccount, Step
from drill.rerouting.connections import OpenConnections, led_to
from drill.rerouting.expected_outcomes import Ending
from drill.world import SITES, Settings, World

CLIENTS: Final = 6
POLICY: Final = {"hold_seconds": 1}
RELOAD_WITHIN_S: Final = 5
BRISK: Final = {"lag_s": 0.3, "canary_s": 0.3, "drain_s": 4.0}
"""How long the operator and a gateway's drain take, in seconds; longer is slower, and ends no other way."""


class Play:
    """One world, on which the stories of a stage are played."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.scene = Scene(world)
        self._account = ControllerAccount(world.aws("dynamodb"), world.ledger_table)
        self._before: dict[str, set[str]] = {}
        self._clusters = {site: str(world.cluster(site)["cluster_id"]) for site in SITES}
        self._connections: OpenConnections | None = None
        self._clients: list[str] = []

    def begins(self) -> None:
        """A new story."""
        self.scene.begins()
        self._connections, self._clients = None, []
        self._before = {site: set(self.world.fleets.instances(site)) for site in SITES}

    def hold(self, stack: ExitStack) -> OpenConnections:
        """Have clients hold connections until the story has ended."""
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
        """How the story ended."""
        end = self.scene.ending()
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


Story = Callable[[Play, ExitStack], None]


def _zone_lost(play: Play, _: ExitStack) -> None:
    play.world.fleets.lose_zone(HOME)
    play.try_now()
    _both_look_twice(play.scene)
    count = play.world.settings.instances
    play.scene.until(lambda: len(play.world.fleets.instances(HOME)) == count, "the instances in the other zones")
    play.scene.look()


def _stale_connections(play: Play, stack: ExitStack) -> None:
    connections = play.hold(stack)
    play.world.hang_cluster(HOME)
    connections.ask()
    _fails_over(play.scene)


def _cluster_lost(play: Play, _: ExitStack) -> None:
    play.world.lose_cluster(HOME)
    _fails_over(play.scene)


def _one_never_reloads(play: Play, _: ExitStack) -> None:
    fleets = play.kubernetes()
    fleets.trouble(STANDBY, "stuck", fleets.instances(STANDBY)[:1])
    play.world.lose_cluster(HOME)
    _fails_over(play.scene)


def _region_lost(play: Play, _: ExitStack) -> None:
    play.world.lose(HOME)
    _fails_over(play.scene)


def _fails_over(scene: Scene) -> None:
    _both_look_twice(scene)
    scene.ended()


def _both_look_twice(scene: Scene) -> None:
    """A sight must have stood for a while to be a vote."""
    scene.look()
    time.sleep(POLICY["hold_seconds"])
    scene.look()


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A world, and the stories that are played on it, by the names of their rows."""

    fleet: FleetKind
    stories: Mapping[str, Story]
    instances: int = 2
    fleet_fields: Mapping[str, Any] = field(default_factory=dict)
    kubernetes: Mapping[str, Any] = field(default_factory=dict)


CONNECTED: Final[Mapping[str, Story]] = {"zone-lost": _zone_lost, "stale-connections": _stale_connections}
IMPATIENT: Final = {"reload_within_seconds": RELOAD_WITHIN_S}
STAGES: Final = {
    "ecs": Stage(fleet="ecs", stories=CONNECTED, instances=3),
    "ecs, out of reach": Stage(fleet="ecs", stories={"fleet-api-gone": _region_lost}),
    "ecs-blue-green": Stage(fleet="ecs-blue-green", stories={"stale-connections": _stale_connections}, instances=1),
    "cfk": Stage(fleet="cfk", stories=CONNECTED, instances=3),
    "cfk, out of reach": Stage(fleet="cfk", stories={"fleet-api-gone": _region_lost}),
    "cfk, one stuck": Stage(fleet="cfk", stories={"one-never-reloads": _one_never_reloads}, fleet_fields=IMPATIENT),
    "cfk, unlicensed": Stage(
        fleet="cfk", stories={"unlicensed": _cluster_lost}, fleet_fields=IMPATIENT, kubernetes={"licence": "trial"}
    ),
}


def play(stage: Stage, directory: Path) -> Iterator[tuple[str, Ending]]:
    """Play the stories of a stage, and see how each ends.

    Raises:
        SceneStuck: if one does not get to its end.
        WorldNotUp, ChildFailed
    """
    settings = Settings(
        directory=directory,
        instances=stage.instances,
        fleet=stage.fleet,
        watch=False,
        policy=dict(POLICY),
        fleet_fields=dict(stage.fleet_fields),
        kubernetes={**BRISK, **stage.kubernetes},
    )
    with World(settings) as world:
        played = Play(world)
        for name, story in stage.stories.items():
            with ExitStack() as stack:
                played.begins()
                story(played, stack)
                yield name, played.ending()
