"""The report as one HTML page that needs no network and no script."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from drill.report import charts, wording
from drill.report.model import Report, Step

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


def happened(report: Report) -> list[Step]:
    """Steps and events in the order they began; an event has the status `event` and no end."""
    events = [Step(name=m.name, started=m.at, ended=None, status="event", detail=m.detail) for m in report.moments]
    return sorted([*report.timeline, *events], key=lambda row: row.started)


def page(report: Report) -> str:
    """The whole page."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        count=wording.count,
        between=wording.between,
        seconds=wording.seconds,
        utc=wording.utc,
        offsets=wording.offsets,
        records=wording.records,
    )
    return environment.get_template("page.html.j2").render(
        report=report,
        style=Markup((FOLDER / "page.css").read_text(encoding="utf-8")),
        headline=wording.headline(report),
        cost=wording.cost(report),
        parts=parts(report),
        happened=happened(report),
        timeline=[_chart(charts.timeline(report, size), size) for size in (charts.WIDE, charts.NARROW)],
        controller=[_chart(charts.controller_seconds(report, size), size) for size in (charts.WIDE, charts.NARROW)],
        peak=max((rate.acknowledged_by_standby for rate in report.rates), default=0),
    )


def _chart(svg: str, size: charts.Size) -> tuple[str, Markup]:
    """An SVG element with the name of its size; matplotlib escapes the text in it."""
    return size.name, Markup(svg)
