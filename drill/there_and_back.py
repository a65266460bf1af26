"""The scenario `there-and-back`: the active site is lost, the controller fails over by itself, the site is back with
all that it held; a person starts the restore, which rescues what was stranded, and then the failback. What the clients
saw of the whole story is measured, and every record that was ever acknowledged is looked for."""

from __future__ import annotations

import gzip
import json
import time
from base64 import b64decode
from dataclasses import dataclass, replace
from typing import Final

from rich.console import Console
from rich.table import Table

from drill import fixture_plan
from drill.clients.pairs import GROUPS, RECOMMENDED, SPECS, TOPICS, Pair
from drill.clients.read_log import ClusterLog
from drill.clients.record_log import ProducerLog
from drill.clients.record_number import number_of
from drill.execution_times import execution_times
from drill.fixture_plan import HOME, STANDBY
from drill.ledger_reader import ControllerAccount, Execution
from drill.moved_clients import (
    accounts_of,
    begin_work,
    end_work,
    in_records,
    in_seconds,
    mirrors_back,
    print_executions,
    recommended,
    sum_of,
    until,
)
from drill.switchover import await_end, run_to_end
from drill.there_and_back_account import Rescued, ThereAndBackReport, missing_records, recovery_time
from drill.timing import name_of
from drill.world import World
from drill.world_settings import Settings

NAME: Final = "there-and-back"
DESCRIPTION: Final = (
    "The active site is lost, and comes back with its data: failover, restore with rescue, failback by a person's word."
)
SHARE_OF_RATE: Final = 0.2
"""Of the rates at which clients write in other scenarios. The restored site has to catch up with all that was written
while it was away, and the mock answers a fetch with one batch of a partition: here, with hardly more than a record."""
BETWEEN_S: Final = 5.0
CAUGHT_UP_S: Final = 120.0
"""By then the controller has seen that the new mirrors' lag is low: it looks at no lag while an execution holds the
plan."""
BUCKET: Final = "rescued-orders"
_RESCUE: Final = {
    "bucket": BUCKET,
    "key": f"arn:aws:kms:us-west-2:{fixture_plan.ACCOUNT}:key/11111111-2222-3333-4444-555555555555",
    "retention_days": 400,
    "readers": [f"arn:aws:iam::{fixture_plan.ACCOUNT}:role/rescue-reader"],
}
_POLICY: Final = {"failback_after_seconds": 3}
"""On AWS the lag has to be low for minutes."""


@dataclass(frozen=True, kw_only=True)
class _Story:
    """What the controller did. Times: seconds since 1970."""

    lost_at: float
    failover: Execution
    restore: Execution
    failback_at: float
    failback: Execution


def rehearse(settings: Settings, console: Console) -> ThereAndBackReport:
    """Play it in a world of its own.

    Raises:
        RehearsalFailed, ChildFailed, WorldNotUp
    """
    settings = replace(
        settings, topics=TOPICS, groups=GROUPS, truncation=True, plan_fields={"rescue": _RESCUE}, policy=_POLICY
    )
    pairs = [Pair(replace(spec, rate=spec.rate * SHARE_OF_RATE), settings.directory / "logs") for spec in SPECS]
    with World(settings) as world:
        region = fixture_plan.REGIONS[STANDBY]
        world.aws("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": region})
        controller = begin_work(world, pairs, console)
        story = _play(world, controller, console)
        time.sleep(BETWEEN_S)
        active, log = end_work(world, pairs, controller)
        rescued = _rescued_numbers(world, story.restore.name)
    return _report(settings, story, pairs, active=active, log=log, rescued=rescued)


def _play(world: World, controller: ControllerAccount, console: Console) -> _Story:
    lost_at = time.time()
    killed = world.settings.site_returns == "killed"
    if killed:
        world.kill(HOME)
    else:
        world.freeze(HOME)
    console.print(f"{HOME} is lost: {world.settings.site_returns}")
    failover = await_end(controller, console, _is_failover)
    time.sleep(BETWEEN_S)
    if killed:
        world.start_again(HOME)
    else:
        world.thaw(HOME)
    console.print(f"{HOME} is back")
    by = {"plan": fixture_plan.PLAN, "by": "drill", "reason": "a rehearsal"}
    restore = run_to_end(
        world,
        controller,
        console,
        machine="RestoreStateMachine",
        name=f"{fixture_plan.PLAN}-2-restore",
        start=by | {"from": HOME, "to": STANDBY},
    )
    until(lambda: _is_lag_low(controller), CAUGHT_UP_S, "the new mirrors are seen to trail by little")
    failback_at = time.time()
    failback = run_to_end(
        world,
        controller,
        console,
        machine="SwitchoverStateMachine",
        name=f"{fixture_plan.PLAN}-3-switchover",
        start=by | {"from": STANDBY, "to": HOME},
    )
    # The restore has put what it measured into the failover's report.
    failover = next(execution for execution in controller.executions() if execution.name == failover.name)
    return _Story(lost_at=lost_at, failover=failover, restore=restore, failback_at=failback_at, failback=failback)


def _report(
    settings: Settings,
    story: _Story,
    pairs: list[Pair],
    *,
    active: str | None,
    log: ClusterLog | None,
    rescued: set[int],
) -> ThereAndBackReport:
    written: dict[str, ProducerLog] = {pair.spec.settings: pair.written() for pair in pairs}
    accounts = accounts_of(pairs, log, since=story.failback_at)
    headline = recommended(accounts)
    missing = missing_records(written, log, rescued)
    restored = story.restore.document.get("restore") or {}
    loss = story.failover.document.get("loss") or {}
    return ThereAndBackReport(
        scenario=NAME,
        fleet=settings.fleet,
        timing=name_of(settings.timing),
        rto=recovery_time(written[RECOMMENDED.settings], story.lost_at, story.failback_at),
        switchover=headline.switchover,
        rescued=Rescued(
            diverged=restored.get("diverged"),
            saved=restored.get("saved"),
            read_back=len(rescued),
            sent_again=None if log is None else len(rescued.intersection(record.n for record in log.records)),
        ),
        estimated_loss=loss.get("records"),
        measured_loss=(loss.get("measured") or {}).get("records"),
        lost=missing[RECOMMENDED.settings],
        out_of_order=headline.out_of_order,
        twice=headline.twice,
        missing=sum_of(missing.values()),
        active_site=active,
        mirrors_back=mirrors_back(story.failback),
        executions=[execution_times(execution) for execution in (story.failover, story.restore, story.failback)],
        by_settings=accounts,
    )


def print_report(console: Console, report: ThereAndBackReport) -> None:
    """The report in a few lines."""
    table = Table("what", "as clients saw it, and logs show it", box=None)
    gaps, rescued = report.switchover, report.rescued
    table.add_row("from the loss to the first record", in_seconds(report.rto))
    table.add_row(
        "failback: writers stood still; readers",
        f"{in_seconds(gaps.gap_writers_s)}; {in_seconds(gaps.gap_readers_s)}",
    )
    table.add_row("stranded records; saved", f"{in_records(rescued.diverged)}; {in_records(rescued.saved)}")
    table.add_row("lost; of all clients", f"{in_records(report.lost)}; {in_records(report.missing)}")
    table.add_row("out of order; twice", f"{in_records(report.out_of_order)}; {in_records(report.twice)}")
    console.print(table)
    print_executions(console, report.executions)
    console.print(f"{report.active_site} is active", markup=False)


def _is_failover(execution: Execution) -> bool:
    return execution.document.get("kind") == "failover" and not execution.document.get("dry_run")


def _is_lag_low(controller: ControllerAccount) -> bool:
    """Whether the controller has seen it so, and so counts the seconds that policy wants it to last."""
    heads = [json.loads(gzip.decompress(head["rows"])) for head in controller.items("plan-table#watch")]
    return any(head.get(STANDBY, {}).get("low_since") is not None for head in heads)


def _rescued_numbers(world: World, execution: str) -> set[int]:
    """The numbers of the records that the rescue's bucket holds, as anybody may read them."""
    s3 = world.aws("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=BUCKET, Prefix=f"rescue/{fixture_plan.PLAN}/{execution}/"
    )
    keys = [row["Key"] for page in pages for row in page.get("Contents", []) if row["Key"].endswith(".ndjson")]
    numbers: set[int] = set()
    for key in keys:
        for line in s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().splitlines():
            headers = [(name, value and b64decode(value)) for name, value in json.loads(line)["headers"]]
            number = number_of(headers)
            if number is not None:
                numbers.add(number)
    return numbers
