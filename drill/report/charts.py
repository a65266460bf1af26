"""The report's charts, drawn by matplotlib as SVG that takes its colours from the page's CSS variables.

A chart is drawn once and fits light, dark and print: it is drawn in placeholder colours, which are then replaced by
`var(--name)`. Text stays text, in the page's font.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from drill.report.model import Report, Step
from drill.report.wording import seconds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Placeholder colour -> CSS variable of the page.
INK, QUIET, RULE, LOST, STANDBY = "#010203", "#010204", "#010205", "#010206", "#010207"
LOSS, ALARM, DNS, STEP, STOPPED, GAP = "#010208", "#010209", "#01020a", "#01020b", "#01020c", "#01020d"
VARIABLES = {
    INK: "--ink",
    QUIET: "--quiet",
    RULE: "--rule",
    LOST: "--lost",
    STANDBY: "--standby",
    LOSS: "--bad",
    ALARM: "--warn",
    DNS: "--standby",
    STEP: "--step",
    STOPPED: "--bad",
    GAP: "--bad-wash",
}
MARKS = {"loss": (LOSS, "-"), "alarm": (ALARM, "--"), "DNS flipped": (DNS, "--")}
"""Moments that are lines over all of it, with their colour and style."""
WASH = {"boxstyle": "square,pad=0.15", "facecolor": GAP, "linewidth": 0}
"""What lines do not shine through."""
PIXELS = 72
STEADY_MULTIPLE = 2.6
SHORTEST_BAR_PX = 4.0
RIGHT_PX = 14
"""Beside the right end of every axis."""
LETTER = 0.62
"""How wide a letter is at most, of the font's size."""
MARK_ROW_PX = 16
NUDGE = 4
"""Pixels between a line and its name."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """A chart's width, the margin on its left for the names of steps, and its font's size, all in pixels."""

    name: str
    width: int
    font: float
    margin: int = 0
    mark_rows: int = 3
    """For the names of marks, above the chart."""

    def fitted(self, steps: list[Step]) -> Size:
        """With room for the longest name of a step; a letter is up to `LETTER` of the font's size wide."""
        longest = max((len(step.name) for step in steps), default=0)
        return replace(self, margin=max(60, round(longest * self.font * LETTER) + 10))


WIDE = Size(name="wide", width=1040, font=12)
NARROW = Size(name="narrow", width=380, font=10.5)


def timeline(report: Report, size: Size) -> str:
    """Every step, and under it on the same axis the records acknowledged and consumed a second, by cluster."""
    steps = report.timeline
    size = size.fitted(steps)
    first, last = _span(report)
    heights = [22 * max(len(steps), 1) + 8, 120, 120]
    figure, axes = _figure(size, heights, top=12 + MARK_ROW_PX * size.mark_rows, bottom=44, gap=30)
    for axis in axes:
        axis.set_xlim(first, last)
    _gantt(axes[0], steps, size, figure)
    rates = report.rates
    x = [rate.second + 0.5 for rate in rates]
    lines = [moment.at for moment in report.moments if moment.name in MARKS]
    steady = max(report.target_rate, 1.0)
    for axis, title, lost, standby in (
        (
            axes[1],
            "acknowledged a second",
            [r.acknowledged_by_lost_site for r in rates],
            [r.acknowledged_by_standby for r in rates],
        ),
        (
            axes[2],
            "consumed a second",
            [r.consumed_from_lost_site for r in rates],
            [r.consumed_from_standby for r in rates],
        ),
    ):
        _traffic(axis, figure, x, lost=lost, standby=standby, steady=steady, lines=lines, size=size)
        axis.set_title(title, loc="left", fontsize=size.font, color=QUIET, pad=6)
    _marks(axes, report, size, figure)
    _gap(axes[1], report, size, figure)
    axes[2].set_xlabel("seconds from the loss", color=QUIET, fontsize=size.font)
    for axis in axes[:2]:
        axis.tick_params(labelbottom=False)
    return _svg(figure, f"timeline-{size.name}")


def _span(report: Report) -> tuple[float, float]:
    ends = [step.ended if step.ended is not None else step.started for step in report.timeline]
    seconds = [rate.second for rate in report.rates]
    first = min([*seconds, *(m.at for m in report.moments), -1.0])
    return float(first), max([*(s + 1.0 for s in seconds), *(e + 1.0 for e in ends), 1.0])


def _figure(size: Size, heights: list[int], *, top: int, bottom: int, gap: int) -> tuple[Figure, list[Any]]:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    height = sum(heights) + top + bottom + gap * (len(heights) - 1)
    with rc_context({"font.size": size.font}):
        figure = Figure(figsize=(size.width / PIXELS, height / PIXELS), dpi=PIXELS)
        axes, at = [], height - top
        for one in heights:
            at -= one
            box = (
                size.margin / size.width,
                at / height,
                (size.width - size.margin - RIGHT_PX) / size.width,
                one / height,
            )
            axes.append(figure.add_axes(box))
            at -= gap
    figure.patch.set_visible(False)
    for axis in axes:
        axis.patch.set_visible(False)
        for side in ("top", "right", "left"):
            axis.spines[side].set_visible(False)
        axis.spines["bottom"].set_color(RULE)
        axis.tick_params(colors=QUIET, labelcolor=QUIET, length=0, labelsize=size.font, pad=6)
        axis.grid(axis="x", color=RULE, linewidth=0.6)
        axis.set_axisbelow(True)
    return figure, axes


def _gantt(axis: Axes, steps: list[Step], size: Size, figure: Figure) -> None:
    first, last = axis.get_xlim()
    pixel = (last - first) / (figure.get_figwidth() * PIXELS - size.margin - RIGHT_PX)
    for row, step in enumerate(steps):
        ended = last if step.ended is None else step.ended
        width = max(ended - step.started, SHORTEST_BAR_PX * pixel)
        done = step.ended is not None and step.status not in {"failed", "timed-out", "aborted"}
        axis.barh(row, width, left=step.started, height=0.62, color=STEP if done else STOPPED, linewidth=0)
    axis.set_yticks(range(len(steps)), [step.name for step in steps])
    axis.tick_params(axis="y", labelcolor=INK)
    axis.set_ylim(max(len(steps), 1) - 0.4, -0.6)


def _traffic(
    axis: Axes,
    figure: Figure,
    x: list[float],
    lost: list[int],
    standby: list[int],
    steady: float,
    lines: list[float],
    size: Size,
) -> None:
    pixels_a_second = _pixels_right_of(axis, axis.get_xlim()[0] + 1, figure, size)
    ceiling = steady * STEADY_MULTIPLE
    highest = max([a + b for a, b in zip(lost, standby, strict=True)], default=0)
    top = min(ceiling, max(highest * 1.15, steady * 1.3))
    axis.bar(x, lost, width=0.86, color=LOST, linewidth=0)
    axis.bar(x, standby, width=0.86, bottom=lost, color=STANDBY, linewidth=0)
    axis.set_ylim(0, top)
    axis.set_yticks([0, steady, steady * 2] if top > steady * 2 else [0, steady])
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axis.grid(axis="y", color=RULE, linewidth=0.6)
    # A backlog drained in one second would flatten everything else: the bar is cut, its figure says so. Of several that
    # stand close together the highest has its figure, for there is no room for more.
    first, last = axis.get_xlim()
    cut = sorted(((a + b, at) for at, a, b in zip(x, lost, standby, strict=True) if a + b > top), reverse=True)
    covered = [(line, line) for line in lines]
    for records, at in cut:
        words = f"\u25b2 {records:,}"
        width = len(words) * size.font * LETTER / pixels_a_second
        for align, begin in (("left", at + 0.8), ("right", at - 0.8 - width)):
            if first <= begin and begin + width <= last and not _overlaps((begin, begin + width), covered):
                at_end = begin if align == "left" else begin + width
                axis.text(at_end, top * 0.9, words, fontsize=size.font - 1, color=INK, va="center", ha=align)
                covered.append((begin, begin + width))
                break


def _overlaps(span: tuple[float, float], covered: list[tuple[float, float]]) -> bool:
    """Whether a span has a part that another one covers."""
    return any(span[0] < end and begin < span[1] for begin, end in covered)


def _marks(axes: list[Any], report: Report, size: Size, figure: Figure) -> None:
    at = {moment.name: moment.at for moment in report.moments}
    covered: list[tuple[int, float, float]] = []
    for name, (colour, style) in MARKS.items():
        if name not in at:
            continue
        for axis in axes:
            axis.axvline(at[name], color=colour, linewidth=1.4, linestyle=style, zorder=3)
        place = _free_place(_pixels_right_of(axes[0], at[name], figure, size), name, size, covered)
        covered.append(place.span)
        axes[0].annotate(
            name,
            (at[name], 1),
            xycoords=("data", "axes fraction"),
            xytext=(-NUDGE if place.align == "right" else NUDGE, 6 + MARK_ROW_PX * place.row),
            textcoords="offset points",
            ha=place.align,
            fontsize=size.font,
            color=colour,
            annotation_clip=False,
        )


@dataclass(frozen=True)
class _Place:
    """Where the name of a mark stands: on which side of its line, in which row above the chart."""

    align: str
    row: int
    span: tuple[int, float, float]
    """The row, and the pixels from the left margin that it covers."""


def _free_place(line: float, name: str, size: Size, covered: list[tuple[int, float, float]]) -> _Place:
    """The first place where it covers no other name and ends within the picture."""
    width = len(name) * size.font * LETTER + 3 * NUDGE
    places = [
        _Place(align, row, (row, line - width, line) if align == "right" else (row, line, line + width))
        for row in range(size.mark_rows)
        for align in ("left", "right")
    ]
    for place in places:
        row, begin, end = place.span
        within = begin >= -size.margin and end <= size.width - size.margin
        if within and not _overlaps((begin, end), [(since, until) for other, since, until in covered if other == row]):
            return place
    return places[-1]


def _pixels_right_of(axis: Axes, at: float, figure: Figure, size: Size) -> float:
    """How far a moment is from the left end of an axis."""
    first, last = axis.get_xlim()
    return (at - first) / (last - first) * (figure.get_figwidth() * PIXELS - size.margin - RIGHT_PX)


def _gap(axis: Axes, report: Report, size: Size, figure: Figure) -> None:
    """The time without an acknowledgement, as far as it counts: the RTO, with as many words as fit."""
    total = report.rto.total
    if not total:
        return
    axis.axvspan(0, total, color=GAP, linewidth=0, zorder=0)
    room = _pixels_right_of(axis, total, figure, size) - _pixels_right_of(axis, 0.0, figure, size)
    whole = f"{seconds(total)} until the standby answers"
    text = next((words for words in (whole, seconds(total)) if len(words) * size.font * LETTER < room), "")
    middle = axis.get_ylim()[1] * 0.45
    axis.text(total / 2, middle, text, ha="center", va="center", fontsize=size.font, color=LOSS, zorder=4, bbox=WASH)


def _svg(figure: Figure, name: str) -> str:
    """The figure as an SVG element: no size of its own, colours by CSS variable, ids unique on the page."""
    from matplotlib import rc_context

    text = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'^<svg[^>]*viewBox="([^"]+)"[^>]*>', r'<svg viewBox="\1" aria-hidden="true">', svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    svg = re.sub(r'xlink:href="#([^"]+)"', rf'href="#{name}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", svg)
    for colour, variable in VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    return svg
