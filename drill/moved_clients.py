"""What the scenarios share that move clients: both pairs of clients at work before, between and after; what became of
their records; and how that is shown."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import Final

from rich.console import Console
from rich.table import Table

from drill.clients.pairs import RECOMMENDED, Pair, await_consumption, read_topics
from drill.clients.read_log import ClusterLog
from drill.execution_times import ExecutionTimes, StepTimes
from drill.ledger_reader import ControllerAccount, Execution
from drill.rehearsal import RehearsalFailed
from drill.switchover_account import ClientsAccount, clients_account
from drill.world import World

BEFORE_S: Final = 6.0
"""For how long clients work before anything happens."""
_BEGIN_S: Final = 60.0
_FRAME_S: Final = 0.1


def begin_work(world: World, pairs: Sequence[Pair], console: Console) -> ControllerAccount:
    """Have clients at work for a while in a world that is up; what its controller keeps.

    Raises:
        RehearsalFailed: a reader received nothing in time.
    """
    console.print(f"the world is up after {world.up_seconds:.1f} s")
    for pair in pairs:
        pair.start(world)
    until(lambda: all(_reads(pair) for pair in pairs), _BEGIN_S, "clients begin")
    time.sleep(BEFORE_S)
    return ControllerAccount(world.aws("dynamodb"), world.ledger_table)


def end_work(
    world: World, pairs: Sequence[Pair], controller: ControllerAccount
) -> tuple[str | None, ClusterLog | None]:
    """End writers, then readers; the site that is active now, and what its cluster holds."""
    for pair in pairs:
        pair.finish_writing()
    await_consumption(pairs)
    for pair in pairs:
        pair.finish_reading()
    active = controller.active_site()
    return active, None if active is None else read_topics(world, active)


def accounts_of(pairs: Sequence[Pair], log: ClusterLog | None, *, since: float) -> list[ClientsAccount]:
    """What each pair went through since then, by the log of the active cluster."""
    return [
        clients_account(pair.spec.settings, pair.written(), pair.read(), log, since=since, topics=pair.spec.topics)
        for pair in pairs
    ]


def recommended(accounts: Collection[ClientsAccount]) -> ClientsAccount:
    """The account of the clients whose figures are a report's own."""
    return next(account for account in accounts if account.settings == RECOMMENDED.settings)


def mirrors_back(execution: Execution) -> int | None:
    """How many topics the site that was left mirrors, as the execution saw it last."""
    looks = [step.observed for step in execution.steps if step.name == "look_back"]
    mirrors: int | None = looks[-1].get("mirrors_back") if looks else None
    return mirrors


def sum_of(counts: Collection[int | None]) -> int | None:
    """The sum; None if one of them is not known."""
    numbers = [count for count in counts if count is not None]
    return sum(numbers) if len(numbers) == len(counts) else None


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


def print_accounts(console: Console, accounts: Sequence[ClientsAccount]) -> None:
    """A row for each pair of clients."""
    table = Table("clients", "writers stood still", "readers stood still", "lost", "out of order", "twice", box=None)
    for account in accounts:
        gaps, counts = account.switchover, (account.lost, account.out_of_order, account.twice)
        table.add_row(
            account.settings,
            in_seconds(gaps.gap_writers_s),
            in_seconds(gaps.gap_readers_s),
            *map(in_records, counts),
        )
    console.print(table)


def print_executions(console: Console, executions: Sequence[ExecutionTimes]) -> None:
    """Each with its steps."""
    for execution in executions:
        console.print(
            f"{execution.name}: {execution.outcome} in {execution.seconds:.1f} s: {execution.why}", markup=False
        )
        print_steps(console, execution.steps)


def print_steps(console: Console, steps: Sequence[StepTimes]) -> None:
    """A line for each."""
    for step in steps:
        console.print(f"  {step.started:6.1f} to {step.ended:6.1f} s  {step.name} ({step.calls})", markup=False)


def in_seconds(value: float | None) -> str:
    """For a person to read."""
    return "not known" if value is None else f"{value:.2f} s"


def in_records(value: int | None) -> str:
    """For a person to read."""
    return "not known" if value is None else f"{value:,}"


def _reads(pair: Pair) -> bool:
    """Whether its reader received anything yet."""
    pair.traffic.read()
    return pair.traffic.consumed(time.time()).now > 0
