"""The scenario `practice`: both sites are up, a person starts a practice, and clients are led away and home again. What
they saw of the whole story is measured, and every record that was ever acknowledged is looked for."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any, Final

from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.table import Table

from drill import fixture_plan
from drill.clients.pairs import GROUPS, RECOMMENDED, SPECS, TOPICS, Pair, await_consumption, read_topics
from drill.execution_times import ExecutionTimes, execution_times
from drill.fixture_plan import HOME
from drill.ledger_reader import ControllerAccount
from drill.switchover import reads, until
from drill.switchover_account import ClientsAccount, Gaps, clients_account
from drill.there_and_back_account import sum_of
from drill.world import World
from drill.world_settings import Settings

NAME: Final = "practice"
DESCRIPTION: Final = "Both sites are up: clients are led to the standby and home again, and the evidence of it is kept."
SHARE_OF_RATE: Final = 0.2
"""Of the rates at which clients write in other scenarios, as there and back: mirrors that are reversed start anew."""
BEFORE_S: Final = 6.0
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
        console.print(f"the world is up after {world.up_seconds:.1f} s")
        controller = ControllerAccount(world.aws("dynamodb"), world.ledger_table)
        for pair in pairs:
            pair.start(world)
        until(lambda: all(reads(pair) for pair in pairs), 30.0, "clients begin")
        time.sleep(BEFORE_S)
        began = time.time()
        evidence = _practise(world, controller, console)
        time.sleep(AFTER_S)
        for pair in pairs:
            pair.finish_writing()
        await_consumption(pairs)
        for pair in pairs:
            pair.finish_reading()
        active = controller.active_site()
        log = None if active is None else read_topics(world, active)
        accounts = [
            clients_account(pair.spec.settings, pair.written(), pair.read(), log, since=began, topics=pair.spec.topics)
            for pair in pairs
        ]
        executions = [of for of in controller.executions() if of.name.startswith(evidence["practice"])]
    headline = next(account for account in accounts if account.settings == RECOMMENDED.settings)
    looks_back = [step.observed for of in executions for step in of.steps if step.name == "look_back"]
    return PracticeReport(
        scenario=NAME,
        fleet=settings.fleet,
        evidence=evidence,
        switchover=headline.switchover,
        lost=headline.lost,
        out_of_order=headline.out_of_order,
        twice=headline.twice,
        missing=sum_of([account.lost for account in accounts]),
        active_site=active,
        mirrors_back=looks_back[-1].get("mirrors_back") if looks_back else None,
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
    table = Table("clients", "writers stood still", "readers stood still", "lost", "out of order", "twice", box=None)
    for account in report.by_settings:
        gaps, counts = account.switchover, (account.lost, account.out_of_order, account.twice)
        table.add_row(
            account.settings,
            *("not known" if gap is None else f"{gap:.2f} s" for gap in (gaps.gap_writers_s, gaps.gap_readers_s)),
            *("not known" if count is None else f"{count:,}" for count in counts),
        )
    console.print(table)
    for execution in report.executions:
        console.print(
            f"{execution.name}: {execution.outcome} in {execution.seconds:.1f} s: {execution.why}", markup=False
        )
        for step in execution.steps:
            console.print(f"  {step.started:6.1f} to {step.ended:6.1f} s  {step.name} ({step.calls})", markup=False)
    console.print(f"{report.active_site} is active", markup=False)
