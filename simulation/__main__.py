"""`python -m simulation`: live many lives, or one, and say which promises were broken.

    python -m simulation --seeds 200            the lives of seeds 0 to 199
    python -m simulation --seed 17              the one of seed 17, with its story
    python -m simulation --first 1000 --minutes 10

A broken promise is told with its seed and the shortest story that still breaks it; then the exit code is 1.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator

_CPU_S = time.process_time
_DEFAULT_SEEDS = 100


def main(arguments: list[str] | None = None) -> int:
    """Live the lives that are asked for; 0 if every promise was kept."""
    asked = _parser().parse_args(arguments)
    from simulation.drawing import drawn
    from simulation.life import Outcome, Simulation

    simulation = Simulation()
    outcomes: list[Outcome] = []
    for seed in _seeds(asked):
        outcome = simulation.live(drawn(seed))
        outcomes.append(outcome)
        if asked.hashes:
            print(seed, outcome.digest, flush=True)
        if asked.seed is not None and not outcome.broken:
            print("\n".join(outcome.told))
        if outcome.broken:
            _tell_broken(seed, outcome, simulation.shortest(outcome.story, outcome.broken[0].promise))
    broken = sum(len(outcome.broken) for outcome in outcomes)
    print(
        f"{len(outcomes)} lives, {sum(each.executions for each in outcomes)} executions,"
        f" {sum(each.faults for each in outcomes)} faults, {broken} broken promises"
    )
    return 1 if broken else 0


def _tell_broken(seed: int, outcome: object, shortest: object) -> None:
    from simulation.life import Outcome

    assert isinstance(outcome, Outcome)
    assert isinstance(shortest, Outcome)
    print(f"\nSeed {seed}: {'; '.join(map(str, outcome.broken))}")
    print("The shortest story of it:")
    print("\n".join(f"  {line}" for line in shortest.told), flush=True)


def _seeds(asked: argparse.Namespace) -> Iterator[int]:
    if asked.seed is not None:
        yield asked.seed
        return
    ends = None if asked.minutes is None else _CPU_S() + 60.0 * asked.minutes
    seed = asked.first
    while ends is None or _CPU_S() < ends:
        if asked.seeds is not None and seed >= asked.first + asked.seeds:
            return
        if asked.seeds is None and ends is None and seed >= asked.first + _DEFAULT_SEEDS:
            return
        yield seed
        seed += 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulation", description=__doc__)
    parser.add_argument(
        "--seeds", type=int, help=f"how many lives; by default {_DEFAULT_SEEDS}, or as many as there is time for"
    )
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="the life of this seed alone, with its story")
    parser.add_argument("--minutes", type=float, help="for so many minutes of CPU at most")
    parser.add_argument("--hashes", action="store_true", help="print the hash of each life's trace")
    return parser


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of a set of texts is drawn anew for each process, unless it is told not to.
        os.execve(
            sys.executable, [sys.executable, "-m", "simulation", *sys.argv[1:]], os.environ | {"PYTHONHASHSEED": "0"}
        )
    sys.exit(main())
