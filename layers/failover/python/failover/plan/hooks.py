"""Hooks: functions of yours that a failover or a switchover calls at its turns, for what stands beside the topics."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from failover.plan.base import Name, PlanModel, form

Moment = Literal["before-fence", "after-promotion", "after-name", "after-switch-back"]
FunctionArn = Annotated[
    str,
    form(
        r"^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]+(:[A-Za-z0-9_$-]+)?$",
        "the ARN of a Lambda function: arn:aws:lambda:…:function:…",
    ),
]


class Hook(PlanModel):
    """A Lambda function of yours that is called at turns of a failover and a switchover, to set what stands beside the
    topics: a Schema Registry's mode, a connector. It is called until it answers, at least once, and always with the
    same key: it must stand being called twice."""

    name: Name
    """What it is called in reports."""
    function: FunctionArn
    """The function; the stack's parameter `Hooks` must match its name."""
    when: tuple[Moment, ...] = Field(min_length=1)
    """At which turns: `before-fence`; `after-promotion`, when the standby is writable and no client is there yet;
    `after-name`, when the client hostname has moved; `after-switch-back`, when clients are at home again, or a
    switchover that was given up has led them back."""
    deadline_seconds: int = Field(default=30, ge=5, le=300)
    """How long it may take from its first call."""
    on_failure: Literal["stop", "go-on"] = "go-on"
    """What it means that it failed, or did not answer in time: `stop` the execution there, or `go-on` and report it. A
    switchover that can still be given up is."""

    @property
    def region(self) -> str:
        """Where it runs."""
        return self.function.split(":")[3]
