"""How a practice ended, as the ledger keeps it and the bus has it."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from failover.documents.execution import Direction


class PracticeWay(Direction):
    """A switchover of a practice that succeeded."""

    execution: str
    ended_at: float
    recovery_seconds: float
    """From its start until clients were proven to work at the other site."""
    fenced_seconds: float | None
    """From the first fence until gateways and name led on, as the controller saw it; None: that is not known."""
    lost_records: int | None
    """Records that the site that was left did not hand over; None: it is not known that there are none."""
    approved_by: str
    """Empty: nobody was asked."""


class PracticeReport(TypedDict):
    """The evidence of a practice."""

    version: Literal[1]
    plan: str
    practice: str
    scheduled: bool
    started_by: str
    reason: str
    outcome: Literal["succeeded", "stood-down", "failed"]
    """`stood-down`: clients are where they were; `failed`: they were not led back."""
    why: str
    ended_at: float
    active: str
    """The site that clients work on."""
    there: PracticeWay | None
    """None: clients were not led away."""
    back: PracticeWay | None
    """None: clients were not led back."""


class PracticeEnded(PracticeReport):
    """The event `Practice succeeded`, `Practice stood-down` or `Practice failed`."""

    key: str
    """The same for an event that is put again."""
