"""The pictures of the README, of a drill that was played: its page, and what the terminal showed at its end."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from rich.console import Console

from drill.report.model import Report
from drill.terminal import summary

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "chrome")
SIZE: Final = (1180, 1500)
"""Of the page's picture, in pixels."""
DRAWING_S: Final = 60
COLUMNS: Final = 80


class NoPicture(RuntimeError):
    """A picture could not be made."""


def draw(reported: Path, folder: Path) -> list[Path]:
    """Make the pictures of the report in a directory; which they are.

    Raises:
        NoPicture: there is no report, or no browser to draw it.
    """
    try:
        report = Report.model_validate_json((reported / "report.json").read_text())
    except (OSError, ValueError) as error:
        raise NoPicture(f"{reported} has no report of a loss: play one with `make drill` ({error})") from None
    return [_page(reported / "report.html", folder / "drill-report.png"), _terminal(report, folder)]


def _page(page: Path, picture: Path) -> Path:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise NoPicture(f"no browser here draws the page: install one of {', '.join(BROWSERS)}")
    options = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars")
    drawn = (f"--window-size={SIZE[0]},{SIZE[1]}", f"--screenshot={picture}", page.resolve().as_uri())
    try:
        subprocess.run([browser, *options, *drawn], capture_output=True, check=True, timeout=DRAWING_S)
    except (subprocess.SubprocessError, OSError) as error:
        raise NoPicture(f"{browser} did not draw {page}: {error}") from None
    return picture


def _terminal(report: Report, folder: Path) -> Path:
    picture = folder / "drill-terminal.svg"
    console = Console(file=io.StringIO(), record=True, width=COLUMNS, force_terminal=True)
    console.print(summary(report, Path("drill-reports/latest"), COLUMNS))
    drawn = console.export_svg(title="make drill")
    # No picture of ours asks another host for a font.
    picture.write_text(re.sub(r"@font-face \{.*?\}", "", drawn, flags=re.DOTALL), encoding="utf-8")
    return picture
