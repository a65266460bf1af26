"""Every scenario in virtual time ends as the table says, and breaks no promise; the documentation shows the table."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from simulation.scenarios import SCENARIOS, as_markdown

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_scenario_ends_as_it_is_written_and_breaks_no_promise() -> None:
    command = [sys.executable, "-m", "simulation.scenarios"]
    played = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    assert played == {
        row.name: {"executions": list(row.executions), "active": row.active, "broken": []} for row in SCENARIOS
    }


def test_the_documentation_shows_the_table_that_is_asserted() -> None:
    assert as_markdown() in (ROOT / "docs" / "scenarios.md").read_text()
