"""`python -m simulation.crash_matrix`: try one fault at every outgoing call, and count.

    python -m simulation.crash_matrix --one-in 20      one of twenty cases
    python -m simulation.crash_matrix --scenario failover

The exit code is 1 if a case ended otherwise than without its fault.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from simulation.crash_matrix.matrix import Tried

ALL: Final = "all"


def main() -> int:
    """Try the cases that are asked for."""
    options = _parser().parse_args()
    from simulation.crash_matrix.matrix import Matrix
    from simulation.crash_matrix.scenarios import SCENARIOS
    from simulation.life import Simulation

    chosen = [scenario for scenario in SCENARIOS if not options.scenario or scenario.name in options.scenario]
    matrix = Matrix(Simulation(), chosen)
    tried: list[Tried] = []
    for case in matrix.sample(options.one_in):
        tried.append(matrix.attempt(case))
        if tried[-1].differences or tried[-1].gave_up:
            print(tried[-1], file=sys.stderr, flush=True)
    functions = dict.fromkeys(trial.case.call.function for trial in tried)
    counts = {name: _counts([trial for trial in tried if trial.case.call.function == name]) for name in functions}
    counts[ALL] = _counts(tried)
    if options.json:
        print(json.dumps(counts))
    else:
        for name, count in counts.items():
            print(name.ljust(20), *(f"{number:6} {what}" for what, number in count.items()))
    return 1 if any(trial.differences for trial in tried) else 0


def _counts(tried: Sequence[Tried]) -> dict[str, int]:
    return {
        "tried": len(tried),
        "ended as without": sum(not each.differences and not each.gave_up for each in tried),
        "given up": sum(each.gave_up for each in tried),
        "told meanwhile": sum(each.told_meanwhile for each in tried),
        "stopped": sum(bool(each.stopped) for each in tried),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulation.crash_matrix", description=__doc__)
    parser.add_argument("--one-in", type=int, default=1, help="try one of so many cases; by default, all")
    parser.add_argument("--scenario", action="append", help="the cases of this one alone, or of several")
    parser.add_argument("--json", action="store_true", help="print the counts as JSON")
    return parser


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.execve(
            sys.executable,
            [sys.executable, "-m", "simulation.crash_matrix", *sys.argv[1:]],
            os.environ | {"PYTHONHASHSEED": "0"},
        )
    sys.exit(main())
