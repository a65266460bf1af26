"""A mutant and the tests that should notice it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from attrs import evolve
from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.work_item import TestOutcome

from mutants.sample import ROOT, Mutant

TIMEOUT_S: Final = 400.0
"""A mutant whose tests do not end is noticed."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a mutant; `diff`: what it changed."""

    mutant: Mutant
    survived: bool
    diff: str

    def __str__(self) -> str:
        return f"{'survived' if self.survived else 'noticed'}: {self.mutant}\n{self.diff}"


def copy_tree(directory: Path) -> Path:
    """A copy of what git has, as it is now."""
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
    return directory


def tried(mutant: Mutant, tree: Path, tests: Sequence[str], python: str) -> Outcome:
    """Make it in a copy of the tree, and run the tests there."""
    interpreter = python if Path(python).is_absolute() else str(ROOT / python)
    command = f"env -C {tree} {interpreter} -m pytest -x -q -m 'not exhaustive' {' '.join(tests)}"
    spec = evolve(mutant.spec, module_path=tree / mutant.module)
    result = mutate_and_test([spec], command, TIMEOUT_S)
    changed = [line for line in (result.diff or "").splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    return Outcome(
        mutant=mutant, survived=result.test_outcome == TestOutcome.SURVIVED, diff="\n".join(f"  {x}" for x in changed)
    )
