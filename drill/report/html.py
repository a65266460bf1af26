"""The report as one HTML page that needs no network and no script: its own figures in the markup of every report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from drill.report import charts, wording
from drill.report.model import Report, Step
from report.page import Bar, bar, render

FOLDER = Path(__file__).resolve().parent
EXPLAINED = {
    "detection": "probes and alarms notice, for as long as policy says",
    "decision": "claim the plan, weigh the evidence",
    "promotion": "make the mirrors writable",
    "routes": "point the standby's gateways at its cluster",
    "dns": "flip the clients' name",
    "clients": "reconnect and get the first record through",
}


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of the RTO: its name, what happens in it, its seconds and its share of the total in percent."""

    name: str
    what: str
    seconds: float | None
    share: float


def parts(report: Report) -> list[Part]:
    """The parts of the RTO in their order."""
    total = report.rto.total or sum(getattr(report.rto, name) or 0.0 for name in EXPLAINED)
    return [
        Part(
            name=name,
            what=what,
            seconds=(value := getattr(report.rto, name)),
            share=100 * (value or 0.0) / total if total else 0.0,
        )
        for name, what in EXPLAINED.items()
    ]


def happened(report: Report) -> list[tuple[Step, Bar | None]]:
    """Steps and events in the order they began; an event has the status `event`, no end and no bar."""
    events = [Step(name=m.name, started=m.at, ended=None, status="event", detail=m.detail) for m in report.moments]
    steps = report.timeline
    starts, ends = [step.started for step in steps], [step.ended for step in steps if step.ended is not None]
    axis = (min(starts, default=0.0), max([*starts, *ends], default=1.0))
    rows = sorted([*steps, *events], key=lambda row: row.started)
    return [(row, None if row.ended is None else bar(row.started, row.ended, axis)) for row in rows]


def page(report: Report) -> str:
    """The whole page."""
    return render(
        "page.html.j2",
        FOLDER,
        filters={
            "count": wording.count,
            "between": wording.between,
            "seconds": wording.seconds,
            "offsets": wording.offsets,
            "figure": wording.compared,
            "plans": wording.plans,
        },
        report=report,
        headline=wording.headline(report),
        cost=wording.cost(report),
        parts=parts(report),
        happened=happened(report),
        timeline=[_chart(charts.timeline(report, size), size) for size in (charts.WIDE, charts.NARROW)],
        peak=max((rate.acknowledged_by_standby for rate in report.rates), default=0),
    )


def _chart(svg: str, size: charts.Size) -> tuple[str, Markup]:
    """An SVG element with the name of its size; matplotlib escapes the text in it."""
    return size.name, Markup(svg)
