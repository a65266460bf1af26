"""The scenario `switchover`: both sites are up, a person starts it, and what the clients saw of it is measured."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict
from rich.console import Console

from drill import fixture_plan
from drill.clients.pairs import GROUPS, SPECS, TOPICS, Pair
from drill.execution_times import StepTimes, execution_times
from drill.fixture_plan import STANDBY
from drill.ledger_reader import ControllerAccount, Execution
from drill.moved_clients import (
    accounts_of,
    begin_work,
    end_work,
    mirrors_back,
    print_accounts,
    print_steps,
    recommended,
    sum_of,
    until,
)
from drill.rehearsal import RehearsalFailed
from drill.switchover_account import ClientsAccount, Gaps
from drill.timing import name_of
from drill.world import World
from drill.world_settings import Settings

NAME: Final = "switchover"
DESCRIPTION: Final = "Both sites are up: clients are moved to the standby, by a person's word, and nothing is lost."
AFTER_S: Final = 5.0
LIMIT_S: Final = 300.0


class SwitchoverReport(BaseModel):
    """The drill, as `report.json` has it. But for those in `by_settings` figures are of clients as recommended."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scenario: str
    fleet: str
    timing: str
    """Whose delays it ran with: the drill's own, or those of AWS."""
    outcome: str
    why: str
    switchover: Gaps
    lost: int | None
    out_of_order: int | None
    twice: int | None
    missing: int | None
    """Acknowledged at any time, and not in the log of the active cluster; of all clients."""
    active_site: str | None
    mirrors_back: int | None
    """How many topics the site that was left mirrors by now."""
    steps: list[StepTimes]
    by_settings: list[ClientsAccount]

    @property
    def complete(self) -> bool:
        """Whether the clients were moved, and nothing is missing or out of order."""
        return self.outcome == "succeeded" and self.missing == 0 and self.out_of_order == 0


def rehearse(settings: Settings, console: Console) -> SwitchoverReport:
    """Play it in a world of its own.

    Raises:
        RehearsalFailed, ChildFailed, WorldNotUp
    """
    settings = replace(settings, topics=TOPICS, groups=GROUPS)
    pairs = [Pair(spec, settings.directory / "logs") for spec in SPECS]
    with World(settings) as world:
        controller = begin_work(world, pairs, console)
        _walk_dry(world)
        began = time.time()
        execution = _switch(world, controller, console)
        time.sleep(AFTER_S)
        active, log = end_work(world, pairs, controller)
    return report_of(settings, execution, active, accounts_of(pairs, log, since=began))


def report_of(
    settings: Settings, execution: Execution, active: str | None, accounts: list[ClientsAccount]
) -> SwitchoverReport:
    """What there is to say."""
    headline = recommended(accounts)
    return SwitchoverReport(
        scenario=NAME,
        fleet=settings.fleet,
        timing=name_of(settings.timing),
        outcome=execution.status,
        why=str(execution.document.get("why", "")),
        switchover=headline.switchover,
        lost=headline.lost,
        out_of_order=headline.out_of_order,
        twice=headline.twice,
        missing=sum_of([account.lost for account in accounts]),
        active_site=active,
        mirrors_back=mirrors_back(execution),
        steps=execution_times(execution).steps,
        by_settings=accounts,
    )


def write(directory: Path, report: BaseModel) -> None:
    """Write `report.json`."""
    (directory / "report.json").write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")


def print_report(console: Console, report: SwitchoverReport) -> None:
    """The report in a few lines."""
    print_accounts(console, report.by_settings)
    console.print(f"{report.outcome}: {report.why}; {report.active_site} is active", markup=False)
    print_steps(console, report.steps)


def _switch(world: World, controller: ControllerAccount, console: Console) -> Execution:
    """Start it as a person does, and wait for its end."""
    start = {"plan": fixture_plan.PLAN, "to": STANDBY, "by": "drill", "reason": "a rehearsal"}
    name = f"{fixture_plan.PLAN}-1-switchover"
    return run_to_end(world, controller, console, machine="SwitchoverStateMachine", name=name, start=start)


def run_to_end(
    world: World, controller: ControllerAccount, console: Console, *, machine: str, name: str, start: dict[str, Any]
) -> Execution:
    """Start an execution as a person does, and wait for its end.

    Raises:
        RehearsalFailed: it did not end in time.
    """
    world.aws("stepfunctions").start_execution(
        stateMachineArn=world.resource(machine), name=name, input=json.dumps(start)
    )
    return await_end(controller, console, lambda execution: execution.name == name)


def await_end(
    controller: ControllerAccount, console: Console, matches: Callable[[Execution], bool], limit_s: float = LIMIT_S
) -> Execution:
    """Wait for the end of an execution.

    Raises:
        RehearsalFailed: it did not end in time.
    """
    ended: list[Execution] = []

    def over() -> bool:
        executions = [execution for execution in controller.executions() if matches(execution)]
        ended.extend(execution for execution in executions if execution.status != "running")
        return bool(ended)

    until(over, limit_s, "an execution ends")
    console.print(f"{ended[0].name} {ended[0].status}", markup=False)
    return ended[0]


def _walk_dry(world: World) -> None:
    """Walk it dry, as a person does before: it changes nothing, and the functions are warm."""
    start = {"plan": fixture_plan.PLAN, "to": STANDBY, "dry_run": True}
    states = world.aws("stepfunctions")
    machine = world.resource("SwitchoverStateMachine")
    run = states.start_execution(
        stateMachineArn=machine, name=f"{fixture_plan.PLAN}-dry-run-switchover", input=json.dumps(start)
    )

    def over() -> bool:
        execution = states.describe_execution(executionArn=run["executionArn"])
        if execution["status"] not in ("RUNNING", "SUCCEEDED"):
            raise RehearsalFailed(f"the dry run ended {execution['status']}: {execution.get('cause')}")
        return bool(execution["status"] == "SUCCEEDED")

    until(over, LIMIT_S, "a dry run of the switchover")
