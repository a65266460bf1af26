"""What the executions whose lease another one took over had reached, and where they left the clients.

An execution that supersedes another and changes nothing itself leaves behind what that one changed: its report says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from failover.dns import canonical, targets_of
from failover.documents import execution as documents
from failover.ledger.execution import Execution
from failover.ledger.ledger import Ledger
from failover.ledger.records import StepRecord
from failover.ledger.succession import succession
from failover.plan.model import Plan

LOOK_AT_NAME: Final = "look_at_name"
"""The step that looked where the client hostname leads, before anything was changed."""
_CHANGES: Final = frozenset(
    {
        "call_hooks",
        "create_groups",
        "fence",
        "flip_dns",
        "promote_mirrors",
        "put_back",
        "restore_mirrors",
        "reverse_mirrors",
        "switch_routes",
        "sync_offsets",
    }
)


@dataclass(frozen=True, kw_only=True)
class Predecessor:
    """An execution that was superseded."""

    execution: str
    status: str
    """As the ledger has it; its report, if it had ended, is kept with it."""
    reached: dict[str, str]
    """What each of its steps that changes something last reported; a call that was in flight reported nothing."""

    def as_document(self) -> documents.Predecessor:
        """The form it has in a report."""
        return {"execution": self.execution, "status": self.status, "reached": self.reached}


def predecessors(book: Ledger, execution: Execution) -> list[Predecessor]:
    """The executions that this one took over from, the last first.

    Raises:
        LedgerUnavailable
    """
    _, *superseded = succession(book, execution.plan, execution.name)
    return [
        Predecessor(
            execution=name,
            status=record.status if record else "not known",
            reached={
                step.step: step.status
                for step in book.steps_of(execution.plan, name)
                if step.step.partition(":")[0] in _CHANGES
            },
        )
        for name, record in superseded
    ]


def where_the_name_leads(plan: Plan, steps: Sequence[StepRecord]) -> str | None:
    """The site that the client hostname was seen to lead to before anything was changed; None if that is not known."""
    look = next((step.observed for step in steps if step.step == LOOK_AT_NAME), {})
    record = look.get("record")
    sites = [site for site, target in targets_of(plan).items() if record and target == canonical(record)]
    return sites[0] if len(sites) == 1 else None
