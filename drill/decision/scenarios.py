"""The stories, played. Each is told on the scene that the one before it left, so that a world serves several."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from drill.client_name import NameKind
from drill.decision.expected_outcomes import Ending
from drill.decision.scenario_world import HERE, THERE, THIRD, Scene
from drill.fixture_plan import HOME, PLAN, STANDBY
from drill.world import Settings, World

HOLD_S: Final = 1
KAFKA_ALARM: Final = f"failover-{PLAN}-{HOME}-kafka"
GATEWAY_ALARM: Final = f"failover-{PLAN}-{HOME}-gateway"
Story = Callable[[Scene], None]


def _false_alarm(scene: Scene) -> None:
    scene.look()
    scene.just_evaluated()
    for alarm in (KAFKA_ALARM, GATEWAY_ALARM):
        scene.alarm(alarm, "ALARM")
    time.sleep(HOLD_S)
    scene.look()


def _flapping_alarm(scene: Scene) -> None:
    scene.alarm(GATEWAY_ALARM, "OK")
    scene.just_evaluated()
    for _ in range(3):
        scene.alarm(KAFKA_ALARM, "OK")
        scene.alarm(KAFKA_ALARM, "ALARM")
    scene.world.freeze(HOME)
    scene.look()
    scene.world.thaw(HOME)
    scene.look()
    scene.alarm(KAFKA_ALARM, "OK")


def _observer_cut_off(scene: Scene) -> None:
    scene.cut_off()
    _both_look_twice(scene)
    scene.cut_off(anchors=True)
    scene.look()
    scene.cut_off(again=False)


def _approval_denied(scene: Scene) -> None:
    scene.world.freeze(HOME)
    _both_look_twice(scene)
    scene.answer("deny")
    scene.ended()
    _both_look_twice(scene)


def _approval_expired(scene: Scene) -> None:
    scene.resume()
    _both_look_twice(scene)
    scene.ended()


def _approval_granted(scene: Scene) -> None:
    scene.resume()
    _both_look_twice(scene)
    scene.answer("approve")
    scene.ended()


def _second_outage(scene: Scene) -> None:
    scene.world.thaw(HOME)
    scene.world.lose_cluster(STANDBY)
    _both_look_twice(scene)


def _cluster_lost(scene: Scene) -> None:
    scene.world.lose_cluster(HOME)
    _both_look_twice(scene)
    scene.ended()


def _region_lost(scene: Scene) -> None:
    scene.world.lose(HOME)
    _both_look_twice(scene)
    scene.ended()


def _route53_down(scene: Scene) -> None:
    scene.world.lose_service("route53")
    _region_lost(scene)


def _two_controllers(scene: Scene) -> None:
    scene.world.lose_cluster(HOME)
    for _ in range(2):
        scene.look(HERE, THERE, THIRD)
    scene.ended()


def _second_start(scene: Scene) -> None:
    scene.start(THERE, f"{PLAN}-1-failover", 1)
    scene.look(HERE, THERE, THIRD)


def _both_look_twice(scene: Scene) -> None:
    """A sight must have stood for a while to be a vote."""
    scene.look()
    time.sleep(HOLD_S)
    scene.look()


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A world, and the stories that are played on it, by the names of their rows."""

    stories: Mapping[str, Story]
    policy: Mapping[str, Any] = field(default_factory=dict)
    controllers: Literal[1, 2] = 1
    name: NameKind = "route53-record"


STAGES: Final = {
    "one controller, which asks": Stage(
        stories={
            "false-alarm": _false_alarm,
            "flapping-alarm": _flapping_alarm,
            "observer-cut-off": _observer_cut_off,
            "approval-denied": _approval_denied,
            "approval-expired": _approval_expired,
            "approval-given": _approval_granted,
            "second-outage": _second_outage,
        },
        policy={"mode": "approve", "approval_timeout_seconds": 10},
    ),
    "a cluster is lost": Stage(stories={"cluster-lost": _cluster_lost}),
    "a region is lost": Stage(stories={"region-lost": _region_lost}),
    "no control plane of Route 53": Stage(
        stories={"route53-control-plane-down": _route53_down}, name="route53-health-check"
    ),
    "two controllers": Stage(
        stories={"two-controllers": _two_controllers, "second-start": _second_start}, controllers=2
    ),
}


def play(stage: Stage, directory: Path) -> Iterator[tuple[str, Ending]]:
    """Play the stories of a stage, and see how each ends.

    Raises:
        SceneStuck: if one does not get to its end.
        WorldNotUp, ChildFailed
    """
    policy = {"hold_seconds": HOLD_S, **stage.policy}
    settings = Settings(
        directory=directory, instances=1, watch=False, policy=policy, controllers=stage.controllers, name=stage.name
    )
    with World(settings) as world:
        scene = Scene(world)
        for name, story in stage.stories.items():
            scene.begins()
            story(scene)
            yield name, scene.ending()
