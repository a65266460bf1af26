"""How a step is called: hold the lease, let the step look and act, report. The same four things for every step.

A module under `functions/` defines what its step looks at and does, and `handler = step(name, Request, function)`.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from math import ceil
from typing import Any, Final, Literal, TypeVar

from aws_lambda_powertools import Logger
from pydantic import BaseModel, ConfigDict, Field

from failover.aws.clients import client
from failover.aws.errors import is_throttled
from failover.errors import (
    AbortRequested,
    DnsUnavailable,
    FailoverError,
    FleetUnavailable,
    LeaseLost,
    LinkUnavailable,
    TransientError,
)
from failover.execution.claimed_plan import claimed_plan
from failover.ledger.execution import Execution
from failover.ledger.failures import keep_failure
from failover.ledger.ledger import Ledger
from failover.plan.model import Plan
from failover.validation import read

AGAIN_FOR_S = 1.0
AGAIN_EVERY_S = 0.2
"""Step Functions waits whole seconds; most changes are over sooner, so a step looks again within its call."""

BUSY_S: Final = (3, 6)
"""How long a service is left alone, in seconds, that throttles: what it refuses counts against nobody, and its limit is
an account's, which all plans share."""
SPREAD_S: Final = 2.0
LONGEST_PAUSE_S: Final = 60
"""A deadline may pass meanwhile: what asks for more is asked sooner."""

logger = Logger(service="failover")


class Request(BaseModel):
    """What every step is given."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    execution: Execution

    @property
    def may_be_aborted(self) -> bool:
        """Whether a person's wish to abort ends the step before it looks; not one that puts back."""
        return True

    @property
    def pause_s(self) -> int:
        """Seconds between two calls of a step that has something under way: none in a switchover, whose clients stand
        still behind a fence of its own making, for as long as its steps take."""
        return 0 if self.execution.kind == "switchover" else 1


class Report(BaseModel):
    """What a step answers. `unanswered`: whom it asked is asked too much, and told nothing. `retry_after`: seconds
    until it wants to be called again; Step Functions waits whole seconds, or not at all
    (https://docs.aws.amazon.com/step-functions/latest/dg/state-wait.html)."""

    model_config = ConfigDict(frozen=True)

    version: Literal[1] = 1
    status: Literal["done", "waiting", "unanswered"]
    observed: dict[str, Any] = Field(default_factory=dict)
    retry_after: int = Field(default=1, ge=0)


def done(**observed: Any) -> Report:
    """The real state is the wanted one."""
    return Report(status="done", observed=observed)


def waiting(retry_after: int = 1, **observed: Any) -> Report:
    """A change is under way."""
    return Report(status="waiting", observed=observed, retry_after=retry_after)


def pause_after(error: TransientError) -> int:
    """Seconds until it is asked again who gave no answer: as many as it asked for, and some at random where it is asked
    too much, since other plans ask at the same moment; 1 where nothing says so. The ledger grows with what is asked of
    it."""
    if isinstance(error, LinkUnavailable) and error.retry_after:
        return pause_of(error.retry_after)
    busy = isinstance(error, (DnsUnavailable, FleetUnavailable)) and is_throttled(error)
    return random.randint(*BUSY_S) if busy else 1  # noqa: S311 - jitter


def pause_of(requested: float) -> int:
    """Seconds until a server is asked again that asked to be left alone for so many; 1 if for none."""
    if requested <= 0:
        return 1
    spread = random.uniform(0, SPREAD_S)  # noqa: S311 - jitter
    return min(ceil(requested + spread), LONGEST_PAUSE_S)


StepRequest = TypeVar("StepRequest", bound=Request)
Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


def ledger() -> Ledger:
    """The ledger this function was deployed with."""
    return Ledger(client("dynamodb"), os.environ["LEDGER_TABLE"])


def step(
    name: str | Callable[[StepRequest], str],
    model: type[StepRequest],
    look_and_act: Callable[[StepRequest, Plan], Report],
) -> Handler:
    """The Lambda handler of a step. `name`, or what it makes of the request, is the step's key in the ledger.

    The handler raises `MalformedEvent`, `UnknownPlan`, `BadPlan`, `LeaseLost`, `AbortRequested`, `LedgerUnavailable`,
    and what `look_and_act` raises.
    """

    @logger.inject_lambda_context(clear_state=True)
    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        started = time.time()
        request = read(model, event)
        execution = request.execution
        key = name if isinstance(name, str) else name(request)
        logger.append_keys(
            plan=execution.plan, epoch=execution.epoch, execution=execution.name, step=key, dry_run=execution.dry_run
        )
        try:
            report = _look_until_done(request, look_and_act)
        except FailoverError as error:
            logger.warning("step failed", error=type(error).__name__, why=str(error))
            if isinstance(error, TransientError) and (pause := pause_after(error)) > 1:
                return _unanswered(error, pause).model_dump(mode="json")
            if not isinstance(error, (TransientError, LeaseLost, AbortRequested)):
                _keep(execution, key, error)
            raise
        ledger().record_step(execution, key, status=report.status, observed=report.observed, started=started)
        logger.info(report.status, observed=report.observed)
        return report.model_dump(mode="json")

    return handler


def _keep(execution: Execution, key: str, error: FailoverError) -> None:
    """A ledger that does not take it makes no other error of it."""
    try:
        keep_failure(ledger(), execution, key, error)
    except FailoverError as unkept:
        logger.warning("what the step raised is not kept", why=str(unkept))


def _unanswered(error: TransientError, pause: int) -> Report:
    """As the state machine has it of an error that it caught itself, but for the pause. It is in no record: what was
    observed before stands."""
    return Report(status="unanswered", observed={"why": f"{type(error).__name__}: {error}"}, retry_after=pause)


def _look_until_done(request: StepRequest, look_and_act: Callable[[StepRequest, Plan], Report]) -> Report:
    """The report of a look, and of further ones for `AGAIN_FOR_S` at most, as long as a change is under way that may be
    over in a moment. The lease is held anew for each."""
    deadline = time.monotonic() + AGAIN_FOR_S
    while True:
        ledger().hold(request.execution, may_be_aborted=request.may_be_aborted)
        report = look_and_act(request, claimed_plan(ledger(), request.execution))
        soon = report.status == "waiting" and report.retry_after <= 1
        if not soon or time.monotonic() + AGAIN_EVERY_S > deadline:
            return report
        time.sleep(AGAIN_EVERY_S)
