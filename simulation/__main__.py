"""`python -m simulation`: live many lives, or one, and say which promises were broken.

    python -m simulation --seeds 200            the lives of seeds 0 to 199
    python -m simulation --seed 17              the one of seed 17, with its story
    python -m simulation --first 1000 --minutes 10

A broken promise is told with its seed and the shortest story that still breaks it; then the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulation.many import LivedSeed

_DEFAULT_SEEDS = 100


def main(arguments: list[str] | None = None) -> int:
    """Live the lives that are asked for; 0 if every promise was kept."""
    options = _parser().parse_args(arguments)
    from simulation.figures import Figures
    from simulation.many import live_seeds

    first, seeds, processes = options.first, options.seeds, options.processes
    if options.seed is not None:
        first, seeds, processes = options.seed, 1, 1
    elif seeds is None and options.minutes is None:
        seeds = _DEFAULT_SEEDS
    figures = Figures()
    for lived in live_seeds(first, seeds, options.minutes, processes):
        figures.add(lived.outcome)
        if options.hashes:
            print(lived.seed, lived.outcome.digest, flush=True)
        if options.seed is not None and not lived.outcome.broken:
            print("\n".join(lived.outcome.told))
        _tell_broken(lived)
    print(json.dumps(figures.as_json()) if options.json else figures)
    return 1 if figures.broken else 0


def _tell_broken(lived: LivedSeed) -> None:
    if lived.shortest is None:
        return
    print(f"\nSeed {lived.seed}: {'; '.join(map(str, lived.outcome.broken))}")
    print("The shortest story of it:")
    print("\n".join(f"  {line}" for line in lived.shortest.told), flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulation", description=__doc__)
    parser.add_argument(
        "--seeds", type=int, help=f"how many lives; by default {_DEFAULT_SEEDS}, or as many as there is time for"
    )
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="the life of this seed alone, with its story")
    parser.add_argument("--minutes", type=float, help="for so many minutes at most")
    parser.add_argument("--processes", type=int, default=1, help="over how many processes")
    parser.add_argument("--json", action="store_true", help="have the last line hold all figures, as JSON")
    parser.add_argument("--hashes", action="store_true", help="print the hash of each life's trace")
    return parser


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of a set of texts is drawn anew for each process, unless it is told not to.
        os.execve(
            sys.executable, [sys.executable, "-m", "simulation", *sys.argv[1:]], os.environ | {"PYTHONHASHSEED": "0"}
        )
    sys.exit(main())
