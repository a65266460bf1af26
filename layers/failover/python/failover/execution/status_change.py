"""What EventBridge says of an execution's status: which one it is, and of which plan.

Step Functions puts the event itself, whatever becomes of the execution
(https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from failover.validation import read


class _Detail(BaseModel):
    """The input is left out if it is very long."""

    model_config = ConfigDict(frozen=True)

    name: str
    arn: str = Field(default="", alias="executionArn")
    input: str | None = None


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True)

    detail: _Detail


@dataclass(frozen=True, kw_only=True)
class StatusChange:
    """An execution, and what it was started with."""

    execution: str
    arn: str = ""
    """Of its run."""
    plan: str
    """Empty: it was started with none."""
    dry_run: bool


def status_change(event: Any) -> StatusChange:
    """The execution that an event is of.

    Raises:
        MalformedEvent: it is no such event.
    """
    detail = read(_Event, event).detail
    try:
        start = json.loads(detail.input or "{}")
    except ValueError:
        start = {}
    start = start if isinstance(start, dict) else {}
    plan = start.get("plan")
    return StatusChange(
        execution=detail.name,
        arn=detail.arn,
        plan=plan if isinstance(plan, str) else "",
        dry_run=start.get("dry_run") is True,
    )
