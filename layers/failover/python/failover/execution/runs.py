"""Runs of the state machines, as Step Functions knows them: start one, and ask whether one still runs.

The name of a run that is over is blocked for 90 days, and StartExecution says the same of it as of one that runs:
ExecutionAlreadyExists (https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html).
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from typing import Any, Final

from failover.aws.clients import client
from failover.aws.errors import aws_errors
from failover.container import remembered
from failover.errors import ServiceRejected, ServiceUnavailable
from failover.ledger.records import PlanState

ASK_AGAIN_S: Final = 15.0
"""For how long it is remembered whether the holder of a lease runs."""
_SAME_SILENCE_S: Final = 90.0
"""A second question that nobody answers is of the same silence, if it is asked within so long."""
_UNDER_WAY: Final = frozenset({"RUNNING", "PENDING_REDRIVE"})


@dataclass(frozen=True)
class Run:
    """An execution in Step Functions' words; `ended_at` in seconds since 1970, None while it runs or is not known.
    `redrives`: how often it was redriven."""

    status: str
    ended_at: float | None = None
    redrives: int = 0

    @property
    def under_way(self) -> bool:
        """Whether it may still do something by itself."""
        return self.status in _UNDER_WAY


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A holder of a lease that does nothing any more, how it ended, and when, seconds since 1970, if that is known."""

    name: str
    status: str
    at: float | None = None
    redrives: int = 0
    """How often it was redriven before."""

    def __str__(self) -> str:
        return f"{self.name} has ended ({self.status}) and keeps the lease"


def start_run(name: str, request: dict[str, Any], machine: str | None = None) -> bool:
    """Start an execution of that name; says whether there was none before. `machine`: the ARN of another state machine
    than the failover's.

    Raises:
        ServiceUnavailable, ServiceRejected
    """
    states = client("stepfunctions")
    with aws_errors(f"Step Functions, to start {name}", transient=ServiceUnavailable, final=ServiceRejected):
        try:
            states.start_execution(
                stateMachineArn=machine or os.environ["STATE_MACHINE_ARN"],
                name=name,
                input=json.dumps(request, sort_keys=True),
            )
        except states.exceptions.ExecutionAlreadyExists:
            return False
    return True


def run_arn(name: str, machine: str | None = None) -> str:
    """The ARN of this controller's execution of that name. `machine`: the ARN of another state machine than the
    failover's."""
    return f"{(machine or os.environ['STATE_MACHINE_ARN']).replace(':stateMachine:', ':execution:')}:{name}"


def describe_run(arn: str) -> Run:
    """How an execution stands; one that Step Functions does not know any more is over.

    Raises:
        ServiceUnavailable, ServiceRejected
    """
    states = client("stepfunctions", arn.split(":")[3] or None, attempts=1)
    with aws_errors(f"Step Functions, for {arn}", transient=ServiceUnavailable, final=ServiceRejected):
        try:
            answer = states.describe_execution(executionArn=arn)
        except states.exceptions.ExecutionDoesNotExist:
            return Run("not known any more")
    stopped = answer.get("stopDate")
    return Run(answer["status"], stopped.timestamp() if stopped else None, answer.get("redriveCount", 0))


def ended_holder(state: PlanState) -> Ended | None:
    """The holder of the plan's lease if it runs no more; None if it does, if there is none, or if nobody can tell."""
    if state.holder is None or not state.holder_arn:
        return None
    last_answers = _last_answers()
    when, run = last_answers.get(state.holder_arn, (0.0, None))
    if time.monotonic() - when > ASK_AGAIN_S or run is None:
        try:
            run = describe_run(state.holder_arn)
        except (ServiceUnavailable, ServiceRejected):
            _note_silence(state.holder_arn)
            return None
        _silences().pop(state.holder_arn, None)
        last_answers[state.holder_arn] = (time.monotonic(), run)
    if run.under_way:
        return None
    return Ended(name=state.holder, status=run.status, at=run.ended_at, redrives=run.redrives)


def holder_silent_for(state: PlanState) -> float:
    """For how many seconds nobody can tell this container whether the holder of the lease runs, as `ended_holder` asked
    last; 0 if somebody could, or nobody holds it any more."""
    if state.holder is None:
        return 0.0
    since, last = _silences().get(state.holder_arn or "", (0.0, 0.0))
    return last - since


def _note_silence(arn: str) -> None:
    now = time.monotonic()
    since, last = _silences().get(arn, (now, now))
    _silences()[arn] = (since if now - last <= _SAME_SILENCE_S else now, now)


@remembered
def _silences() -> dict[str, tuple[float, float]]:
    """Since when, and when last, Step Functions did not tell of a holder, by its ARN."""
    return {}


@remembered
def _last_answers() -> dict[str, tuple[float, Run]]:
    """When each holder was last asked about, and the answer."""
    return {}
