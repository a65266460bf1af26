"""The pictures of the README, of a drill that was played: its page, and what the terminal showed at its end."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from rich.console import Console

from drill.report.model import Report
from drill.terminal import summary

PAGE: Final = "drill-report.png"
TERMINAL: Final = "drill-terminal.svg"
BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "chrome")
SIZE: Final = (1180, 4000)
"""Of the window that the page is drawn in, in pixels; what is empty below is cut off."""
BYTES_AT_MOST: Final = 150_000
FIRST_PARTS: Final = """<style>
  main > section:nth-of-type(n+4), main > section h3, main > section h3 ~ *, body > footer { display: none; }
  body { padding-bottom: 40px; }
</style></head>"""
"""What a picture of a page shows: its figures, its clients, its times, and its chart."""
MARGIN: Final = 24
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
    return [_page(reported / "report.html", folder / PAGE), _terminal(report, folder)]


def _page(page: Path, picture: Path) -> Path:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise NoPicture(f"no browser here draws the page: install one of {', '.join(BROWSERS)}")
    options = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars")
    with tempfile.TemporaryDirectory() as folder:
        shown, drawn = Path(folder) / "page.html", Path(folder) / "page.png"
        shown.write_text(page.read_text(encoding="utf-8").replace("</head>", FIRST_PARTS, 1), encoding="utf-8")
        sized = (f"--window-size={SIZE[0]},{SIZE[1]}", f"--user-data-dir={folder}/profile", f"--screenshot={drawn}")
        try:
            command = [browser, *options, *sized, shown.as_uri()]
            subprocess.run(command, capture_output=True, check=True, timeout=DRAWING_S)
            _without_what_is_empty(drawn, picture)
        except (subprocess.SubprocessError, OSError) as error:
            raise NoPicture(f"{browser} did not draw {page}: {error}") from None
    if (size := picture.stat().st_size) > BYTES_AT_MOST:
        raise NoPicture(f"{picture} has {size:,} bytes, and a picture has {BYTES_AT_MOST:,} at most")
    return picture


def _without_what_is_empty(drawn: Path, picture: Path) -> None:
    """The picture without its lower part that has the page's colour alone, in few colours, so that it is small."""
    from PIL import Image, ImageChops

    with Image.open(drawn) as whole:
        colours = whole.convert("RGB")
    empty = Image.new("RGB", colours.size, colours.getpixel((0, colours.height - 1)))
    box = ImageChops.difference(colours, empty).getbbox() or (0, 0, *colours.size)
    shown = colours.crop((0, 0, colours.width, min(colours.height, box[3] + MARGIN)))
    shown.quantize(128).save(picture, optimize=True)


def _terminal(report: Report, folder: Path) -> Path:
    picture = folder / TERMINAL
    console = Console(file=io.StringIO(), record=True, width=COLUMNS, force_terminal=True)
    console.print(summary(report, Path("drill-reports/latest"), COLUMNS))
    drawn = console.export_svg(title="make drill")
    # No picture of ours asks another host for a font.
    picture.write_text(re.sub(r"@font-face \{.*?\}", "", drawn, flags=re.DOTALL), encoding="utf-8")
    return picture
