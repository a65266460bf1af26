"""The scenario `practice`: both sites are up, a person starts a practice, and clients are led away and home again. What
they saw of the whole story is measured, and every record that was ever acknowledged is looked for."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any, Final

from pydantic import BaseModel, ConfigDict
from rich.console import Console

from drill import fixture_plan
from drill.clients.pairs import GROUPS, SPECS, TOPICS, Pair
from drill.execution_times import ExecutionTimes, execution_times
from drill.fixture_plan import HOME
from drill.ledger_reader import ControllerAccount
from drill.moved_clients import (
    accounts_of,
    begin_work,
    end_work,
    mirrors_back,
    print_accounts,
    print_executions,
    recommended,
    sum_of,
    until,
)
from drill.switchover_account import ClientsAccount, Gaps
from drill.timing import name_of
from drill.world import World
from drill.world_settings import Settings

NAME: Final = "practice"
DESCRIPTION: Final = "Both sites are up: clients are led to the standby and home again, and the evidence of it is kept."
SHARE_OF_RATE: Final = 0.2
"""Of the rates at which clients write in other scenarios, as there and back: mirrors that are reversed start anew."""
STAY_S: Final = 10
AFTER_S: Final = 5.0
LIMIT_S: Final = 300.0
_POLICY: Final = {"failback_after_seconds": 3}
"""On AWS the lag has to be low for minutes."""


class PracticeReport(BaseModel):
    """The drill, as `report.json` has it. Figures are of the clients with recommended settings, but for `missing`, and
    those in `by_settings`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scenario: str
    fleet: str
    timing: str
    """Whose delays it ran with: the drill's own, or those of AWS."""
    evidence: dict[str, Any]
    """What the controller keeps of the practice."""
    switchover: Gaps
    """The longest of both ways."""
    lost: int | None
    out_of_order: int | None
    twice: int | None
    missing: int | None
    """Acknowledged at any time, and not in the log of the active cluster; of all clients."""
    active_site: str | None
    mirrors_back: int | None
    """How many topics the site that was left for home mirrors by now."""
    executions: list[ExecutionTimes]
    """The way there and the way back."""
    by_settings: list[ClientsAccount]

    @property
    def complete(self) -> bool:
        """Whether clients are home again, the evidence says so, and no record is missing or out of order."""
        practised = self.evidence.get("outcome") == "succeeded" and len(self.executions) > 1
        return practised and self.active_site == HOME and self.missing == 0 and self.out_of_order == 0


def rehearse(settings: Settings, console: Console) -> PracticeReport:
    """Play it in a world of its own.

    Raises:
        RehearsalFailed, ChildFailed, WorldNotUp
    """
    settings = replace(settings, topics=TOPICS, groups=GROUPS, policy=_POLICY)
    pairs = [Pair(replace(spec, rate=spec.rate * SHARE_OF_RATE), settings.directory / "logs") for spec in SPECS]
    with World(settings) as world:
        controller = begin_work(world, pairs, console)
        began = time.time()
        evidence = _practise(world, controller, console)
        time.sleep(AFTER_S)
        active, log = end_work(world, pairs, controller)
        accounts = accounts_of(pairs, log, since=began)
        executions = [of for of in controller.executions() if of.name.startswith(evidence["practice"])]
    headline = recommended(accounts)
    return PracticeReport(
        scenario=NAME,
        fleet=settings.fleet,
        timing=name_of(settings.timing),
        evidence=evidence,
        switchover=headline.switchover,
        lost=headline.lost,
        out_of_order=headline.out_of_order,
        twice=headline.twice,
        missing=sum_of([account.lost for account in accounts]),
        active_site=active,
        mirrors_back=mirrors_back(executions[-1]) if executions else None,
        executions=[execution_times(execution) for execution in executions],
        by_settings=accounts,
    )


def _practise(world: World, controller: ControllerAccount, console: Console) -> dict[str, Any]:
    """Start it as a person does, and wait until its evidence is kept."""
    name = f"{fixture_plan.PLAN}-practice-1"
    start = {"plan": fixture_plan.PLAN, "by": "drill", "reason": "a rehearsal", "stay_seconds": STAY_S}
    machine = world.resource("PracticeStateMachine")
    world.aws("stepfunctions").start_execution(stateMachineArn=machine, name=name, input=json.dumps(start))
    until(lambda: bool(controller.items(f"practice#{name}")), LIMIT_S, "the evidence of a practice is kept")
    evidence: dict[str, Any] = json.loads(controller.items(f"practice#{name}")[0]["document"])
    console.print(f"{name} {evidence['outcome']}: {evidence['why']}", markup=False)
    return evidence


def print_report(console: Console, report: PracticeReport) -> None:
    """The report in a few lines."""
    print_accounts(console, report.by_settings)
    print_executions(console, report.executions)
    console.print(f"{report.active_site} is active", markup=False)
