"""`make mutants`: change the product's core a little, at random from a seed, and count how often its tests notice.

    python -m mutants                              five mutants of each module
    python -m mutants --each 12 --only decision    twelve of each module whose path has this in it
    python -m mutants --seed 7 --minutes 20        others, as many of each module as there is time for

Each mutant is made in a copy of the tree, and only the tests that reach its line run, the quickest first, up to the
first that fails. Those that change nothing are named, with the reason, in `equivalent.toml`. What survives is printed.
A run that was stopped goes on where it was; mutants that survived are tried again, for there may be a new test.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mutants.reach import load_reach
from mutants.sample import ROOT, Mutant, core, drawn
from mutants.trial import copy_tree, load_packages, tried

FLOOR: Final = 0.9
"""Of all mutants, so many are noticed."""
FLOOR_OF_A_MODULE: Final = 0.8
SCORES: Final = Path(__file__).with_name("scores.json")
NOTICED: Final = ROOT / ".mutants" / "noticed.txt"


def main() -> int:
    """Try the mutants that are asked for; 0 if enough of them are noticed."""
    asked = _parser().parse_args()
    chosen = [module for module in core() if asked.only in module]
    NOTICED.parent.mkdir(exist_ok=True)
    noticed = set(NOTICED.read_text().splitlines()) if NOTICED.is_file() and not asked.again else set()
    tried_of: dict[str, list[bool]] = {module: [] for module in chosen}
    deadline = time.monotonic() + 60 * asked.minutes
    with tempfile.TemporaryDirectory(prefix="mutants-") as directory:
        tree = copy_tree(Path(directory).resolve())
        reach = load_reach(tree, as_it_is=asked.reach_as_it_is)
        load_packages(reach.packages)
        for mutant in _in_turns([drawn(module, asked.seed, asked.each) for module in chosen]):
            if mutant.key not in noticed:
                if time.monotonic() > deadline:
                    break
                outcome = tried(mutant, tree, {test: reach.seconds[test] for test in reach.tests_of(mutant)})
                if outcome.survived:
                    print(outcome, flush=True)
                else:
                    noticed.add(mutant.key)
                    with NOTICED.open("a") as file:
                        file.write(f"{mutant.key}\n")
            tried_of[mutant.module].append(mutant.key in noticed)
    return _report(asked.seed, tried_of)


def _in_turns(mutants: list[list[Mutant]]) -> Iterator[Mutant]:
    """The first of each module, then the second: a run that is cut short has come by all of them."""
    for turn in itertools.zip_longest(*mutants):
        yield from filter(None, turn)


def _report(seed: int, tried_of: dict[str, list[bool]]) -> int:
    scores = {module: {"noticed": sum(each), "mutants": len(each)} for module, each in tried_of.items() if each}
    SCORES.write_text(json.dumps({"seed": seed, "modules": scores}, indent=2) + "\n", encoding="utf-8")
    low = [module for module, score in scores.items() if score["noticed"] < FLOOR_OF_A_MODULE * score["mutants"]]
    for module, score in scores.items():
        print(f"{module:70} {score['noticed']:3} of {score['mutants']:3}{'  too few' if module in low else ''}")
    found, of = (sum(score[name] for score in scores.values()) for name in ("noticed", "mutants"))
    print(f"{found} of {of} mutants were noticed")
    return 0 if found >= FLOOR * of and not low else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mutants", description=__doc__)
    parser.add_argument("--each", type=int, default=5, help="how many mutants of each module")
    parser.add_argument("--seed", type=int, default=20, help="what they are drawn by")
    parser.add_argument("--only", default="", help="modules whose path has this in it")
    parser.add_argument("--minutes", type=float, default=600.0, help="for how long mutants are tried, at most")
    parser.add_argument("--again", action="store_true", help="try those, too, that were noticed before")
    parser.add_argument("--reach-as-it-is", action="store_true", help="look at no test file that is new or changed")
    return parser


if __name__ == "__main__":
    sys.exit(main())
