"""A mutant and the tests that should notice it, in a process forked from one that has every package loaded."""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from cosmic_ray.mutating import use_mutation
from cosmic_ray.plugins import get_operator

from mutants.sample import ROOT, Mutant

SLACK_S: Final = 30.0
"""How much longer than ten times what they take the tests may take with a mutant, before it counts as noticed."""

QUICK_S: Final = 0.5


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a mutant."""

    mutant: Mutant
    survived: bool
    tests: int
    """How many tests reach it."""
    mutated_line: str

    def __str__(self) -> str:
        verdict = "noticed " if not self.survived else "survived" if self.tests else "unreached"
        return f"{verdict} {self.mutant}\n    now {self.mutated_line.strip()}   (of {self.tests} tests)"


class Chosen:
    """A pytest plugin that runs only these tests, in this order."""

    def __init__(self, tests: Sequence[str]) -> None:
        self.order = {test: number for number, test in enumerate(tests)}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep those that were chosen."""
        items[:] = sorted(
            (item for item in items if item.nodeid in self.order), key=lambda item: self.order[item.nodeid]
        )


def copy_tree(directory: Path) -> Path:
    """A copy of what git has, as it is now, compiled."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, directory / name)
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(directory)], check=True)
    return directory


def load_packages(names: Iterable[str]) -> None:
    """Import what the tests will, so that no process does it again."""
    for name in names:
        with contextlib.suppress(Exception):
            importlib.import_module(name)


def tried(mutant: Mutant, tree: Path, tests: Mapping[str, float]) -> Outcome:
    """Make it in a copy of the tree, and run the tests there, which take so many seconds without it, up to the first
    that fails: a file at a time, since most mutants need no second one, and the quick ones of all files first."""
    groups: dict[tuple[bool, str], dict[str, float]] = {}
    for test, seconds in tests.items():
        groups.setdefault((seconds > QUICK_S, test.partition("::")[0]), {})[test] = seconds
    with mutated(mutant, tree) as line:
        survived = all(_pass(tree, groups[group]) for group in sorted(groups, key=lambda group: group[0]))
    return Outcome(mutant=mutant, survived=survived, tests=len(tests), mutated_line=line)


def _pass(tree: Path, tests: Mapping[str, float]) -> bool:
    return in_tree(tree, lambda: run_tests(list(tests)), SLACK_S + 10 * sum(tests.values())) == 0


@contextlib.contextmanager
def mutated(mutant: Mutant, tree: Path) -> Iterator[str]:
    """The module with the change, and the line that it changed."""
    path = tree / mutant.module
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
        compiled.unlink()
    with use_mutation(path, get_operator(mutant.spec.operator_name)(), mutant.spec.occurrence) as (before, after):
        lines = zip(before.splitlines(), after.splitlines(), strict=False)
        yield next((new for old, new in lines if old != new), "")


def run_tests(tests: Sequence[str]) -> int:
    """Pytest's exit status of these tests."""
    files = dict.fromkeys(test.partition("::")[0] for test in tests)
    return int(pytest.main(["-x", "-q", "-p", "no:xdist", *files], plugins=[Chosen(tests)]))


def in_tree(tree: Path, task: Callable[[], int], seconds: float) -> int | None:
    """Do it in a process of its own in a copy of the tree; its exit status, or `None` if it does not end in time."""
    process = os.fork()
    if process == 0:
        status = 70
        try:
            os.setsid()
            os.chdir(tree)
            sys.path[:] = [str(tree), *(path for path in sys.path if Path(path or ".").resolve() != ROOT)]
            sys.dont_write_bytecode = True
            nowhere = os.open(os.devnull, os.O_RDWR)
            for stream in range(3):
                os.dup2(nowhere, stream)
            status = task()
        finally:
            os._exit(status)
    try:
        return _status(process, time.monotonic() + seconds)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process, signal.SIGKILL)


def _status(process: int, deadline: float) -> int | None:
    while time.monotonic() < deadline:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.killpg(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return None
