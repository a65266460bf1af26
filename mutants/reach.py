"""Which tests reach which line of the core, and how long each takes: found by running them once, and kept until a file
of tests changes. Of a module that changed since, all that reached it are taken to reach each of its lines."""

from __future__ import annotations

import ast
import functools
import hashlib
import itertools
import json
import multiprocessing
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import coverage
import pytest

from mutants.sample import ROOT, Mutant, core, test_files
from mutants.trial import in_tree, load_packages

KEPT: Final = ROOT / ".mutants" / "reach.json"
CHOSEN: Final = "not exhaustive"
"""The tests of a file that count, as pytest's `-m` has it: all that `make test` runs."""
WITHIN_S: Final = 1200.0
"""The tests of a file have ended by then, also on a busy machine."""
QUICKEST_S: Final = 40.0
RAREST_S: Final = 110.0
"""A mutant is given the quickest of its tests, and then those that run what few others do of its module, up to so many
seconds in all: of a module that hundreds of tests come by, the quick ones rarely are its own."""


@dataclass
class Reach:
    """What the tests reach."""

    seconds: dict[str, float] = field(default_factory=dict)
    """How long a test takes."""
    lines: dict[str, dict[int, list[str]]] = field(default_factory=dict)
    """By module and line, the tests that come there."""
    anywhere: dict[str, set[str]] = field(default_factory=dict)
    """By module, the tests that reached it before it was changed, wherever."""
    packages: list[str] = field(default_factory=list)
    """What they import that is no part of the tree."""
    failures: list[str] = field(default_factory=list)
    """The tests that fail without any mutant; they are not used."""

    def tests_of(self, mutant: Mutant) -> list[str]:
        """The tests that reach a mutant, the quickest first; of what runs at import, where one test comes there for
        all, those of every file that reaches its room: what a class is made of is seen by tests that run no line of it.
        """
        lines = self.lines.get(mutant.module, {})
        run = [lines[line] for line in _statement(mutant) if line in lines]
        reached = {test for tests in run for test in tests} | self.anywhere.get(mutant.module, set())
        if run and _runs_at_import(mutant):
            files = {_file(test) for tests in self._room(mutant.module) for test in tests}
            reached = {test for test in self.seconds if _file(test) in files}
        sound = sorted(reached - set(self.failures), key=lambda test: self.seconds[test])
        quickest = self._within(QUICKEST_S, sound) or sound[:1]
        rarity = self._rarity(mutant.module)
        rarest = sorted(sound[len(quickest) :], key=lambda test: rarity.get(test, len(sound)))
        return quickest + self._within(RAREST_S, rarest)

    def _within(self, limit_s: float, tests: Sequence[str]) -> list[str]:
        """The first of them, as many as take no longer."""
        totals = itertools.accumulate(self.seconds[test] for test in tests)
        return [test for test, total in zip(tests, totals, strict=True) if total <= limit_s]

    def _rarity(self, module: str) -> dict[str, int]:
        """By test, how many come to the line of the module that fewest of those come to which it does."""
        rarity: dict[str, int] = {}
        for tests in sorted(self.lines.get(module, {}).values(), key=len, reverse=True):
            rarity |= dict.fromkeys(tests, len(tests))
        return rarity

    def _room(self, module: str) -> Iterator[Iterable[str]]:
        """The tests of every line of every module in the same folder."""
        folder = Path(module).parent
        for name, lines in self.lines.items():
            if Path(name).parent == folder:
                yield from lines.values()
                yield self.anywhere.get(name, ())


class Tracer:
    """A pytest plugin that notes what each test reaches."""

    def __init__(self, tree: Path, modules: Sequence[str]) -> None:
        self.tree, self.modules, self.reach = tree, modules, Reach()
        self.coverage = coverage.Coverage(
            data_file=None, include=[str(tree / name) for name in modules], config_file=False
        )

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Whatever runs now is of this test."""
        self.coverage.switch_context(item.nodeid)
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add up what a test takes; note that it failed."""
        self.reach.seconds[report.nodeid] = self.reach.seconds.get(report.nodeid, 0.0) + report.duration
        if report.failed and report.nodeid not in self.reach.failures:
            self.reach.failures.append(report.nodeid)

    def result(self) -> Reach:
        """What was noted."""
        data = self.coverage.get_data()
        for module in self.modules:
            by_line = data.contexts_by_lineno(str(self.tree / module))
            self.reach.lines[module] = {line: [test for test in tests if test] for line, tests in by_line.items()}
        self.reach.packages = [
            name
            for name, module in list(sys.modules.items())
            if "site-packages" in (file := getattr(module, "__file__", None) or "")
            and not file.startswith(f"{self.tree}/")
        ]
        return self.reach


def load_reach(tree: Path, *, as_it_is: bool, side_by_side: int) -> Reach:
    """What the tests of a copy of the tree reach: as it was noted, and what new and changed test files reach, so many
    of them at once, unless it is wanted as it is."""
    kept: dict[str, dict[str, Any]] = json.loads(KEPT.read_text()) if KEPT.is_file() else {}
    files = test_files()
    marks, texts = {name: _mark(name, CHOSEN) for name in files}, {name: _mark(name) for name in core()}
    stale = [name for name, mark in marks.items() if not as_it_is and kept.get(name, {}).get("mark") != mark]
    KEPT.parent.mkdir(exist_ok=True)
    with multiprocessing.get_context("fork").Pool(side_by_side) as pool:
        traces = pool.imap_unordered(functools.partial(_traced, tree), stale)
        for number, (name, traced) in enumerate(traces, 1):
            print(f"which lines {name} reaches: {number} of {len(stale)}", flush=True)
            kept[name] = {"mark": marks[name], "texts": texts, **traced}
            KEPT.write_text(json.dumps(kept))
    reach = Reach()
    for name in marks.keys() & kept.keys():
        _add(reach, kept[name], texts)
    if reach.failures:
        print("not used, since they fail without any mutant:", *reach.failures, sep="\n    ", flush=True)
    return reach


def _traced(tree: Path, test_file: str) -> tuple[str, dict[str, Any]]:
    out = KEPT.with_suffix(f".{os.getpid()}.part")

    def trace() -> int:
        tracer = Tracer(tree, core())
        tracer.coverage.start()
        status = pytest.main(["-q", "--assert=plain", "-p", "no:xdist", "-m", CHOSEN, test_file], plugins=[tracer])
        tracer.coverage.stop()
        out.write_text(json.dumps(vars(tracer.result())))
        return int(status)

    status = in_tree(tree, trace, WITHIN_S)
    if status not in (0, 1, 5):
        raise RuntimeError(f"{test_file} can't be run: pytest ends with {status}")
    traced: dict[str, Any] = json.loads(out.read_text())
    out.unlink()
    load_packages(traced["packages"])
    return test_file, traced


def _add(reach: Reach, part: dict[str, Any], texts: Mapping[str, str]) -> None:
    reach.seconds |= part["seconds"]
    reach.failures += part["failures"]
    reach.packages = list(dict.fromkeys([*reach.packages, *part["packages"]]))
    for module, lines in part["lines"].items():
        for line, tests in lines.items():
            if part["texts"].get(module) == texts.get(module):
                reach.lines.setdefault(module, {}).setdefault(int(line), []).extend(tests)
            else:
                reach.anywhere.setdefault(module, set()).update(tests)


def _file(test: str) -> str:
    return test.partition("::")[0]


def _mark(path: str, chosen: str = "") -> str:
    return hashlib.sha256((ROOT / path).read_bytes() + chosen.encode()).hexdigest()[:16]


def _runs_at_import(mutant: Mutant) -> bool:
    """Whether it is outside of every function's body."""
    line = mutant.spec.start_pos[0]
    return not any(
        node.body[0].lineno <= line <= (node.end_lineno or node.lineno)
        for node in ast.walk(ast.parse((ROOT / mutant.module).read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def _statement(mutant: Mutant) -> range:
    """The lines of the innermost statement around a mutant; of one that holds others, those before the first."""
    line = mutant.spec.start_pos[0]
    spans = [
        range(node.lineno, (node.body[0].lineno if hasattr(node, "body") else (node.end_lineno or node.lineno) + 1))
        for node in ast.walk(ast.parse((ROOT / mutant.module).read_text()))
        if isinstance(node, ast.stmt)
    ]
    around = [span for span in spans if line in span]
    return max(around, key=lambda span: (span.start, -len(span))) if around else range(line, line + 1)
