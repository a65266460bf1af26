"""The drill in the terminal: a live view of `Snapshot`s, the summary of a `Report`; plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from command.progress import StepProgress, awaits_line, steps_table
from drill.clients.live import Traffic
from drill.report import wording
from drill.report.model import Report
from drill.report.rto import PARTS

FRAMES_A_SECOND = 8
EVENTS_SHOWN = 5
LOST, STANDBY = "dark_orange", "dodger_blue1"
PART_STYLES = dict(
    zip(PARTS, ("grey58", "medium_purple", "dodger_blue1", "cyan", "green3", "dark_orange"), strict=True)
)


@dataclass(frozen=True, kw_only=True)
class SiteStatus:
    """What of a site answers; None: not known yet."""

    name: str
    role: str
    kafka: bool | None = None
    rest: bool | None = None
    gateway: bool | None = None


@dataclass(frozen=True)
class Event:
    """Something that happened; `at` is in seconds since the drill began."""

    at: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The drill at one moment. `elapsed` and `since_loss` are seconds; no loss yet: None."""

    scenario: str
    phase: str
    elapsed: float
    since_loss: float | None = None
    sites: tuple[SiteStatus, ...] = ()
    hostname: str = ""
    dns_answer: str | None = None
    steps: tuple[StepProgress, ...] = ()
    acknowledged: Traffic = field(default_factory=Traffic)
    consumed: Traffic = field(default_factory=Traffic)
    events: tuple[Event, ...] = ()


class View(Protocol):
    """Something that shows snapshots."""

    def update(self, snapshot: Snapshot) -> None:
        """Show this one; cheap, may be called as often as there is news."""


@contextmanager
def view(console: Console) -> Iterator[View]:
    """A live view in a terminal, lines of text elsewhere. Nothing of the live view stays behind."""
    if not console.is_terminal:
        yield LineView(console)
        return
    with Live(console=console, refresh_per_second=FRAMES_A_SECOND, transient=True, vertical_overflow="crop") as live:
        yield LiveView(live, console)


class LiveView:
    """Draws over the last picture, at most `FRAMES_A_SECOND` times a second."""

    def __init__(self, live: Live, console: Console) -> None:
        self._live = live
        self._console = console

    def update(self, snapshot: Snapshot) -> None:
        """Show this snapshot with the next frame."""
        self._live.update(picture(snapshot, self._console.width, plain=self._console.options.ascii_only))


class LineView:
    """Writes a line for whatever is new since the last snapshot."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._printed: set[str] = set()
        self._last: dict[str, str] = {}
        self._time = 0.0

    def update(self, snapshot: Snapshot) -> None:
        """Say what changed, in the order of its time."""
        for at, text in sorted(self._news(snapshot), key=lambda news: news[0]):
            self._time = max(self._time, at)
            self._console.print(f"{self._time:7.2f} s  {text}", markup=False, highlight=False, soft_wrap=True)

    def _news(self, snapshot: Snapshot) -> Iterator[tuple[float, str]]:
        at = snapshot.elapsed
        yield from self._changed(at, "phase", snapshot.phase)
        for event in snapshot.events:
            if (key := f"{event.at:.3f} {event.text}") not in self._printed:
                self._printed.add(key)
                yield event.at, event.text
        for site in snapshot.sites:
            parts = {"kafka": site.kafka, "rest": site.rest, "gateway": site.gateway}
            answers = ", ".join(f"{name} {_up(up)}" for name, up in parts.items())
            yield from self._changed(at, f"site {site.name}", answers)
        if snapshot.dns_answer is not None:
            yield from self._changed(at, snapshot.hostname, snapshot.dns_answer)
        for step in snapshot.steps:
            if step.state != "to come" and self._last.get(step.name) != step.state:
                self._last[step.name] = step.state
                took = f" after {step.seconds:.2f} s" if step.seconds is not None and step.state != "running" else ""
                waits = f", awaits {step.awaits}" if step.awaits else ""
                yield at, f"{step.name}: {step.state}{took}{waits}"

    def _changed(self, at: float, what: str, now: str) -> Iterator[tuple[float, str]]:
        if self._last.get(what) != now:
            self._last[what] = now
            yield at, f"{what}: {now}"


def picture(snapshot: Snapshot, width: int, *, plain: bool = False) -> RenderableType:
    """The live view of a snapshot, `width` columns wide; `plain`: in ASCII."""
    width = min(width, 110)
    clock = Text(f"{snapshot.elapsed:5.1f} s")
    if snapshot.since_loss is not None:
        clock = Text(f"{snapshot.since_loss:.1f} s since the loss", style="bold red")
    head = Table.grid(expand=True)
    head.add_column(no_wrap=True, overflow="crop" if plain else "ellipsis")
    head.add_column(justify="right", no_wrap=True)
    head.add_row(Text.assemble((snapshot.scenario, "bold"), "  ", (snapshot.phase, "cyan")), clock)
    middle = Table.grid(expand=True, padding=(0, 2))
    middle.add_column(ratio=1)
    middle.add_column(ratio=1)
    middle.add_row(_sites(snapshot, plain), steps_table(snapshot.steps, plain=plain, narrow=True))
    body = Group(
        head,
        Text(),
        middle,
        awaits_line(snapshot.steps, plain=plain),
        _traffic("acknowledged/s", snapshot.acknowledged, width - 30, plain),
        _traffic("consumed/s", snapshot.consumed, width - 30, plain),
        Text(),
        _events(snapshot, plain),
    )
    return Panel(body, width=width, border_style="grey42", box=box.ASCII if plain else box.ROUNDED, padding=(0, 1))


def summary(report: Report, where: Path, width: int = 80, *, plain: bool = False) -> RenderableType:
    """What the drill found, and where its report is."""
    good = report.complete
    style = "green3" if good else "red" if not report.recovered else "yellow"
    width = min(width, 110)
    table = Table.grid(padding=(0, 3))
    table.add_column(style="grey62")
    table.add_column(justify="right")
    table.add_row("alarm to DNS", wording.seconds(report.alarm_to_dns))
    for client in report.clients:
        recovered = "never" if client.recovered_s is None else wording.seconds(client.recovered_s)
        own = (client.family, client.version) == (report.clients[0].family, report.clients[0].version)
        library = "" if own else f"{client.family} {client.version}, "
        table.add_row(f"{library}{client.role}, {client.settings} settings", recovered)
    table.add_row("stranded, measured", wording.count(report.loss.measured))
    table.add_row("stranded, as the controller estimated", wording.between(report.loss.estimated))
    table.add_row("consumed twice", wording.count(report.duplicates))
    table.add_row("out of order", wording.count(report.out_of_order))
    table.add_row("on the standby, never consumed", wording.count(report.never_consumed))
    table.add_row("acknowledged / consumed", f"{wording.count(report.acknowledged)} / {wording.count(report.consumed)}")
    body: list[RenderableType] = [
        Text(wording.headline(report), style=f"bold {style}"),
        Text(wording.cost(report)),
        Text(),
        _split(report, width - 4, plain),
        Text(),
        table,
    ]
    if report.plans:
        body += [Text(), Text(f"plans: {wording.plans(report.plans)}")]
        body += [Text(f"- {plan} {how}", style="red") for plan, how in report.plans.stopped.items()]
    if report.unmeasured:
        body += [Text(), Text("Not measured:", style="bold yellow")]
        body += [Text(f"- {reason}", style="yellow") for reason in report.unmeasured]
    body += [Text(), Text.assemble(("report  ", "grey62"), str(where / "report.html"), overflow="fold")]
    border = box.ASCII if plain else box.ROUNDED
    return Panel(Group(*body), title=f"drill {report.scenario}", width=width, border_style=style, box=border)


def print_summary(console: Console, report: Report, where: Path) -> None:
    """Print the summary; as wide as the terminal, 80 columns elsewhere."""
    width = console.width if console.is_terminal else 80
    console.print(summary(report, where, width, plain=console.options.ascii_only))


def _sites(snapshot: Snapshot, plain: bool) -> RenderableType:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="grey62", pad_edge=False)
    for name in ("site", "kafka", "rest", "gateway"):
        table.add_column(name, no_wrap=True)
    for site in snapshot.sites:
        table.add_row(
            Text(site.name, style="bold"), *(_light(up, plain) for up in (site.kafka, site.rest, site.gateway))
        )
        table.add_row(Text(f" {site.role}", style="grey62"))
    answer = snapshot.dns_answer or "no answer"
    return Group(table, Text(snapshot.hostname, style="grey62"), Text(f" -> {answer}", style="bold"))


def _light(up: bool | None, plain: bool) -> Text:
    mark = "*" if plain else "\u25cf"
    return Text("?" if up is None else f"{mark} {_up(up)}", style="grey62" if up is None else "green3" if up else "red")


def _up(up: bool | None) -> str:
    return "unknown" if up is None else "up" if up else "down"


def _traffic(name: str, traffic: Traffic, width: int, plain: bool) -> Text:
    """A column a second, as high as its records, in the colour of the cluster that most of them touched."""
    levels = " .:-=+*#%@" if plain else " \u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
    seconds = list(zip(traffic.lost_site, traffic.standby, strict=True))[-max(width, 1) :]
    totals = sorted(a + b for a, b in seconds if a + b)
    # The usual second fills three quarters: a backlog drained at once shall not flatten everything else.
    full = totals[len(totals) // 2] / 0.75 if totals else 1
    line = Text(f"{name:>14} ", style="grey62")
    for lost, standby in seconds:
        level = min(
            len(levels) - 1, max(1 if lost + standby else 0, round((lost + standby) / full * (len(levels) - 1)))
        )
        line.append(levels[level], style=LOST if lost >= standby else STANDBY)
    line.append(f" {traffic.now:>7,}/s", style="bold")
    line.no_wrap = True
    return line


def _events(snapshot: Snapshot, plain: bool) -> RenderableType:
    shown = snapshot.events[-EVENTS_SHOWN:]
    lines = [
        Text.assemble(
            (f"{event.at:6.1f} s  ", "grey62"), event.text, no_wrap=True, overflow="crop" if plain else "ellipsis"
        )
        for event in shown
    ]
    return Group(*lines, *[Text() for _ in range(EVENTS_SHOWN - len(shown))])


def _split(report: Report, width: int, plain: bool) -> RenderableType:
    parts = [(name, getattr(report.rto, name)) for name in PARTS]
    whole = sum(seconds or 0.0 for _, seconds in parts) or 1.0
    bar = Text(no_wrap=True)
    room = width - len(parts)
    legend = Table.grid(padding=(0, 3))
    cells = []
    for name, seconds in parts:
        if seconds:
            bar.append(("#" if plain else "\u2588") * max(1, int(seconds / whole * room)), style=PART_STYLES[name])
        cells.append(Text.assemble((f"{name:<10}", PART_STYLES[name]), f"{wording.seconds(seconds):>12}"))
    for row in range(0, len(cells), 3):
        legend.add_row(*cells[row : row + 3])
    return Group(bar, legend)
