"""The loss, and what becomes of the plans."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from drill.aws.limits import Rate
from simulation.deployment import Deployment
from simulation.functions import Handler
from simulation.life import Simulation
from simulation.machine.execution import Execution
from simulation.observers import sighting
from simulation.region_loss.world import ManyPlans, plan_name
from simulation.scheduler import Process
from simulation.sites import SERVICES
from simulation.story import VANTAGE_POINTS
from simulation.world import STARTED

LOST_AT_S: Final = 10.0
LOOK_S: Final = 2.0
CONFIRMING_LOOK_S, CONFIRMING_FOR_S = 0.5, 4.0
"""Between two looks: as deployed, and while a site has looked lost for less than a vote must have stood."""
PLANS_AN_EVENT: Final = 25
"""Plans in an event of a vantage point, as deployed."""
LONGEST_S: Final = 900.0
STEP_S: Final = 5.0


def lose_region(
    simulation: Simulation,
    *,
    plans: int,
    own_zones: bool,
    deploy: bool,
    route53: Rate,
    lambdas_at_once: int,
    seed: str,
) -> dict[str, Any]:
    """Have it lost; the figures. `own_zones`: whether every plan has a hosted zone of its own; `deploy`: whether the
    standby's fleets lead to the lost cluster."""
    zones = [f"Z{number:03}" if own_zones else "ZSHARED" for number in range(plans)]

    def make(deployed: Deployment, handlers: Mapping[str, Handler], text: str) -> ManyPlans:
        return ManyPlans(
            f"region {seed}", deployed, handlers, text, zones=zones, route53=route53, lambdas_at_once=lambdas_at_once
        )

    life = simulation.enter(make)
    if deploy:
        for plan in life.plans.values():
            plan.sites.sites["west"].fleet.route_to("east")
    for number, vantage in enumerate(VANTAGE_POINTS):
        life.scheduler.spawn(partial(_look, life, vantage), Process(f"vantage {vantage}"), 0.3 + 1.1 * number)
    lost_at = STARTED + LOST_AT_S
    life.scheduler.call_at(lost_at, partial(life.lose, "east"))
    while life.now < lost_at + LONGEST_S and not _all_over(life, plans):
        life.scheduler.run(life.now + STEP_S)
    figures = _figures(life, lost_at, plans)
    life.scheduler.close()
    return figures


def _look(life: ManyPlans, vantage: str) -> None:
    """What a vantage point sees, told at every look while something is lost."""
    lost_since: float | None = None
    while True:
        lost = not life.sites.sites["east"].up["gateway"]
        if lost:
            lost_since = life.now if lost_since is None else lost_since
        lost_services = {("east", service) for service in SERVICES} if lost else set[tuple[str, str]]()
        names = [plan_name(number) for number in life.plans]
        for first in range(0, len(names), PLANS_AN_EVENT):
            event = sighting(vantage, life.now, lost_services)
            (observation,) = event["detail"]["observations"]
            together = names[first : first + PLANS_AN_EVENT]
            event["detail"]["observations"] = [observation | {"plan": name} for name in together]
            life.functions.invoke_later("judge", event)
        confirming = lost_since is not None and life.now < lost_since + CONFIRMING_FOR_S
        life.scheduler.sleep(CONFIRMING_LOOK_S if confirming else LOOK_S)


def _all_over(life: ManyPlans, plans: int) -> bool:
    runs = _failovers(life)
    return len(runs) == plans and not any(run.running for run in runs.values())


def _failovers(life: ManyPlans) -> dict[str, Execution]:
    """The last execution of each plan, by its name."""
    return {str(run.input["plan"]): run for run in life.executions if not run.input.get("dry_run")}


def _figures(life: ManyPlans, lost_at: float, plans: int) -> dict[str, Any]:
    runs = _failovers(life)

    def last(of: Callable[[Execution], float | None]) -> float | None:
        moments = [of(run) for run in runs.values()]
        reached = [moment - lost_at for moment in moments if moment is not None]
        return round(max(reached), 1) if len(reached) == plans else None

    changed = [at - lost_at for at in life.route53.changed_at.values()]
    stopped = [run for run in runs.values() if run.status != "SUCCEEDED"]
    return {
        "plans": plans,
        "judged_s": last(lambda run: run.started),
        "changed_s": round(max(changed), 1) if len(changed) == plans else None,
        "in_sync_s": last(lambda run: run.reached_at.get("HasHooksAfterName")),
        "over_s": last(lambda run: run.stopped),
        "stopped": plans - len(runs) + len(stopped),
        "stopped_because": Counter(f"{run.error}: {run.cause[:120]}" for run in stopped),
        "route53": {what: count for what, count in life.limits.requests.items() if what.startswith("route53")},
        "ecs": {what: count for what, count in life.limits.requests.items() if what.startswith("ecs")},
        "throttled": dict(life.limits.throttled),
        "zone_busy": life.route53.refused,
        "changes": life.route53.changes,
        "lambda_throttled": life.functions.throttled,
        "lambda_at_once": life.functions.most_at_once,
        "dead_letters": len(life.functions.dead_letters),
        "unexpected": life.functions.unexpected[:5],
    }
