"""The scenarios, run. Each begins where the one before it ended, so that a world serves several."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer
from typing import Any, Final, Literal

from drill.client_name import NameKind
from drill.decision.expected_outcomes import Ending
from drill.decision.scenario_world import HERE, THERE, THIRD, ScenarioRun
from drill.fixture_plan import HOME, PLAN, STANDBY
from drill.world import World
from drill.world_settings import Settings

HOLD_S: Final = 1
STANDS_S: Final = 600
"""Nobody looks but a scenario, and a busy machine takes longer for it than a probe is a vote."""
BLIP_S: Final = 2.6
"""Longer than a look waits for a silent site, and over before the look that would confirm it has waited as long."""
KAFKA_ALARM: Final = f"failover-{PLAN}-{HOME}-kafka"
GATEWAY_ALARM: Final = f"failover-{PLAN}-{HOME}-gateway"
Scenario = Callable[[ScenarioRun], None]


def _false_alarm(run: ScenarioRun) -> None:
    run.look()
    for alarm in (KAFKA_ALARM, GATEWAY_ALARM):
        run.alarm(alarm, "ALARM")
    time.sleep(HOLD_S)
    run.look()


def _flapping_alarm(run: ScenarioRun) -> None:
    run.alarm(GATEWAY_ALARM, "OK")
    for _ in range(3):
        run.alarm(KAFKA_ALARM, "OK")
        run.alarm(KAFKA_ALARM, "ALARM")
    run.world.freeze(HOME)
    blip = Timer(BLIP_S, run.world.thaw, [HOME])
    blip.start()
    run.look()
    blip.join()
    run.look()
    run.alarm(KAFKA_ALARM, "OK")


def _observer_cut_off(run: ScenarioRun) -> None:
    run.cut_off()
    _both_look_twice(run)
    run.cut_off(anchors=True)
    run.look()
    run.cut_off(again=False)


def _approval_denied(run: ScenarioRun) -> None:
    run.world.freeze(HOME)
    _both_look_twice(run)
    run.answer("deny")
    run.ended()
    _both_look_twice(run)


def _approval_expired(run: ScenarioRun) -> None:
    run.resume()
    _both_look_twice(run)
    run.ended()


def _approval_granted(run: ScenarioRun) -> None:
    run.resume()
    _both_look_twice(run)
    run.answer("approve")
    run.ended()


def _second_outage(run: ScenarioRun) -> None:
    run.world.thaw(HOME)
    run.world.lose_cluster(STANDBY)
    _both_look_twice(run)


def _cluster_lost(run: ScenarioRun) -> None:
    run.world.lose_cluster(HOME)
    _both_look_twice(run)
    run.ended()


def _region_lost(run: ScenarioRun) -> None:
    run.world.lose(HOME)
    _both_look_twice(run)
    run.ended()


def _route53_down(run: ScenarioRun) -> None:
    run.world.lose_service("route53")
    _region_lost(run)


def _two_controllers(run: ScenarioRun) -> None:
    run.world.lose_cluster(HOME)
    for _ in range(2):
        run.look(HERE, THERE, THIRD)
    run.ended()


def _second_start(run: ScenarioRun) -> None:
    run.start(THERE, f"{PLAN}-1-failover", 1)
    run.look(HERE, THERE, THIRD)


def _both_look_twice(run: ScenarioRun) -> None:
    """A sight must have stood for a while to be a vote."""
    run.look()
    time.sleep(HOLD_S)
    run.look()


@dataclass(frozen=True, kw_only=True)
class Setup:
    """A world, and the scenarios that are run in it, by the names of their rows."""

    scenarios: Mapping[str, Scenario]
    policy: Mapping[str, Any] = field(default_factory=dict)
    controllers: Literal[1, 2] = 1
    name: NameKind = "route53-record"


SETUPS: Final = {
    "one controller, which asks": Setup(
        scenarios={
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
    "a cluster is lost": Setup(scenarios={"cluster-lost": _cluster_lost}),
    "a region is lost": Setup(scenarios={"region-lost": _region_lost}),
    "no control plane of Route 53": Setup(
        scenarios={"route53-control-plane-down": _route53_down}, name="route53-health-check"
    ),
    "two controllers": Setup(
        scenarios={"two-controllers": _two_controllers, "second-start": _second_start}, controllers=2
    ),
}


def run_all(setup: Setup, directory: Path) -> Iterator[tuple[str, Ending]]:
    """Run the scenarios of a setup, and see how each ends.

    Raises:
        ScenarioStuck: if one does not get to its end.
        WorldNotUp, ChildFailed
    """
    policy = {"hold_seconds": HOLD_S, "probe_max_age_seconds": STANDS_S, **setup.policy}
    settings = Settings(
        directory=directory,
        instances=1,
        watch=False,
        alarm_evaluation=False,
        policy=policy,
        controllers=setup.controllers,
        own_plans_at_third=True,
        name=setup.name,
    )
    with World(settings) as world:
        run = ScenarioRun(world)
        for name, scenario in setup.scenarios.items():
            run.begin()
            scenario(run)
            yield name, run.ending()
