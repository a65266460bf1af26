"""One fault at every outgoing call of every function: how many were tried, ended as without it, and stopped."""

from __future__ import annotations

import json
import subprocess
import sys

from bench.drills import ROOT
from bench.result import NotMeasured, Result

ONE_IN = 10
"""Of the cases; all of them are in `make test-all`."""


def measure() -> list[Result]:
    """The counts by function."""
    command = [sys.executable, "-m", "simulation.crash_matrix", "--json", "--one-in", str(ONE_IN)]
    tried = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=3600)
    if not tried.stdout:
        raise NotMeasured(tried.stderr[-500:])
    results = []
    for function, count in json.loads(tried.stdout).items():
        name = f"single faults, {function}"
        results += [
            Result(name=f"{name}: tried", value=count["tried"], unit="", limit=None),
            Result(
                name=f"{name}: ended as without",
                value=count["ended as without"],
                unit="",
                limit=count["tried"] - count["given up"],
                at_least=True,
            ),
            Result(
                name=f"{name}: given up behind the fence, and put back", value=count["given up"], unit="", limit=None
            ),
            Result(
                name=f"{name}: told meanwhile why nothing is done", value=count["told meanwhile"], unit="", limit=None
            ),
            Result(name=f"{name}: stopped", value=count["stopped"], unit="", limit=0),
        ]
    return results
