"""The command line is installed with pip from the project, and works away from it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("pyproject.toml", "README.md", "LICENSE", "command", "gateway", "report", "requirements", "layers")


@pytest.mark.slow
def test_pip_installs_the_command_with_all_that_is_ours(tmp_path: Path) -> None:
    source, target = tmp_path / "project", tmp_path / "installed"
    source.mkdir()
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, source / part)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), str(source)]
    made = subprocess.run(pip, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    environment = {**os.environ, "PYTHONPATH": str(target)}
    command = [str(target / "bin/failover"), "plans", "check", str(ROOT / "plans/orders.yaml")]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
    assert ended.returncode == 0 and "plan orders is good" in ended.stdout, ended.stderr
    command[1:] = ["render", str(ROOT / "plans/orders.yaml")]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
    assert ended.returncode == 0 and (tmp_path / "rendered/orders/ecs.yaml").exists(), ended.stderr
