"""The report's sentences and figures, in the same words on the page and in the terminal. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from drill.report.model import Range, Report

UNMEASURED = "not measured"


def count(figure: float | None) -> str:
    """A number of records."""
    return UNMEASURED if figure is None else f"{figure:,.0f}"


def between(figure: Range | None) -> str:
    """A number of records, from and to."""
    return "unknown" if figure is None else f"{figure.low:,} to {figure.high:,}"


def seconds(figure: float | None) -> str:
    """A duration in seconds; below ten seconds to the hundredth."""
    if figure is None:
        return UNMEASURED
    return f"{figure:.1f} s" if abs(figure) >= 10 else f"{figure:.2f} s"


def records(figure: int) -> str:
    """A number of records, with the noun."""
    return f"{figure:,} record{'' if figure == 1 else 's'}"


def utc(at: float) -> str:
    """A time of day, with the date."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def headline(report: Report) -> str:
    """Whether the clients recovered, and how fast."""
    if not report.recovered:
        return "Not recovered"
    return f"Recovered in {seconds(report.rto.total)}" if report.rto.total is not None else "Recovered"


def cost(report: Report) -> str:
    """What the outage cost, in one line."""
    stranded, acknowledged = report.loss.measured, report.acknowledged
    if stranded is None or acknowledged is None:
        lost = "stranded records not measured"
    else:
        lost = f"{records(stranded)} stranded of {acknowledged:,} acknowledged"
    duplicates = "duplicates not measured" if report.duplicates is None else f"{report.duplicates:,} consumed twice"
    order = "order not measured" if report.out_of_order is None else f"{report.out_of_order:,} out of order"
    skipped = f", {report.never_consumed:,} never consumed" if report.never_consumed else ""
    return f"{lost}, {duplicates}, {order}{skipped}"


def offsets(ranges: list[tuple[int, int]], most: int = 4) -> str:
    """Ranges of offsets, at most `most` of them."""
    shown = [str(first) if first == last else f"{first}\u2013{last}" for first, last in ranges[:most]]
    if len(ranges) > most:
        shown.append(f"and {len(ranges) - most} more ranges")
    return ", ".join(shown)
