"""The last practice of a plan: a switchover and back, and the evidence that is kept of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

from failover.ledger.ledger import Ledger
from failover.readiness import Finding, ok, warn

_SORT: Final = "practice"
_DAY_S: Final = 86_400
_LEAD_ON: Final = ("switch_routes", "flip_dns")


@dataclass(frozen=True, kw_only=True)
class Leg:
    """One switchover that succeeded."""

    execution: str
    from_site: str
    to_site: str
    ended_at: float
    """Seconds since 1970."""
    took_seconds: float
    started_by: str
    reason: str
    fenced_seconds: float | None = None
    """From the first fence until gateways and name led on, as the controller saw it; None: that is not known."""
    lost_records: int | None = None
    """Records; None: it is not known that both logs of every partition ended alike."""
    approved_by: str = ""


@dataclass(frozen=True, kw_only=True)
class Practice:
    """What the ledger keeps: the last that was whole, and one that is away still."""

    there: Leg | None = None
    back: Leg | None = None
    away: Leg | None = None


def save_leg(book: Ledger, report: Mapping[str, Any]) -> None:
    """Keep a switchover that succeeded as one way of a practice; again: nothing.

    Raises:
        LedgerUnavailable
    """
    practice = with_leg(load_practice(book, report["plan"]), leg_of(report))
    book.put(report["plan"], _SORT, {"practice": json.dumps(asdict(practice))})


def leg_of(report: Mapping[str, Any]) -> Leg:
    """What the report of a switchover that succeeded is evidence of."""
    approval = report.get("approval") or {}
    return Leg(
        execution=report["execution"],
        from_site=report["from"],
        to_site=report["to"],
        ended_at=report["ended_at"],
        took_seconds=round(report["ended_at"] - report["claimed_at"], 3),
        started_by=report["started_by"],
        reason=report["reason"],
        fenced_seconds=_fenced_seconds(report.get("steps", ())),
        lost_records=0 if (report.get("switchover") or {}).get("drained_partitions") else None,
        approved_by=approval["by"] if approval.get("answer") == "approve" else "",
    )


def _fenced_seconds(steps: Sequence[Mapping[str, Any]]) -> float | None:
    fenced = [step["started_at"] for step in steps if step["step"] == "fence"]
    led_on = [step["reported_at"] for step in steps if step["step"].partition(":")[0] in _LEAD_ON]
    return round(max(led_on) - fenced[0], 3) if fenced and led_on else None


def load_practice(book: Ledger, plan: str) -> Practice:
    """What is kept of a plan.

    Raises:
        LedgerUnavailable
    """
    item = book.item(plan, _SORT)
    legs = json.loads(item["practice"]) if item else {}
    return Practice(**{name: Leg(**leg) for name, leg in legs.items() if leg})


def with_leg(practice: Practice, leg: Leg) -> Practice:
    """What is kept once a switchover succeeded: one that leads back from where the last led is the way back."""
    if leg.execution in {way.execution for way in (practice.there, practice.back, practice.away) if way}:
        return practice
    away = practice.away
    if away and (leg.from_site, leg.to_site) == (away.to_site, away.from_site):
        return Practice(there=away, back=leg)
    return Practice(there=practice.there, back=practice.back, away=leg)


def last_practice(practice: Practice, max_age_days: int | None, now: float) -> Iterator[Finding]:
    """Whether a switchover and back was practised lately, as policy wants it."""
    how = "practise it: failover start practice PLAN"
    if practice.there is None or practice.back is None:
        never = "a switchover and back was never practised"
        yield ok(never) if max_age_days is None else warn(never, how)
        return
    age = (now - practice.back.ended_at) / _DAY_S
    summary = f"practised {age:,.0f} days ago: {_in_words(practice.there)}; back: {_in_words(practice.back)}"
    yield warn(summary, how) if max_age_days is not None and age > max_age_days else ok(summary)


def _in_words(leg: Leg) -> str:
    when = datetime.fromtimestamp(leg.ended_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    who = leg.started_by or "nobody named"
    return f"{leg.execution} to {leg.to_site} in {leg.took_seconds:.0f} s on {when}, by {who}"
