"""What the ledger keeps of the last dry run: the failover state machine walked through with the deployed roles,
credentials and network, changing nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from failover.ledger.ledger import Ledger

_SORT: Final = "dry-run"
_TROUBLE: Final = ("rejected", "unreachable", "out_of_reach")
"""What a step may have observed and still go on; on the day it would cost time, or topics."""


@dataclass(frozen=True, kw_only=True)
class DryRun:
    """The last one."""

    execution: str
    to_site: str
    outcome: str
    why: str
    ended_at: float
    """Seconds since 1970."""
    took_seconds: float
    steps: Mapping[str, float]
    """Seconds that each step took."""
    remarks: tuple[str, ...] = ()
    """What steps met and went on in spite of."""


def save_dry_run(book: Ledger, document: Mapping[str, Any]) -> None:
    """Keep a dry run's report as the last one.

    Raises:
        LedgerUnavailable
    """
    error = document.get("error") or {}
    stopped = f"stopped at {document['stopped_at']}: {error.get('Error', '')}" if document.get("stopped_at") else ""
    run = DryRun(
        execution=document["execution"],
        to_site=document["to"],
        outcome=document["outcome"],
        why=stopped or document["why"],
        ended_at=document["ended_at"],
        took_seconds=round(document["ended_at"] - document["claimed_at"], 3),
        steps={step["step"]: step["took_seconds"] for step in document["steps"]},
        remarks=tuple(
            remark for step in document["steps"] for remark in _remarks(step["step"], step.get("observed", {}))
        ),
    )
    book.put(document["plan"], _SORT, {"run": json.dumps(asdict(run))})


def load_dry_run(book: Ledger, plan: str) -> DryRun | None:
    """The last dry run, or None if there was none.

    Raises:
        LedgerUnavailable
    """
    item = book.item(plan, _SORT)
    if item is None:
        return None
    fields = json.loads(item["run"])
    return DryRun(**fields | {"remarks": tuple(fields["remarks"])})


def _remarks(step: str, observed: Mapping[str, Any]) -> Iterator[str]:
    for key in _TROUBLE:
        if observed.get(key):
            yield f"{step}: {key.replace('_', ' ')}: {observed[key]}"
    for fleet, state in (observed.get("fleets") or {}).items():
        if str(state).startswith("out of reach"):
            yield f"{step}: {fleet}: {state}"
