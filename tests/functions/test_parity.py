"""The parity check, run as a person runs it, on two clusters."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]


def parity(plan: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "plan.yaml"
    file.write_text(plan)
    command = [sys.executable, "-m", "gateway.parity", str(file)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_fleets_are_compared_and_what_could_not_be_looked_at_is_said(cfk: Any, aws: Any, tmp_path: Path) -> None:
    plan_text = (ROOT / "plans" / "orders.yaml").read_text()
    text, fleets = cfk(plan_text, sites=("east", "west"), instances=1)
    alike = parity(text, tmp_path)
    assert (alike.returncode, alike.stdout) == (0, "the fleets of east and west are alike\n"), alike.stderr
    fleets["west"].trouble("annotations", {"gateway": "gateway-west", "annotations": {"not": "compared"}})
    assert parity(text, tmp_path).returncode == 0
    fleets["west"].trouble("api", {"gone": True})
    gone = parity(text, tmp_path)
    assert gone.returncode == 2 and "EKS cluster eks-west" in gone.stderr
