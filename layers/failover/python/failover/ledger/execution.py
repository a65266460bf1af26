"""Which run of which state machine a step works for: carried from `claim` to every later step, unchanged."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal["failover"]


class Execution(BaseModel):
    """One run of a state machine. `epoch` is the fencing token of every change it makes."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, extra="forbid")

    plan: str
    epoch: int = Field(ge=1)
    name: str
    controller: str = Field(default="", description="the region that it runs in; there may be a controller in two")
    kind: Kind
    from_site: str = Field(alias="from")
    to_site: str = Field(alias="to")
    dry_run: bool = False
    manual: bool = False
    claimed_at: float = Field(description="seconds since the Unix epoch")
    outage_started_at: float | None = Field(default=None, description="seconds since the Unix epoch, if a signal said")

    def as_state(self) -> dict[str, Any]:
        """The form it has in the state of a state machine."""
        return self.model_dump(mode="json", by_alias=True)


def execution_name(plan: str, epoch: int, kind: Kind) -> str:
    """`<plan>-<epoch>-<kind>`: a repeated start of the same epoch is the same execution."""
    return f"{plan}-{epoch}-{kind}"
