"""`make mutants`: change the product's core a little, at random from a seed, and count how often its tests notice.

    python -m mutants                              five mutants of each module
    python -m mutants --each 12 --only decision    twelve of each module whose path has this in it
    python -m mutants --seed 7 --minutes 20        others, as many of each module as there is time for

Each mutant is made in a copy of the tree, and only the tests that reach its line run, the quickest first, up to the
first that fails, with the mutant twice and never without it. Tests that only hang notice nothing. Mutants that change
nothing are named, with the reason, in `equivalent.toml`. What survives is printed. More are drawn of a module with too
few noticed, and all of them count. A run that was stopped goes on where it was; mutants that survived are tried again,
for there may be a new test.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mutants.reach import Reach, load_reach
from mutants.sample import ROOT, Mutant, core, drawn
from mutants.trial import Verdict, copy_tree, load_packages, tried_side_by_side

FLOOR: Final = 0.9
"""Of all mutants, so many are noticed."""
FLOOR_OF_A_MODULE: Final = 0.8
FURTHER: Final = 5
"""Of a module with too few noticed, so many times as many mutants are tried: of three or five, one says little."""
SCORES: Final = Path(__file__).with_name("scores.json")
COUNTS: Final = ("noticed", "timed_out", "mutants")
NOTICED: Final = ROOT / ".mutants" / "noticed.txt"


def main() -> int:
    """Try the mutants that the arguments choose; 0 if enough of them are noticed."""
    arguments = _parser().parse_args()
    chosen = [module for module in core() if arguments.only in module]
    scores = {module: dict.fromkeys(COUNTS, 0) for module in chosen}
    with tempfile.TemporaryDirectory(prefix="mutants-") as directory:
        tree = copy_tree(Path(directory).resolve() / "1")
        reach = load_reach(tree, as_it_is=arguments.reach_as_it_is, side_by_side=arguments.side_by_side)
        load_packages(reach.packages)
        trees = [tree, *(copy_tree(tree.with_name(str(n + 1))) for n in range(1, arguments.side_by_side))]
        deadline = time.monotonic() + 60 * arguments.minutes
        noticed = _noticed_before() if not arguments.again else set()

        def count(mutants: list[list[Mutant]]) -> None:
            in_turns = list(_in_turns(mutants))
            for mutant, verdict in _tried(in_turns, reach, trees, deadline=deadline, noticed=noticed):
                _count(scores[mutant.module], verdict)

        count([drawn(module, arguments.seed, arguments.each) for module in chosen])
        wanted = FURTHER * arguments.each
        count([drawn(module, arguments.seed, wanted)[arguments.each :] for module in _low(scores)])
    return _report(arguments.seed, {module: score for module, score in scores.items() if score["mutants"]})


def _noticed_before() -> set[str]:
    NOTICED.parent.mkdir(exist_ok=True)
    return set(NOTICED.read_text().splitlines()) if NOTICED.is_file() else set()


def _tried(
    mutants: list[Mutant], reach: Reach, trees: list[Path], *, deadline: float, noticed: set[str]
) -> Iterator[tuple[Mutant, Verdict]]:
    """What becomes of them, of those that were noticed before without another trial."""
    untried = [mutant for mutant in mutants if mutant.key not in noticed]
    yield from ((mutant, Verdict.NOTICED) for mutant in mutants if mutant.key in noticed)
    tests = [{test: reach.seconds[test] for test in reach.tests_of(mutant)} for mutant in untried]
    for outcome in tried_side_by_side(list(zip(untried, tests, strict=True)), trees, deadline):
        if outcome.verdict != Verdict.NOTICED or outcome.flaked:
            print(outcome, flush=True)
        if outcome.verdict == Verdict.NOTICED:
            with NOTICED.open("a") as file:
                file.write(f"{outcome.mutant.key}\n")
        yield outcome.mutant, outcome.verdict


def _count(score: dict[str, int], verdict: Verdict) -> None:
    score["mutants"] += 1
    score["noticed"] += verdict == Verdict.NOTICED
    score["timed_out"] += verdict == Verdict.TIMED_OUT


def _low(scores: dict[str, dict[str, int]]) -> list[str]:
    return [module for module, score in scores.items() if score["noticed"] < FLOOR_OF_A_MODULE * score["mutants"]]


def _in_turns(mutants: list[list[Mutant]]) -> Iterator[Mutant]:
    """The first of each module, then the second: a run that is cut short has come by all of them."""
    for turn in itertools.zip_longest(*mutants):
        yield from filter(None, turn)


def _report(seed: int, scores: dict[str, dict[str, int]]) -> int:
    SCORES.write_text(json.dumps({"seed": seed, "modules": scores}, indent=2) + "\n", encoding="utf-8")
    low = _low(scores)
    for module, score in scores.items():
        notes = [*([f"{score['timed_out']} timed out"] if score["timed_out"] else []), *["too few"] * (module in low)]
        print(f"{module:70} {score['noticed']:3} of {score['mutants']:3}  {', '.join(notes)}".rstrip())
    noticed, timed_out, total = (sum(score[key] for score in scores.values()) for key in COUNTS)
    print(f"seed {seed}: {noticed} of {total} mutants were noticed; of the others, {timed_out} timed out")
    return 0 if noticed >= FLOOR * total and not low else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m mutants", description=__doc__)
    parser.add_argument("--each", type=int, default=5, help="how many mutants of each module")
    parser.add_argument("--seed", type=int, default=20, help="what they are drawn by")
    parser.add_argument("--only", default="", help="modules whose path has this in it")
    parser.add_argument("--minutes", type=float, default=600.0, help="for how long mutants are tried, at most")
    parser.add_argument("--side-by-side", type=int, default=os.cpu_count() or 1, help="how many are tried at once")
    parser.add_argument("--again", action="store_true", help="try those, too, that were noticed before")
    parser.add_argument("--reach-as-it-is", action="store_true", help="look at no test file that is new or changed")
    return parser


if __name__ == "__main__":
    sys.exit(main())
