"""The report's sentences and figures, in the same words on the page and in the terminal. Pure."""

from __future__ import annotations

from typing import Literal

from drill.report.model import Comparison, Plans, Range, Report
from report import wording as words
from report.wording import records

UNMEASURED = "not measured"


def count(figure: float | None) -> str:
    """A number of records."""
    return UNMEASURED if figure is None else words.count(figure)


def between(figure: Range | None) -> str:
    """A number of records, from and to."""
    return "unknown" if figure is None else words.between(figure.low, figure.high)


def seconds(figure: float | None) -> str:
    """A duration in seconds; below ten seconds to the hundredth."""
    return UNMEASURED if figure is None else words.seconds(figure)


def compared(of: Comparison, which: Literal["controller", "measured", "difference"]) -> str:
    """A figure of a comparison; a difference with its sign, where there is one."""
    figure = of.controller if which == "controller" else of.measured if which == "measured" else of.difference
    match figure:
        case None:
            return "unknown" if which != "difference" or of.controller is None else ""
        case Range():
            return between(figure)
    signed = which == "difference"
    if of.unit == "s":
        return f"{figure:+.2f} s" if signed else seconds(figure)
    return f"{figure:+,.0f}" if signed else count(figure)


def headline(of: Report) -> str:
    """Whether the clients recovered, and how fast."""
    if not of.recovered:
        return "Not recovered"
    return f"Recovered in {seconds(of.rto.total)}" if of.rto.total is not None else "Recovered"


def cost(of: Report) -> str:
    """What the outage cost, in one line."""
    stranded, acknowledged = of.loss.measured, of.acknowledged
    if stranded is None or acknowledged is None:
        lost = "stranded records not measured"
    else:
        lost = f"{records(stranded)} stranded of {acknowledged:,} acknowledged"
    duplicates = "duplicates not measured" if of.duplicates is None else f"{of.duplicates:,} consumed twice"
    order = "order not measured" if of.out_of_order is None else f"{of.out_of_order:,} out of order"
    skipped = f", {of.never_consumed:,} never consumed" if of.never_consumed else ""
    return f"{lost}, {duplicates}, {order}{skipped}"


def plans(of: Plans) -> str:
    """How many plans failed over, and how long the last of them took."""
    moments = {"judged": of.last_judged, "its record changed": of.last_changed, "in sync": of.last_in_sync}
    last = ", ".join(f"{what} after {words.seconds(at)}" for what, at in moments.items() if at is not None)
    stopped = f"{len(of.stopped):,} stopped" if of.stopped else "none stopped"
    return f"{of.failed_over:,} of {of.count:,} failed over, {stopped}" + (f"; the last {last}" if last else "")


def offsets(ranges: list[tuple[int, int]], most: int = 4) -> str:
    """Ranges of offsets, at most `most` of them."""
    shown = [str(first) if first == last else f"{first}\u2013{last}" for first, last in ranges[:most]]
    if len(ranges) > most:
        shown.append(f"and {len(ranges) - most} more ranges")
    return ", ".join(shown)
