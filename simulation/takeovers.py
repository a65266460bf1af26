"""A site dies at every step of a switchover, and a failover takes over from the very state that is there: the active
one, and clients are led on; or the standby, and they are led back.

`python -m simulation.takeovers` plays each moment in a process of its own; `--few` plays those that differ most:
behind the fence, as mirrors are reversed, and as clients are led over.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Final

from simulation.story import SWITCHOVER_STEPS, Act, Story, Switchover

NOTICED_AFTER_S: Final = 40.0
"""Until people have seen that the site is lost, and have a failover take over from what runs still."""
GIVES_UP_AFTER_S: Final = 900.0
"""Until a switchover to a site that is lost has stopped, and what took over from it has stood down."""
LATER_S: Final = (0.0, 0.3, 0.9)
"""Into the call of a step: before it looks, as it acts, and after it."""
FEW: Final = ("drain_mirrors", "reverse_mirrors", "switch_routes")


def takeovers(*, few: bool) -> dict[str, Story]:
    """Each moment by its name."""
    steps = FEW if few else SWITCHOVER_STEPS
    moments = [(step, after) for step in steps for after in (LATER_S[1:2] if few else LATER_S)]
    return {f"{step} {after}": _story(step, after) for step, after in moments}


def ways_back(*, few: bool) -> dict[str, Story]:
    """Each moment by its name; people lead back at once, or once it has stopped."""
    steps = FEW[1:] if few else SWITCHOVER_STEPS
    moments = [(step, after) for step in steps for after in (LATER_S[1:2] if few else LATER_S)]
    waits = (NOTICED_AFTER_S,) if few else (NOTICED_AFTER_S, GIVES_UP_AFTER_S)
    return {
        f"{step} {after}, back after {wait:.0f} s": _back(step, after, wait)
        for step, after in moments
        for wait in waits
    }


def _back(step: str, after: float, wait: float) -> Story:
    return Story(
        seed=f"way back {step} {after}",
        seconds=2_400.0,
        redrives=False,
        switchovers=(Switchover(begins=30.0),),
        acts=(
            Act(deed="lose the standby", function=step, invocation=1, after=after),
            Act(deed="lead clients back", function=step, invocation=1, after=after + wait),
        ),
    )


def _story(step: str, after: float) -> Story:
    return Story(
        seed=f"takeover {step} {after}",
        seconds=2_400.0,
        redrives=False,
        switchovers=(Switchover(begins=30.0),),
        acts=(
            Act(deed="lose the active site", function=step, invocation=1, after=after),
            Act(deed="supersede a running one", function=step, invocation=1, after=after + NOTICED_AFTER_S),
        ),
    )


def main(*, few: bool) -> None:
    """Play them; print how each ended, and what promises it broke."""
    from simulation.life import Simulation

    simulation, played = Simulation(), dict[str, Any]()
    for name, story in (takeovers(few=few) | ways_back(few=few)).items():
        outcome = simulation.live(story)
        broken = [str(promise) for promise in outcome.broken]
        played[name] = {"executions": outcome.endings, "active": outcome.active, "broken": broken}
    print(json.dumps(played))


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of a set of texts is drawn anew for each process, unless it is told not to.
        again = [sys.executable, "-m", "simulation.takeovers", *sys.argv[1:]]
        os.execve(sys.executable, again, os.environ | {"PYTHONHASHSEED": "0"})
    main(few="--few" in sys.argv)
