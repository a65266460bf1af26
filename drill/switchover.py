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
from rich.table import Table

from drill import fixture_plan
from drill.clients.pairs import GROUPS, RECOMMENDED, SPECS, TOPICS, Pair, await_consumption, read_topics
from drill.execution_times import StepTimes, execution_times
from drill.fixture_plan import STANDBY
from drill.ledger_reader import ControllerAccount, Execution
from drill.rehearsal import RehearsalFailed
from drill.switchover_account import ClientsAccount, Gaps, clients_account
from drill.world import World
from drill.world_settings import Settings

NAME: Final = "switchover"
DESCRIPTION: Final = "Both sites are up: clients are moved to the standby, by a person's word, and nothing is lost."
BEFORE_S: Final = 6.0
AFTER_S: Final = 5.0
LIMIT_S: Final = 120.0
_FRAME_S: Final = 0.1


class SwitchoverReport(BaseModel):
    """The drill, as `report.json` has it. But for those in `by_settings` figures are of clients as recommended."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scenario: str
    fleet: str
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
        console.print(f"the world is up after {world.up_seconds:.1f} s")
        controller = ControllerAccount(world.aws("dynamodb"), world.ledger_table)
        for pair in pairs:
            pair.start(world)
        until(lambda: all(reads(pair) for pair in pairs), 30.0, "clients begin")
        time.sleep(BEFORE_S)
        _walk_dry(world)
        began = time.time()
        execution = _switch(world, controller, console)
        time.sleep(AFTER_S)
        for pair in pairs:
            pair.finish_writing()
        await_consumption(pairs)
        for pair in pairs:
            pair.finish_reading()
        active = controller.active_site()
        log = None if active is None else read_topics(world, active)
        accounts = [
            clients_account(
                pair.spec.settings,
                pair.written(),
                pair.read(),
                log,
                since=began,
                topics=pair.spec.topics,
            )
            for pair in pairs
        ]
    return report_of(settings.fleet, execution, active, accounts)


def report_of(fleet: str, execution: Execution, active: str | None, accounts: list[ClientsAccount]) -> SwitchoverReport:
    """What there is to say."""
    headline = next(account for account in accounts if account.settings == RECOMMENDED.settings)
    lost = [account.lost for account in accounts]
    looked_back = next((step.observed for step in execution.steps if step.name == "look_back"), {})
    return SwitchoverReport(
        scenario=NAME,
        fleet=fleet,
        outcome=execution.status,
        why=str(execution.document.get("why", "")),
        switchover=headline.switchover,
        lost=headline.lost,
        out_of_order=headline.out_of_order,
        twice=headline.twice,
        missing=None if None in lost else sum(count or 0 for count in lost),
        active_site=active,
        mirrors_back=looked_back.get("mirrors_back"),
        steps=execution_times(execution).steps,
        by_settings=accounts,
    )


def write(directory: Path, report: BaseModel) -> None:
    """Write `report.json`."""
    (directory / "report.json").write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")


def print_report(console: Console, report: SwitchoverReport) -> None:
    """The report in a few lines."""
    table = Table("clients", "writers stood still", "readers stood still", "lost", "out of order", "twice", box=None)
    for account in report.by_settings:
        gaps = account.switchover
        figures = (account.lost, account.out_of_order, account.twice)
        table.add_row(
            account.settings,
            _seconds(gaps.gap_writers_s),
            _seconds(gaps.gap_readers_s),
            *(_count(figure) for figure in figures),
        )
    console.print(table)
    console.print(f"{report.outcome}: {report.why}; {report.active_site} is active", markup=False)
    for step in report.steps:
        console.print(f"  {step.started:6.1f} to {step.ended:6.1f} s  {step.name} ({step.calls})", markup=False)


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


def reads(pair: Pair) -> bool:
    """Whether its reader received anything yet."""
    pair.traffic.read()
    return pair.traffic.consumed(time.time()).now > 0


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for it.

    Raises:
        RehearsalFailed: it was not so in time.
    """
    deadline = time.time() + seconds
    while not condition():
        if time.time() > deadline:
            raise RehearsalFailed(f"not within {seconds:.0f} s: {what}")
        time.sleep(_FRAME_S)


def _seconds(value: float | None) -> str:
    return "not known" if value is None else f"{value:.2f} s"


def _count(value: int | None) -> str:
    return "not known" if value is None else f"{value:,}"
