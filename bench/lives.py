"""Whole lives of a plan in virtual time: how many there is time for, what faults they survive, and how good the
controller's decisions are by policy.

A failover is false if clients could work on the active site all through the ten seconds before it. An outage is missed
if it lasts for two and a half minutes, the standby is well, nothing holds the controller back, and nothing is failed
over. Shorter ones, and flapping, may go either way and are counted by themselves.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from bench.result import NotMeasured, Result

SEEDS: Final = 1000
NOTIFIED_WITHIN_S: Final = 60.0
EXECUTIONS_A_MINUTE: Final = 300
"""On two cores: three thousand in ten minutes."""
_ROOT: Final = Path(__file__).resolve().parent.parent


def measure() -> list[Result]:
    """Lives, faults, and decisions by policy; over `SEEDS` seeds, on every core."""
    began = time.monotonic()
    figures = _lived(SEEDS)
    minutes = (time.monotonic() - began) / 60
    survived = figures["faults"] - figures["faults_lost"]
    rate = figures["executions"] / minutes
    results = [
        Result(name="lives.a_minute", value=figures["lives"] / minutes, unit="lives", limit=None),
        Result(name="lives.executions", value=rate, unit="a minute", limit=EXECUTIONS_A_MINUTE, at_least=True),
        Result(name="lives.faults_tried", value=figures["faults"], unit="calls", limit=None),
        Result(name="lives.faults_survived", value=survived, unit="calls", limit=None),
        Result(name="lives.faults_lost", value=figures["faults_lost"], unit="calls", limit=0),
        Result(name="lives.broken_promises", value=figures["broken"], unit="promises", limit=0),
        Result(name="lives.longest_unheard", value=figures["longest_s"], unit="s", limit=NOTIFIED_WITHIN_S),
    ]
    for policy, of_policy in figures["policies"].items():
        results += _decisions(f"lives.{policy.replace(' ', '_')}", of_policy)
    return results


def _decisions(label: str, decisions: dict[str, Any]) -> list[Result]:
    results = [
        Result(name=f"{label}.false_failovers", value=decisions["false"], unit="failovers", limit=0),
        Result(name=f"{label}.missed_outages", value=decisions["missed"], unit=f"of {decisions['must']}", limit=0),
        Result(name=f"{label}.either_way", value=decisions["either_way"], unit="failovers", limit=None),
    ]
    if to_decide := decisions["to_decide"]:
        median = statistics.median(to_decide)
        results.append(Result(name=f"{label}.to_decide", value=median, unit="s, median", limit=None))
        results.append(Result(name=f"{label}.to_decide_worst", value=max(to_decide), unit="s", limit=None))
    return results


def _lived(seeds: int) -> dict[str, Any]:
    """The simulation patches its process: it has its own."""
    command = [sys.executable, "-m", "simulation", "--seeds", str(seeds), "--processes", str(os.cpu_count()), "--json"]
    lived = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    try:
        figures: dict[str, Any] = json.loads(lived.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        raise NotMeasured(f"the simulation ended with {lived.returncode}: {lived.stderr[-500:]}") from None
    return figures
