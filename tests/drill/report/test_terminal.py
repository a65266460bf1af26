"""The terminal at 80 columns, and plain lines where there is none."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from command.progress import StepProgress
from drill.clients.live import Traffic
from drill.report import Report
from drill.terminal import Event, SiteStatus, Snapshot, picture, print_summary, view

LONG = "alarm failover-orders-east-kafka went to ALARM, and this text is far too long for eighty columns"
BEFORE = Snapshot(
    scenario="region-loss",
    phase="traffic flows",
    elapsed=5.0,
    sites=(
        SiteStatus(name="east", role="active", kafka=True, rest=True, gateway=True),
        SiteStatus(name="west", role="standby", kafka=True, rest=True, gateway=None),
    ),
    hostname="kafka.orders.example.com",
    dns_answer="gw-east.orders.example.com",
    steps=(StepProgress(name="claim"), StepProgress(name="promote_mirrors")),
    acknowledged=Traffic((500,) * 48, (0,) * 48),
    consumed=Traffic((500,) * 48, (0,) * 48),
    events=(Event(1.0, "both sites are up"),),
)
AFTER = Snapshot(
    scenario="region-loss",
    phase="the standby takes over",
    elapsed=30.0,
    since_loss=22.5,
    sites=(
        SiteStatus(name="east", role="active", kafka=False, rest=False, gateway=False),
        SiteStatus(name="west", role="standby", kafka=True, rest=True, gateway=True),
    ),
    hostname="kafka.orders.example.com",
    dns_answer="gw-west.orders.example.com",
    steps=(
        StepProgress(name="claim", state="done", seconds=0.21),
        StepProgress(name="promote_mirrors", state="running", seconds=0.4, awaits="to be STOPPED: payments"),
    ),
    acknowledged=Traffic((500,) * 20 + (0,) * 28, (0,) * 40 + (13_000,) + (500,) * 7),
    consumed=Traffic((500,) * 20 + (0,) * 28, (0,) * 40 + (13_000,) + (500,) * 7),
    events=(Event(1.0, "both sites are up"), Event(29.0, LONG)),
)


def drawn(snapshot: Snapshot, *, plain: bool = False) -> list[str]:
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    with console.capture() as capture:
        console.print(picture(snapshot, 80, plain=plain))
    return capture.get().splitlines()


@pytest.mark.parametrize(
    "snapshot", [BEFORE, AFTER, Snapshot(scenario="region-loss", phase="the world comes up", elapsed=0.0)]
)
def test_the_view_keeps_to_eighty_columns(snapshot: Snapshot) -> None:
    assert {len(line) for line in drawn(snapshot)} == {80}


def test_the_view_does_not_change_its_height_while_events_come_in() -> None:
    assert len(drawn(BEFORE)) == len(drawn(AFTER))


def test_the_view_shows_clock_sites_steps_rates_and_events() -> None:
    text = "\n".join(drawn(AFTER))
    for shown in ("22.5 s since the loss", "gw-west", "promote_mirrors", "0.4 s", "awaits", "500/s", "29.0 s", "down"):
        assert shown in text


def test_a_terminal_without_unicode_gets_ascii() -> None:
    assert all(line.isascii() for line in drawn(AFTER, plain=True))


def test_without_a_terminal_every_change_is_one_line_and_nothing_is_said_twice() -> None:
    out = io.StringIO()
    with view(Console(file=out, width=80)) as shown:
        for snapshot in (BEFORE, BEFORE, AFTER, AFTER):
            shown.update(snapshot)
    lines = out.getvalue().splitlines()
    assert "\x1b" not in out.getvalue()
    assert len(lines) == len(set(lines))
    assert f"  29.00 s  {LONG}" in lines
    assert "  30.00 s  site east: kafka down, rest down, gateway down" in lines
    assert "  30.00 s  claim: done after 0.21 s" in lines
    assert "  30.00 s  promote_mirrors: running, awaits to be STOPPED: payments" in lines
    assert sum("kafka.orders.example.com" in line for line in lines) == 2
    times = [float(line.split()[0]) for line in lines]
    assert times == sorted(times)


def test_the_live_view_leaves_nothing_behind_but_what_is_printed_after() -> None:
    out = io.StringIO()
    console = Console(file=out, width=80, height=40, force_terminal=True)
    with view(console) as shown:
        shown.update(AFTER)
    assert "since the loss" in out.getvalue()
    assert "\x1b[2K" in out.getvalue()


def test_the_summary_has_the_figures_and_where_the_report_is(report: Report) -> None:
    out = io.StringIO()
    print_summary(Console(file=out, width=200), report, Path("drill-reports/latest"))
    text = out.getvalue()
    for shown in ("Recovered in 25.4 s", "996", "26,700", "detection", "drill-reports/latest/report.html"):
        assert shown in text
    assert max(map(len, text.splitlines())) == 80


def test_the_summary_says_what_was_not_measured(report: Report) -> None:
    out = io.StringIO()
    missing = report.model_copy(update={"unmeasured": ["loss: the standby's log could not be read"]})
    print_summary(Console(file=out, width=80), missing, Path("x"))
    assert "loss: the standby's log could not be read" in out.getvalue()
