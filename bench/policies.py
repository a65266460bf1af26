"""What each policy makes of blips, failovers a year if there is one a week, beside the time to decide on a loss."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from bench.drills import ROOT
from bench.result import NotMeasured, Result


def measure() -> list[Result]:
    """Live the lives, in a process of their own: the simulation patches it.

    Raises:
        NotMeasured: if it does not end as it should.
    """
    command = [sys.executable, "-m", "simulation.blips", "--json"]
    lived = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=3600)
    try:
        return results(json.loads(lived.stdout.splitlines()[-1]))
    except (IndexError, ValueError):
        raise NotMeasured(f"the simulation ended with {lived.returncode}: {lived.stderr[-500:]}") from None


def results(figures: Mapping[str, Any]) -> list[Result]:
    """One for the time to decide, and one for each length of a blip, by policy."""
    rows = []
    for policy, of_policy in figures.items():
        label = f"policies.{policy.replace(' ', '_')}"
        rows.append(Result(name=f"{label}.to_decide", value=of_policy["to_decide"], unit="s, median", limit=None))
        rows += [
            Result(name=f"{label}.blips_of_{seconds}_s", value=failovers, unit="failovers a year", limit=None)
            for seconds, failovers in of_policy["failovers_a_year"].items()
        ]
    return rows
