"""start_rounds: start for every plan what goes on of itself: each minute rounds of looks and samples, and a judgement
of what is known; now and then a look at what a failover will need, and a dry run, of some plans at a time; in the
windows of a plan's practice, once in each, that, which looks itself whether it is due.

Sites are looked at, lag is sampled and plans are judged by shards, of as many plans as one function looks at in a
moment; all else that is started is a plan's own. Either way none waits for another, and none fails with another. A bad
plan is judged, and its readiness is looked at, which says what is wrong with it; its sites can't be looked at.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from math import ceil
from typing import Any, Final, Literal

from aws_lambda_powertools import Logger
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from failover.aws.clients import client
from failover.aws.errors import aws_errors
from failover.errors import FailoverError, RoundsNotStarted, ServiceRejected, ServiceUnavailable
from failover.execution.runs import start_run
from failover.plan.model import Plan
from failover.plan.store import deployed_plans
from failover.validation import read

AT_ONCE: Final = 16
PLANS_A_SHARD: Final = 50
"""Of a look, of a function with 1,024 MB: six tenths of a processor, on which 100 are looked at in time."""

logger = Logger(service="failover")


class RoundsRequest(BaseModel):
    """What is due."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    due: Literal["rounds", "readiness", "dry-runs"]
    scheduled_at: AwareDatetime | None = None
    """For which minute; None, where somebody calls by hand: for this one."""
    every_minutes: float = Field(default=1.0, gt=0)
    """How often this is called."""
    turn_minutes: float = Field(default=1.0, gt=0)
    """How often every plan is to have its turn."""


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Start what is due; answers of which plans.

    Raises:
        MalformedEvent, LedgerUnavailable
        RoundsNotStarted: of some plans it could not be started; of the others it was.
    """
    request = read(RoundsRequest, event)
    plans = deployed_plans()
    good = {name: plan for name, plan in sorted(plans.items()) if isinstance(plan, Plan)}
    turn = plans_of_turn(list(good) if request.due == "dry-runs" else sorted(plans), request, time.time())
    failures: dict[str, str] = {}
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        starts = [(of, pool.submit(start)) for of, start in _starts(request, turn, good)]
        for of, started in starts:
            try:
                started.result()
            except FailoverError as error:
                failures[of] = f"{type(error).__name__}: {error}"
    if failures:
        raise RoundsNotStarted(f"{request.due} of {len(turn)} plans: {len(failures)} starts failed: {failures}")
    return {"due": request.due, "plans": turn}


def plans_of_turn(names: Sequence[str], request: RoundsRequest, now: float) -> list[str]:
    """Whose turn it is: so many at each call that every plan has its turn in time, and one at least."""
    if not names:
        return []
    many = min(len(names), ceil(len(names) * request.every_minutes / request.turn_minutes))
    first = int(now // (60 * request.every_minutes)) * many
    return [names[(first + number) % len(names)] for number in range(many)]


def shards(names: Sequence[str]) -> list[list[str]]:
    """The plans that are looked at together: as few shards as can be, and each of about the same size."""
    many = ceil(len(names) / PLANS_A_SHARD)
    return [list(names[shard::many]) for shard in range(many)]


def _starts(
    request: RoundsRequest, turn: Sequence[str], good: Mapping[str, Plan]
) -> Iterator[tuple[str, Callable[[], None]]]:
    """What is started, and of which plans."""
    match request.due:
        case "rounds":
            yield from _rounds(request, turn, good)
        case "readiness":
            for plan in turn:
                yield plan, partial(_invoke, os.environ["READINESS_FUNCTION"], {"plan": plan})
        case "dry-runs":
            for plan in turn:
                dry_run = {"plan": plan, "to": "standby", "dry_run": True, "reason": "scheduled dry run"}
                yield plan, partial(_start, os.environ["STATE_MACHINE_ARN"], dry_run)


def _rounds(
    request: RoundsRequest, names: Sequence[str], good: Mapping[str, Plan]
) -> Iterator[tuple[str, Callable[[], None]]]:
    """A bad plan is judged by itself: what is wrong with it ends with no other's name on it."""
    together = shards(list(good))
    minute = request.scheduled_at or datetime.now(UTC).replace(second=0, microsecond=0)
    for shard in together:
        rounds = {"plans": shard, "scheduled_at": minute.isoformat()}
        yield _named("looks at", shard), partial(_start, os.environ["WATCH_MACHINE_ARN"], rounds)
    for plan in good.values():
        for practice in _practice(plan, time.time()):
            yield plan.name, practice
    if judge := os.environ.get("JUDGE_FUNCTION"):
        for judged in [*together, *([name] for name in names if name not in good)]:
            yield _named("judgement of", judged), partial(_invoke, judge, _regular_look(judged))


def _named(what: str, plans: Sequence[str]) -> str:
    return f"{what} {plans[0]}" + (f" and {len(plans) - 1} more" if len(plans) > 1 else "")


def _practice(plan: Plan, now: float) -> Iterator[Callable[[], None]]:
    """The practice of the window that is open, by a name of that window: again, it is the same."""
    machine = os.environ.get("PRACTICE_MACHINE_ARN")
    ends = plan.practice.open_until(now) if plan.practice and machine else None
    if ends is not None:
        request = {"plan": plan.name, "scheduled": True, "reason": "by the plan's schedule"}
        yield partial(_start_once, f"{plan.name}-practice-{ends:%Y%m%d-%H%M}", request, str(machine))


def _start_once(name: str, request: dict[str, Any], machine: str) -> None:
    start_run(name, request, machine)


def _regular_look(plans: Sequence[str]) -> dict[str, Any]:
    """As an event of the bus: nothing is heard, and what is known is judged again."""
    account = os.environ["STATE_MACHINE_ARN"].split(":")[4]
    return {
        "source": "kafka.failover",
        "detail-type": "Regular Look",
        "account": account,
        "detail": {"plans": list(plans)},
    }


def _start(machine: str, request: Mapping[str, Any]) -> None:
    of = f"Step Functions, to start {machine.rpartition(':')[2]}"
    with aws_errors(of, transient=ServiceUnavailable, final=ServiceRejected):
        client("stepfunctions").start_execution(stateMachineArn=machine, input=json.dumps(dict(request)))


def _invoke(function: str, request: Mapping[str, Any]) -> None:
    with aws_errors(f"Lambda, to invoke {function}", transient=ServiceUnavailable, final=ServiceRejected):
        payload = json.dumps(dict(request))
        client("lambda").invoke(FunctionName=function, InvocationType="Event", Payload=payload)
