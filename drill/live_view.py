"""What those who look on are shown: the state of the world, of the steps and of the traffic, put into snapshots."""

from __future__ import annotations

import time

from command.progress import STEPS, StepProgress, awaited
from drill import fixture_plan
from drill.clients.live import LiveTraffic
from drill.ledger_reader import ControllerAccount, Execution
from drill.name_watch import NameWatch
from drill.terminal import Event, SiteStatus, Snapshot, View
from drill.world import SITES, World

LEDGER_EVERY_S = 0.4


class LiveView:
    """Gathers what is going on, and shows it."""

    def __init__(self, scenario: str, view: View, traffic: LiveTraffic) -> None:
        """`traffic`: that of the clients that are shown."""
        self.phase = "coming up"
        self.traffic = traffic
        self._scenario = scenario
        self._view = view
        self._began = time.time()
        self._events: list[Event] = []
        self._reported: set[str] = set()
        self._execution: Execution | None = None
        self._looked_at = 0.0

    @property
    def killed_at(self) -> float | None:
        """When the site was lost, seconds since 1970."""
        return self.traffic.killed_at

    def say(self, text: str, at: float | None = None) -> None:
        """Something happened, now or at a time; once only."""
        if text not in self._reported:
            self._reported.add(text)
            self._events.append(Event((at or time.time()) - self._began, text))

    def show(
        self, world: World | None = None, controller: ControllerAccount | None = None, watch: NameWatch | None = None
    ) -> None:
        """Show the drill as it is now; what is not given is not known yet."""
        now = time.time()
        self.traffic.read()
        if controller is not None and now - self._looked_at > LEDGER_EVERY_S:
            self._execution, self._looked_at = controller.failover(), now
        self._view.update(
            Snapshot(
                scenario=self._scenario,
                phase=self.phase,
                elapsed=now - self._began,
                since_loss=None if self.killed_at is None else now - self.killed_at,
                sites=_sites(world, controller, self._execution),
                hostname=fixture_plan.HOSTNAME,
                dns_answer=watch.target if watch else None,
                steps=_steps(self._execution, now),
                acknowledged=self.traffic.acknowledged(now),
                consumed=self.traffic.consumed(now),
                events=tuple(sorted(self._events, key=lambda event: event.at)),
            )
        )


def _sites(
    world: World | None, controller: ControllerAccount | None, execution: Execution | None
) -> tuple[SiteStatus, ...]:
    active = fixture_plan.STANDBY if execution is not None and execution.status == "succeeded" else fixture_plan.HOME
    sites = []
    for site in SITES:
        role = "lost" if world and site in world.lost_at else "active" if site == active else "standby"
        parts: dict[str, bool] = world.alive(site) if world else {}
        sites.append(
            SiteStatus(
                name=site, role=role, kafka=parts.get("kafka"), rest=parts.get("rest"), gateway=parts.get("gateway")
            )
        )
    return tuple(sites)


def _steps(execution: Execution | None, now: float) -> tuple[StepProgress, ...]:
    shown = []
    for name in STEPS["failover"]:
        parts = [step for step in (execution.steps if execution else ()) if step.name.split(":")[0] == name]
        if name == "conclude" and execution is not None and execution.status != "running":
            shown.append(StepProgress(name=name, state="failed" if execution.status == "failed" else "done"))
        elif not parts:
            shown.append(StepProgress(name=name))
        else:
            waiting = [step for step in parts if step.status != "done"]
            ended = now if waiting else max(step.ended for step in parts)
            shown.append(
                StepProgress(
                    name=name,
                    state="running" if waiting else "done",
                    seconds=ended - min(step.started for step in parts),
                    awaits=awaited(waiting[0].observed) if waiting else "",
                )
            )
    return tuple(shown)
