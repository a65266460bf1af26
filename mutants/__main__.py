"""`make mutants`: change the product's core a little, at random from a seed, and count how often its tests notice.

    python -m mutants                              five mutants of each module
    python -m mutants --each 12 --only decision    twelve of each module whose path has this in it
    python -m mutants --seed 7                     others

Each mutant is made in a copy of the tree, and only the tests that hold its module run (`modules.toml`), up to the first
that fails. Those that change nothing are named, with the reason, in `equivalent.toml`. What survives is printed.
"""

from __future__ import annotations

import argparse
import json
import queue
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from mutants.sample import Mutant, drawn, modules, tests_of
from mutants.trial import Outcome, copy_tree, tried

FLOOR: Final = 0.9
"""Of all mutants, so many are noticed."""
FLOOR_OF_A_MODULE: Final = 0.8
SCORES: Final = Path(__file__).with_name("scores.json")


def main() -> int:
    """Try the mutants that are asked for; 0 if enough of them are noticed."""
    asked = _parser().parse_args()
    chosen = [module for module in modules() if asked.only in module]
    mutants = [mutant for module in chosen for mutant in drawn(module, asked.seed, asked.each)]
    with tempfile.TemporaryDirectory(prefix="mutants-") as directory:
        trees: queue.Queue[Path] = queue.Queue()
        for number in range(asked.side_by_side):
            trees.put(copy_tree(Path(directory) / str(number)))

        def attempt(mutant: Mutant) -> Outcome:
            tree = trees.get()
            try:
                outcome = tried(mutant, tree, tests_of(mutant.module), asked.python)
            finally:
                trees.put(tree)
            if outcome.survived:
                print(outcome, flush=True)
            return outcome

        with ThreadPoolExecutor(max_workers=asked.side_by_side) as pool:
            outcomes = list(pool.map(attempt, mutants))
    scores = _scores(outcomes)
    SCORES.write_text(json.dumps({"seed": asked.seed, "modules": scores}, indent=2) + "\n", encoding="utf-8")
    noticed, of = (sum(score[name] for score in scores.values()) for name in ("noticed", "mutants"))
    low = [module for module, score in scores.items() if score["noticed"] < FLOOR_OF_A_MODULE * score["mutants"]]
    for module, score in scores.items():
        print(f"{module:70} {score['noticed']:3} of {score['mutants']:3}{'  too few' if module in low else ''}")
    print(f"{noticed} of {of} mutants were noticed")
    return 0 if noticed >= FLOOR * of and not low else 1


def _scores(outcomes: Sequence[Outcome]) -> dict[str, dict[str, int]]:
    scores: dict[str, dict[str, int]] = {}
    for outcome in outcomes:
        score = scores.setdefault(outcome.mutant.module, {"noticed": 0, "mutants": 0})
        score["noticed"] += not outcome.survived
        score["mutants"] += 1
    return scores


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mutants", description=__doc__)
    parser.add_argument("--each", type=int, default=5, help="how many mutants of each module")
    parser.add_argument("--seed", type=int, default=20, help="what they are drawn by")
    parser.add_argument("--only", default="", help="modules whose path has this in it")
    parser.add_argument("--side-by-side", type=int, default=2, help="how many are tried at once")
    parser.add_argument("--python", default=".venv/bin/python", help="that has the tests' packages")
    return parser


if __name__ == "__main__":
    sys.exit(main())
