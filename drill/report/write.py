"""Writes a report to a directory: `report.json` for machines, `report.html` for people."""

from __future__ import annotations

from pathlib import Path

from drill.report.html import page
from drill.report.model import Report


def write_report(directory: Path, report: Report) -> None:
    """Write `report.json` and `report.html`; the JSON is there even if the page can't be drawn.

    Raises:
        OSError: if the directory can't be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "report.json").write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")
    (directory / "report.html").write_text(page(report), encoding="utf-8")
