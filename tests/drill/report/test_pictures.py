"""The README's pictures are made of a report, or it is said why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from drill import pictures
from drill.pictures import NoPicture, draw
from drill.report import Report


def test_what_the_terminal_showed_is_drawn_with_its_figures(report: Report, tmp_path: Path) -> None:
    drawn = pictures._terminal(report, tmp_path).read_text()
    assert "Recovered" in drawn and "</svg>" in drawn and "@font-face" not in drawn


def test_without_a_report_or_a_browser_it_is_said_what_to_do(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NoPicture, match="make drill"):
        draw(tmp_path / "none", tmp_path)
    (tmp_path / "report.json").write_text(report.model_dump_json())
    monkeypatch.setattr(pictures, "BROWSERS", ())
    with pytest.raises(NoPicture, match="install one of"):
        draw(tmp_path, tmp_path)
