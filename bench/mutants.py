"""How many small changes of the product's core its tests noticed, as `make mutants` last counted: nothing where it did
not."""

from __future__ import annotations

import json
from typing import Final

from bench.drills import ROOT
from bench.result import Result

SCORES: Final = ROOT / "mutants" / "scores.json"
OVER_ALL: Final = 90.0
OF_A_MODULE: Final = 80.0


def measure() -> list[Result]:
    """The percentage over all, and of each module."""
    if not SCORES.is_file():
        return []
    scores = json.loads(SCORES.read_text(encoding="utf-8"))["modules"]
    noticed, mutants = (sum(score[name] for score in scores.values()) for name in ("noticed", "mutants"))
    return [_percentage("mutants noticed", noticed, mutants, OVER_ALL)] + [
        _percentage(f"mutants noticed, {module}", score["noticed"], score["mutants"], OF_A_MODULE)
        for module, score in scores.items()
    ]


def _percentage(name: str, noticed: int, mutants: int, floor: float) -> Result:
    return Result(name=name, value=100 * noticed / mutants, unit="%", limit=floor, at_least=True)
