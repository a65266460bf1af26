"""A mutant and the tests that should notice it, in a process forked from one that has every package loaded."""

from __future__ import annotations

import contextlib
import enum
import importlib
import multiprocessing
import multiprocessing.queues
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

SLACK_S: Final = 60.0
"""How much longer than ten times what they take the tests may take with a mutant, before they count as hung."""

QUICK_S: Final = 0.5
PASSED: Final = (0, 5)
"""Pytest's exit status where no test failed, or where the mutant left none of those that were chosen."""
FAILED: Final = "failed-tests.txt"


class Verdict(enum.StrEnum):
    """What the tests make of a mutant."""

    NOTICED = "noticed"
    """A test fails with it, passes without it, and fails with it again."""
    TIMED_OUT = "timed out"
    """No test fails, but some do not end with it, and do without it: not counted as noticed."""
    SURVIVED = "survived"
    UNREACHED = "unreached"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a mutant."""

    mutant: Mutant
    verdict: Verdict
    tests: int
    """How many tests reach it."""
    mutated_line: str
    by: str = ""
    """The first test that noticed it, or the tests that did not end."""
    flaked: tuple[str, ...] = ()
    """Tests that failed with it once, but not again, or without it too: they count for nothing."""

    def __str__(self) -> str:
        notes = [
            f"of {self.tests} tests",
            *([f"by {self.by}"] if self.by else []),
            *map("flaked: {}".format, self.flaked),
        ]
        return f"{self.verdict:9} {self.mutant}\n    now {self.mutated_line.strip()}   ({', '.join(notes)})"


class Chosen:
    """A pytest plugin that runs only these tests, in this order, and writes down the one that fails."""

    def __init__(self, tests: Sequence[str]) -> None:
        self.order = {test: number for number, test in enumerate(tests)}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep those that were chosen."""
        items[:] = sorted(
            (item for item in items if item.nodeid in self.order), key=lambda item: self.order[item.nodeid]
        )

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write down which test fails."""
        if report.failed:
            with Path(FAILED).open("a", encoding="utf-8") as file:
                file.write(f"{report.nodeid}\n")


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


def tried_side_by_side(
    trials: Sequence[tuple[Mutant, Mapping[str, float]]], trees: Sequence[Path], deadline: float
) -> Iterator[Outcome]:
    """What becomes of mutants with their tests, as it is known: one at a time in each of the trees, until the time (of
    the monotonic clock) comes."""
    forks = multiprocessing.get_context("fork")
    free: multiprocessing.queues.Queue[Path] = forks.Queue()
    for tree in trees:
        free.put(tree)
    with forks.Pool(len(trees), _take_tree, (free, deadline)) as pool:
        for outcome in pool.imap_unordered(_tried_in_time, trials):
            if outcome:
                yield outcome


_mine: list[tuple[Path, float]] = []
"""In a process of the pool, its tree and its deadline."""


def _take_tree(free: multiprocessing.queues.Queue[Path], deadline: float) -> None:
    _mine.append((free.get(), deadline))


def _tried_in_time(trial: tuple[Mutant, Mapping[str, float]]) -> Outcome | None:
    ((tree, deadline),) = _mine
    return tried(trial[0], tree, trial[1]) if time.monotonic() < deadline else None


def tried(mutant: Mutant, tree: Path, tests: Mapping[str, float]) -> Outcome:
    """Make it in a copy of the tree, and run the tests there, which take so many seconds without it, until one fails:
    a file at a time, since most mutants need no second one, and the quick ones of all files first.

    On a busy machine a test may fail or hang for want of time. One that fails is run alone without the mutant, where it
    has to pass, and with it again, where it has to fail; else it counts for nothing, and the others go on."""
    flaked: list[str] = []
    hung = ""
    with mutated(mutant, tree) as line:
        pass
    for group in _by_file(tests):
        while group:
            with mutated(mutant, tree):
                status, failed = _run(tree, group)
            if status in PASSED:
                break
            suspects = {test: group[test] for test in failed if test in group} or group
            name = ", ".join(failed) or next(iter(group)).partition("::")[0]
            if _is_sound(tree, suspects):
                with mutated(mutant, tree):
                    again, _ = _run(tree, suspects)
                if again not in (None, *PASSED):
                    return _outcome(mutant, Verdict.NOTICED, tests, line, by=name, flaked=flaked)
                if again is None:
                    hung = hung or name
                    break
            flaked.append(name)
            group = {test: seconds for test, seconds in group.items() if test not in suspects}
    verdict = Verdict.TIMED_OUT if hung else Verdict.SURVIVED if tests else Verdict.UNREACHED
    return _outcome(mutant, verdict, tests, line, by=hung, flaked=flaked)


def _outcome(
    mutant: Mutant, verdict: Verdict, tests: Mapping[str, float], line: str, *, by: str, flaked: Sequence[str]
) -> Outcome:
    return Outcome(mutant=mutant, verdict=verdict, tests=len(tests), mutated_line=line, by=by, flaked=tuple(flaked))


def _by_file(tests: Mapping[str, float]) -> list[dict[str, float]]:
    """The tests of a file together, the quick ones of all files first."""
    groups: dict[tuple[bool, str], dict[str, float]] = {}
    for test, seconds in tests.items():
        groups.setdefault((seconds > QUICK_S, test.partition("::")[0]), {})[test] = seconds
    return [groups[key] for key in sorted(groups, key=lambda key: key[0])]


_sound: set[str] = set()
"""Quick tests that passed alone in the tree as it is: they are not asked again."""


def _is_sound(tree: Path, tests: Mapping[str, float]) -> bool:
    """Whether they pass in the tree as it is."""
    if tests.keys() <= _sound:
        return True
    status, _ = _run(tree, tests)
    if status in PASSED:
        _sound.update(test for test, seconds in tests.items() if seconds <= QUICK_S)
    return status in PASSED


def _run(tree: Path, tests: Mapping[str, float]) -> tuple[int | None, list[str]]:
    """Pytest's exit status of these tests, `None` if they do not end in time; which one failed, if one did."""
    (tree / FAILED).unlink(missing_ok=True)
    status = in_tree(tree, lambda: run_tests(list(tests)), SLACK_S + 10 * sum(tests.values()))
    return status, (tree / FAILED).read_text(encoding="utf-8").splitlines() if (tree / FAILED).is_file() else []


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
    return int(
        pytest.main(["-x", "-q", "--timeout=0", "--assert=plain", "-p", "no:xdist", *files], plugins=[Chosen(tests)])
    )


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
