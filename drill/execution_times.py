"""How an execution of the controller went, as a drill's report has it: its end, and when its steps ran. Pure."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from drill.ledger_reader import Execution


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StepTimes(_Part):
    """A step of an execution; seconds from the execution's start."""

    name: str
    started: float
    ended: float
    calls: int
    status: str


class ExecutionTimes(_Part):
    """An execution. `seconds`: from its claim to the last report of a step."""

    name: str
    outcome: str
    why: str
    seconds: float
    steps: list[StepTimes]


def execution_times(execution: Execution) -> ExecutionTimes:
    """What the ledger has of it."""
    steps = [
        StepTimes(
            name=step.name,
            started=round(step.started - execution.started, 3),
            ended=round(step.ended - execution.started, 3),
            calls=step.calls,
            status=step.status,
        )
        for step in execution.steps
    ]
    return ExecutionTimes(
        name=execution.name,
        outcome=execution.status,
        why=str(execution.document.get("why", "")),
        seconds=max((step.ended for step in steps), default=0.0),
        steps=steps,
    )
