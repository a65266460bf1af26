"""What the drill saw of a run besides the clients' logs, and the milestones in it. Pure."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from drill.fixture_plan import HOME, NEAR, PLAN, STANDBY
from drill.ledger_reader import Execution
from drill.loss import LossKind
from drill.report import Milestones, Moment, Run, Step, controller_figures
from drill.report.build import Settings
from drill.report.model import Plans
from drill.scenarios import Scenario
from drill.timing import TimingName, described

FLEETS = tuple(f"switch_routes:gateway-{place}" for place in (STANDBY, NEAR))
"""The steps that have clients led to the standby: of its own fleet, or of one near the clients."""


@dataclass(frozen=True)
class Alarm:
    """An alarm, or a vantage point, that said a site is lost, and when its event was there; seconds since 1970."""

    name: str
    at: float


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Times in seconds since 1970. `name_flipped_at`: when the hostname was first seen to lead to the standby."""

    started_at: float
    world_up_s: float
    peak_memory_mb: float
    killed_at: float
    events: Sequence[Mapping[str, Any]]
    name_flipped_at: float | None
    execution: Execution | None
    loss_table: Mapping[tuple[str, int], Mapping[str, Any]]
    settings: Mapping[str, Settings]
    timing: TimingName = TimingName.DRILL
    names_in_sync: Sequence[float] = ()
    """How long the change of the client hostname took, or would have, where that is drawn."""
    resolver: str = "host"
    clusters: str | None = None
    """What they are, if no stand-ins."""
    gateways: str | None = None
    """What they are, if no stand-ins."""
    plans: Plans | None = None
    """How all of them ended, if there was more than one."""
    ran_in: Mapping[str, str] = field(default_factory=dict)
    """Which functions ran where after the loss, if not all of them ran in the drill's own runtime."""

    def done_at(self, step: str) -> float | None:
        """When a step of the failover reported done, by the ledger."""
        return self.execution.done_at(step) if self.execution else None


def words_of_loss(events: Sequence[Mapping[str, Any]], killed_at: float) -> list[Alarm]:
    """Every alarm and every sighting after the loss that said the site is lost, in the order of their events."""
    return [
        Alarm(who, float(event["at"]))
        for event in events
        if event["at"] >= killed_at and (who := _says_lost(event.get("detail") or {}))
    ]


def set_off(words: Sequence[Alarm], execution: Execution | None) -> Alarm | None:
    """The word on which the execution was started, the last one before; without an execution the first of all."""
    before = [word for word in words if execution is not None and word.at <= execution.started]
    return before[-1] if before else words[0] if words else None


def _says_lost(detail: Mapping[str, Any]) -> str | None:
    alarm = str(detail.get("alarmName", ""))
    if alarm.startswith((f"failover-{PLAN}-{HOME}-", f"kafka-{PLAN}-{HOME}-")):
        return alarm if detail["state"]["value"] == "ALARM" else None
    for view in (of_plan["view"] for of_plan in detail.get("observations", ()) if of_plan["plan"] == PLAN):
        lost = any(p["site"] == HOME and p["service"] != "rest" and p["healthy"] is False for p in view["probes"])
        if lost and not view["isolated_because"]:
            return f"probe/{view['vantage']}"
    return None


def milestones(findings: Findings) -> Milestones:
    """When each part of the recovery was over. The name as resolvers saw it, the rest as the ledger has it."""
    alarm = set_off(words_of_loss(findings.events, findings.killed_at), findings.execution)
    return Milestones(
        killed=findings.killed_at,
        alarm=alarm.at if alarm else None,
        decided=findings.done_at("assess"),
        promoted=findings.done_at("promote_mirrors"),
        routes=next(filter(None, map(findings.done_at, FLEETS)), None),
        dns=findings.name_flipped_at,
    )


def run_of(scenario: Scenario, kind: LossKind, findings: Findings, rate: float) -> Run:
    """The run, as the report wants it."""
    execution = findings.execution
    steps = execution.steps if execution else ()
    alarm = set_off(words_of_loss(findings.events, findings.killed_at), findings.execution)
    return Run(
        scenario=scenario.name,
        description=f"{kind.description} {scenario.description}",
        loss_kind=kind.value,
        timing=findings.timing.value,
        plan=PLAN,
        lost_site=HOME,
        standby=STANDBY,
        started_at=findings.started_at,
        milestones=milestones(findings),
        steps=[
            Step(
                name=step.name,
                started=step.started,
                ended=step.ended,
                status=step.status,
                detail=f"{step.calls} call(s)",
            )
            for step in steps
        ],
        controller=controller_figures(
            execution.document if execution else None, findings.loss_table if execution else None
        ),
        target_rate=rate,
        moments=[Moment(at=alarm.at, name=f"{alarm.name} says so")] if alarm else [],
        world={
            "up_seconds": round(findings.world_up_s, 2),
            "peak_memory_mb": round(findings.peak_memory_mb, 1),
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
            "confluent-kafka": version("confluent-kafka"),
            "moto": version("moto"),
            "names are cached as by": findings.resolver,
            **({"clusters": findings.clusters} if findings.clusters else {}),
            **({"gateways": findings.gateways} if findings.gateways else {}),
            **described(findings.timing, findings.names_in_sync),
            **findings.ran_in,
        },
        settings=findings.settings,
        plans=findings.plans,
        unmeasured=[] if execution else ["the controller started no execution: there are no steps to tell of"],
    )
