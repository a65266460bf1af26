"""The rehearsal `region-loss`, several times: medians of what its clients saw, from its own reports."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from bench.result import NotMeasured, Result

ROOT: Final = Path(__file__).resolve().parent.parent
LATEST: Final = ROOT / "drill-reports" / "latest"
SCENARIO: Final = "region-loss"
RUNS: Final = 5
TIMEOUT_S: Final = 180
LONG_TIMEOUT_S: Final = 400.0
"""Of a drill in which every client is awaited, though some of them wait for a minute and more."""
UNFINISHED: Final = ROOT / "drill-reports" / "bench"
"""Reports of measurements that are not through, by commit."""


def measure() -> list[Result]:
    """Run the drill and sum up its reports.

    Raises:
        NotMeasured: if a drill fails, or a report lacks a number.
    """
    return summary([run() for _ in range(RUNS)])


def summary(reports: list[dict[str, Any]]) -> list[Result]:
    """The medians of the reports; of the memory the most, since that is what a machine must have."""

    def median(path: str) -> float:
        return statistics.median(number(report, path) for report in reports)

    memory = max(number(report, "world.peak_memory_mb") for report in reports)
    return [
        Result(name="drill.alarm_to_dns", value=median("alarm_to_dns"), unit="s", limit=3),
        Result(name="drill.rto", value=median("rto.total"), unit="s", limit=15),
        Result(name="drill.rto.detection", value=median("rto.detection"), unit="s", limit=None),
        Result(name="drill.world_up", value=median("world.up_seconds"), unit="s", limit=10),
        Result(name="drill.peak_memory", value=memory, unit="MB", limit=1450),
    ]


def run(*options: str, timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
    """One drill with these options, and its report.

    Raises:
        NotMeasured: if it fails, takes too long, or leaves no report of its own.
    """
    before = LATEST.resolve()
    command = [sys.executable, "-m", "drill", "run", SCENARIO, *options]
    try:
        process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        raise NotMeasured(f"the drill {SCENARIO} took more than {timeout_s:g} s") from None
    if process.returncode != 0:
        output = "\n".join((process.stdout + process.stderr).strip().splitlines()[-8:])
        raise NotMeasured(f"the drill {SCENARIO} failed (status {process.returncode}):\n{output}")
    path = LATEST.resolve() / "report.json"
    if path.parent == before or not path.exists():
        raise NotMeasured(f"the drill {SCENARIO} left no new report in {LATEST.parent.name}/")
    report: dict[str, Any] = json.loads(path.read_text())
    if not report.get("recovered"):
        raise NotMeasured(f"the clients of the drill in {path.parent.name} did not recover")
    return report


def repeated(name: str, *options: str) -> list[dict[str, Any]]:
    """The reports of as many drills with these options. Those that were played at this commit are not played again,
    until they are forgotten.

    Raises:
        NotMeasured: if a drill fails.
    """
    return [_once(_unfinished() / f"{name}-{turn}.json", options) for turn in range(RUNS)]


def forget(name: str) -> None:
    """Forget the reports whose names begin so."""
    for path in _unfinished().glob(f"{name}-*.json"):
        path.unlink()


def _once(path: Path, options: Sequence[str]) -> dict[str, Any]:
    if path.exists():
        report: dict[str, Any] = json.loads(path.read_text())
        return report
    report = run(*options, timeout_s=LONG_TIMEOUT_S)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report))
    return report


def _unfinished() -> Path:
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return UNFINISHED / (described.stdout.strip() or "no-commit")


def number(report: dict[str, Any], path: str) -> float:
    """The number at a path such as `rto.total`.

    Raises:
        NotMeasured: if there is none.
    """
    value: Any = report
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NotMeasured(f"a report has no number {path!r}, but {value!r}")
    return value
