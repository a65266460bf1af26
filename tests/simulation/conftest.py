"""Lives are lived in a process of their own: it is never as before again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


class Lives:
    """Runs `python -m simulation`, or another module that lives lives."""

    def run(
        self, *arguments: str, module: str = "simulation", timeout: float = 580
    ) -> subprocess.CompletedProcess[str]:
        """What it said, and its exit code."""
        return subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env={name: value for name, value in os.environ.items() if name != "PYTHONHASHSEED"} | {"TZ": "UTC"},
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )


@pytest.fixture(scope="session")
def lives() -> Lives:
    return Lives()
