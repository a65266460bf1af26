"""What a policy makes of a blip is lived, not guessed: a short one is waited out, a long one is failed over for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.policies import results

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_a_blip_of_a_second_is_waited_out_and_one_of_half_a_minute_is_not() -> None:
    asked = ["--json", "--lives", "1", "--policy", "fast", "--seconds", "1", "--seconds", "30"]
    command = [sys.executable, "-m", "simulation.blips", *asked]
    lived = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    figures = json.loads(lived.stdout)
    assert figures["fast"]["failovers_a_year"] == {"1": 0.0, "30": 52.0}
    assert figures["fast"]["decided"] == 1 and 1.0 < figures["fast"]["to_decide"] < 30.0
    assert [result.value for result in results(figures)] == [figures["fast"]["to_decide"], 0.0, 52.0]
