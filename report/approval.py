"""The page that asks a person, and the one that says what became of their answer. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from report import evidence
from report.page import render
from report.wording import between, counted, records


def approval_page(
    *, plan: str, execution: str, start: Mapping[str, Any], decision: Mapping[str, Any], until: float
) -> str:
    """What the decision stands on, and two choices. Nothing is chosen beforehand, so that no key answers by mistake.

    `start`: what it was claimed with (`kind`, `from`, `to`, `by`, `reason`); `decision`: what assess, or before a
    switchover precheck, observed; `until`: when an answer comes too late, seconds since 1970.
    """
    lost, to = str(start.get("from", "")), str(start.get("to", ""))
    loss = decision.get("expected_loss") or {}
    return render(
        "approval.html.j2",
        plan=plan,
        execution=execution,
        decision=decision,
        until=until,
        kind=start.get("kind") or "failover",
        lost=lost,
        to=to,
        people=[
            ("Started by", start.get("by") or "the controller itself"),
            ("Reason", start.get("reason") or "none given"),
            ("Why a person is asked", decision.get("why", "")),
        ],
        stranded=stranded(loss),
        mirrors=evidence.mirrors(decision),
        probes=evidence.probes(decision),
    )


def answer_page(title: str, text: str) -> str:
    """What became of an answer."""
    return render("answer.html.j2", title=title, text=text)


def stranded(loss: Mapping[str, Any]) -> str:
    """What approving is expected to cost; never a number where it is not known."""
    unknown = loss.get("unknown_partitions")
    rest = f"; {counted(unknown, 'partition')} unknown" if unknown else ""
    if (span := loss.get("records")) is None:
        return f"not known{rest}; at least {records(loss.get('at_least', 0))}" if loss else "not known"
    return f"{between(span['low'], span['high'])} records (estimated){rest}"
