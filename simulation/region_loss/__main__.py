"""`python -m simulation.region_loss`: a region is lost with every plan in it at once, in virtual time.

    python -m simulation.region_loss --plans 40                a hosted zone for all
    python -m simulation.region_loss --plans 200 --zones each  one for each plan
    python -m simulation.region_loss --plans 40 --deploy       fleets that have to be deployed first

Two vantage points see it, as often as deployed; the deployed functions and state machines run, within the limits of one
account (`limits.py`). Printed are seconds from the loss, of the plan that comes last: until its execution was started,
its record was changed, and its name was proven in sync; and how many plans have no failover that succeeded.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

from drill.aws.limits import Rate


def main() -> None:
    """Have it lost, and tell."""
    options = _parser().parse_args()
    from simulation.life import Simulation
    from simulation.region_loss.loss import lose_region

    rate = Rate(options.route53[0], float(options.route53[1]))
    figures: dict[str, Any] = lose_region(
        Simulation(),
        plans=options.plans,
        own_zones=options.zones == "each",
        deploy=options.deploy,
        route53=rate,
        lambdas_at_once=options.lambdas,
        seed=options.seed,
    )
    print(json.dumps(figures))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulation.region_loss", description=__doc__)
    parser.add_argument("--plans", type=int, default=40)
    parser.add_argument("--zones", choices=("one", "each"), default="one", help="for all, or of each plan")
    parser.add_argument("--deploy", action="store_true", help="the standby's fleets lead to the lost cluster")
    parser.add_argument("--route53", type=int, nargs=2, default=(50, 10), metavar=("BURST", "A_SECOND"))
    parser.add_argument("--lambdas", type=int, default=100, help="concurrent executions of the account")
    parser.add_argument("--seed", default="0")
    return parser


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of a set of texts is drawn anew for each process, unless it is told not to.
        again = [sys.executable, "-m", "simulation.region_loss", *sys.argv[1:]]
        os.execve(sys.executable, again, os.environ | {"PYTHONHASHSEED": "0"})
    main()
