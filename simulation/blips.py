"""`python -m simulation.blips`: what each policy makes of blips, and how long it takes to decide on a loss.

    python -m simulation.blips --lives 20       so many lives for each policy and each length of a blip
    python -m simulation.blips --json

A blip is an outage of the whole active site that every vantage point sees, and that is over after some seconds. Its
connections are refused at once, which is the worst case: a silent one is not noticed before a look gives up. The sites
are looked at as often as deployed. A failover counts once it is past its decision.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from simulation.story import PolicyName, Story

BLIPS_S: Final = (1, 2, 3, 5, 8, 10, 15, 20, 30)
BLIPS_A_YEAR: Final = 52
"""One a week: so many of each length are multiplied with."""
LASTING_S: Final = 1200.0
LOST_AT_S: Final = (20.0, 26.0)
"""Between these: whenever in a round of looks."""
AFTERWARDS_S: Final = 150.0
LIVES: Final = 20


def main() -> int:
    """Live the lives, and tell."""
    options = _parser().parse_args()
    from simulation.life import Simulation
    from simulation.story import POLICIES

    simulation = Simulation()
    documents: dict[str, Any] = {}
    for policy in options.policy or POLICIES:
        decisions = [simulation.live(story).decisions for story in _stories(policy, LASTING_S, options.lives)]
        to_decide = [seconds for of_life in decisions for seconds in of_life.to_decide]
        figures: dict[str, Any] = {
            "decided": len(to_decide),
            "to_decide": statistics.median(to_decide) if to_decide else None,
            "failovers_a_year": {},
        }
        for seconds in options.seconds or BLIPS_S:
            lived = [simulation.live(story).decisions for story in _stories(policy, float(seconds), options.lives)]
            failovers = sum(of_life.false + of_life.either_way for of_life in lived)
            figures["failovers_a_year"][str(seconds)] = BLIPS_A_YEAR * failovers / options.lives
        documents[policy] = figures
        if not options.json:
            print(policy.ljust(10), figures, flush=True)
    if options.json:
        print(json.dumps(documents))
    return 0


def _stories(policy: PolicyName, seconds: float, lives: int) -> Iterator[Story]:
    """Lives in which nothing happens but one outage of so many seconds."""
    from simulation.story import VANTAGE_POINTS, Outage, Story

    for number in range(lives):
        begins = random.Random(f"blip {number}").uniform(*LOST_AT_S)
        outage = Outage(
            site="east", part="site", begins=begins, ends=begins + seconds, silent=False, seen_by=VANTAGE_POINTS
        )
        yield Story(
            seed=f"blip {number}",
            seconds=min(begins + seconds, begins + AFTERWARDS_S) + AFTERWARDS_S,
            outages=(outage,),
            policy=policy,
            watched_as_deployed=True,
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulation.blips", description=__doc__)
    parser.add_argument("--lives", type=int, default=LIVES, help=f"for each policy and length; by default {LIVES}")
    parser.add_argument("--policy", action="append", help="of this policy alone; may be given again")
    parser.add_argument("--seconds", action="append", type=int, help="blips of this length alone; may be given again")
    parser.add_argument("--json", action="store_true", help="print all figures as JSON")
    return parser


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.execve(
            sys.executable,
            [sys.executable, "-m", "simulation.blips", *sys.argv[1:]],
            os.environ | {"PYTHONHASHSEED": "0"},
        )
    sys.exit(main())
