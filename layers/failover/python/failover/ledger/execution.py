"""Which run of which state machine a step works for: carried from `claim` to every later step, unchanged."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal["failover", "switchover", "restore"]
"""A restore goes from the site that returned to the one that is active, as the failover before it did."""


class Execution(BaseModel):
    """One run of a state machine. `epoch` is the fencing token of every change it makes."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, extra="forbid")

    plan: str
    epoch: int = Field(ge=1)
    name: str
    arn: str = Field(default="", description="where Step Functions is asked of it")
    controller: str = Field(default="", description="the region that it runs in; there may be a controller in two")
    kind: Kind
    from_site: str = Field(alias="from")
    to_site: str = Field(alias="to")
    dry_run: bool = False
    manual: bool = False
    forced: bool = Field(default=False, description="started by hand to leave a site although it answers")
    leads_back: bool = Field(
        default=False, description="to the site that those were leaving which this one takes over from"
    )
    started_by: str = Field(default="", description="who started it, in their own words: nobody checks the name")
    reason: str = ""
    practice: str = Field(default="", description="the practice that this is one way of")
    claimed_at: float = Field(description="seconds since the Unix epoch")
    outage_started_at: float | None = Field(default=None, description="seconds since the Unix epoch, if a signal said")

    @property
    def inactive_site(self) -> str:
        """The one that is not active while the execution runs."""
        return self.from_site if self.leads_back or self.kind == "restore" else self.to_site

    def as_state(self) -> dict[str, Any]:
        """The form it has in the state of a state machine."""
        return self.model_dump(mode="json", by_alias=True)


def same_name(one: str, other: str) -> bool:
    """Whether two names that people gave, or that IAM knows them by, are one person's, as far as names tell."""
    return _person(one) == _person(other)


def _person(name: str) -> str:
    """Of an ARN the user's name, or the session's: one person may take more roles than one."""
    own = name.rpartition("/")[2] if name.startswith("arn:") else name
    return " ".join(own.split()).casefold()


def execution_name(plan: str, epoch: int, kind: Kind, attempt: int) -> str:
    """`<plan>-<epoch>-<kind>`, and from the second attempt on its number: a repeated start of the same attempt is the
    same execution. Step Functions blocks the name of one that is over for 90 days."""
    name = f"{plan}-{epoch}-{kind}"
    return name if attempt == 1 else f"{name}-{attempt}"


def epoch_in_name(name: str, plan: str, kind: Kind) -> int | None:
    """The epoch in a name that `execution_name` gave; None if somebody else named the execution."""
    named = re.fullmatch(rf"{re.escape(plan)}-(\d+)-{kind}(-\d+)?", name)
    return int(named[1]) if named else None
