"""A region is lost with every plan in it at once, in virtual time, within the limits of one account: how long it takes
until the last plan is judged, its record changed, its name in sync, and how many plans are stopped.

Names are in one hosted zone, or in one of each plan's own; fleets lead to the standby already, or have to be deployed
first, whose start is Fargate's and holds up the record by so much.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from bench.result import NotMeasured, Result

JUDGED_S: Final = 10.0
LIMITS: Final = {40: (30.0, 90.0), 200: (60.0, 150.0)}
"""By the number of plans: until every record is changed, and until every name is in sync."""
SETTINGS: Final = {
    "one_zone": [],
    "zones": ["--zones", "each"],
    "deployed": ["--deploy"],
}
_ROOT: Final = Path(__file__).resolve().parent.parent


def measure() -> list[Result]:
    """Every number of plans, in every setting."""
    results: list[Result] = []
    for plans, (changed_s, in_sync_s) in LIMITS.items():
        for setting, arguments in SETTINGS.items():
            figures = _lost(["--plans", str(plans), *arguments])
            label, deployed = f"many.{plans}.{setting}", "--deploy" in arguments
            limits = {
                "judged": JUDGED_S,
                "changed": None if deployed else changed_s,
                "in_sync": None if deployed else in_sync_s,
            }
            results += [
                Result(name=f"{label}.{figure}", value=figures[f"{figure}_s"], unit="s", limit=limit)
                for figure, limit in limits.items()
            ]
            results.append(Result(name=f"{label}.stopped", value=figures["stopped"], unit="plans", limit=0))
    return results


def _lost(arguments: list[str]) -> dict[str, Any]:
    """The simulation patches its process: it has its own."""
    command = [sys.executable, "-m", "simulation.region_loss", *arguments]
    lost = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    try:
        figures: dict[str, Any] = json.loads(lost.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        raise NotMeasured(f"the simulation ended with {lost.returncode}: {lost.stderr[-500:]}") from None
    return figures
