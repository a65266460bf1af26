"""The page that asks a person, and the one that says what became of their answer. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from report import evidence
from report.page import render
from report.wording import MINUTE, about, between, counted, records, utc

OLD_S: Final = 60.0
"""An age of the last fresh sample, in seconds, that makes an estimate wide."""


def approval_page(
    *, plan: str, execution: str, start: Mapping[str, Any], decision: Mapping[str, Any], until: float, now: float
) -> str:
    """What the decision stands on, and two choices. Nothing is chosen beforehand, so that no key answers by mistake.

    `start`: what it was claimed with (`kind`, `from`, `to`, `by`, `reason`); `decision`: what assess, or before a
    switchover precheck, observed; `until`: when an answer comes too late, and `now`: when the page is looked at,
    seconds since 1970.
    """
    lost, to = str(start.get("from", "")), str(start.get("to", ""))
    kind = str(start.get("kind") or "failover")
    loss = decision.get("expected_loss") or {}
    return render(
        "approval.html.j2",
        plan=plan,
        execution=execution,
        decision=decision,
        until=until,
        left=about(max(0.0, until - now)),
        kind=kind,
        clients=_clients(kind, lost=lost, to=to, since=evidence.lost_since(decision, lost)),
        votes=evidence.votes(decision, lost),
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
    return f"{between(span['low'], span['high'])} records (estimated{_wide(loss)}){rest}"


def _wide(loss: Mapping[str, Any]) -> str:
    """Why an estimate is wide, where the evidence tells: even the newest sample was old when the site was lost."""
    observed, lost_by = loss.get("observed"), loss.get("lost_by")
    age = lost_by - observed["to"] if observed and lost_by else 0.0
    return f"; wide, for the last fresh sample was {age / MINUTE:.0f} min old at the loss" if age >= OLD_S else ""


def _clients(kind: str, *, lost: str, to: str, since: float | None) -> str:
    """What they feel until somebody answers, as far as the evidence tells."""
    if kind == "restore":
        return f"Clients work on {to}, whatever you answer."
    if kind != "failover":
        return f"Clients work on {lost} until somebody answers."
    if since is None:
        return f"Whether clients can work on {lost} is not known: nobody says that it is lost."
    return f"{lost} looks lost since {utc(since)}: clients can't work until somebody answers."
