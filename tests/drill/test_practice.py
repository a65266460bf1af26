"""A practice, run as its user runs it: clients are led away and home, and no record is lost on the way."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 420


@pytest.mark.exhaustive
@pytest.mark.timeout(LIMIT_S + 20)
def test_clients_are_led_away_and_home_and_the_evidence_is_kept(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "drill", "run", "practice", "--reports", str(tmp_path)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    report = json.loads((tmp_path / "latest" / "report.json").read_text())
    assert [execution["outcome"] for execution in report["executions"]] == ["succeeded"] * 2
    assert (report["active_site"], report["mirrors_back"]) == ("east", 4)
    assert (report["lost"], report["missing"], report["out_of_order"]) == (0, 0, 0)
    evidence = report["evidence"]
    assert (evidence["outcome"], evidence["started_by"]) == ("succeeded", "drill")
    for way in (evidence["there"], evidence["back"]):
        assert way["lost_records"] == 0 and 0 < way["fenced_seconds"] < way["recovery_seconds"]
