"""Scenarios that take hours, or a moment that only virtual time can hit: what happens, and how it must end.

docs/scenarios.md shows the table; `python -m simulation.scenarios` plays it, in a process of its own.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, replace
from typing import Any, Final

from simulation.story import VANTAGE_POINTS, Act, AnchoredFault, AnchoredSpell, Outage, Story, Switchover

_LOST: Final = Outage(site="east", part="site", begins=30.0, ends=86_400.0, silent=True, seen_by=VANTAGE_POINTS)
_AGAIN: Final = Outage(site="east", part="site", begins=30.0, ends=1_200.0, silent=True, seen_by=VANTAGE_POINTS)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One row of the table."""

    name: str
    happens: str
    story: Story
    executions: tuple[str, ...]
    """The outcome of each that was started; of one that claimed nothing, what Step Functions says."""
    active: str
    """The active site at the end; the client hostname leads to it, which the oracle sees to."""


SCENARIOS: Final = (
    Scenario(
        name="denied-and-seen-lost",
        happens="policy asks a person, who says no; east is seen lost for twenty minutes more, and nobody is asked",
        story=Story(seed="1", seconds=1_500.0, outages=(_LOST,), mode="approve", approver="denies"),
        executions=("stood-down",),
        active="east",
    ),
    Scenario(
        name="denied-and-lost-again",
        happens="the same; east is seen well again, and a quarter of an hour later it is lost again: a person is asked",
        story=Story(
            seed="2",
            seconds=3_600.0,
            outages=(_AGAIN, replace(_AGAIN, begins=2_100.0, ends=86_400.0)),
            mode="approve",
            approver="denies",
        ),
        executions=("stood-down", "stood-down"),
        active="east",
    ),
    Scenario(
        name="standing-alarm-after-a-pause",
        happens="an alarm must be among the votes; it comes, and is told once, while the plan is paused for minutes",
        story=Story(
            seed="3",
            seconds=1_500.0,
            outages=(_LOST,),
            policy="alarms",
            acts=(Act(deed="pause", function="judge", invocation=1, after=0.0),),
        ),
        executions=("succeeded",),
        active="west",
    ),
    Scenario(
        name="aborted-before-the-claim",
        happens="an execution is stopped, and its container dies, before it claimed the plan; its name is used up",
        story=Story(
            seed="4",
            seconds=1_500.0,
            outages=(_LOST,),
            acts=(Act(deed="abort", function="claim", invocation=1, after=0.01),),
            faults=(AnchoredFault(function="claim", invocation=1, call=1, trouble="killed before"),),
        ),
        executions=("aborted", "succeeded"),
        active="west",
    ),
    Scenario(
        name="stopped-before-it-was-told",
        happens="an execution is stopped, and its container dies, between its end in the ledger and its announcement",
        story=Story(
            seed="5",
            seconds=1_500.0,
            outages=(_LOST,),
            acts=(Act(deed="abort", function="announce", invocation=1, after=0.01),),
            faults=(AnchoredFault(function="announce", invocation=1, call=1, trouble="killed before"),),
        ),
        executions=("succeeded",),
        active="west",
    ),
    Scenario(
        name="redrive-after-ten-minutes",
        happens="DynamoDB throttles for a quarter of an hour from the flip on: longer than an end is tried to be"
        " recorded; a person redrives, once",
        story=Story(
            seed="6",
            seconds=5_400.0,
            outages=(_LOST,),
            spells=(
                AnchoredSpell(
                    function="flip_dns", invocation=1, service="dynamodb", seconds=900.0, trouble="throttled"
                ),
            ),
        ),
        executions=("succeeded after 1 redrive",),
        active="west",
    ),
    Scenario(
        name="switchover-put-back",
        happens="people switch over, and want it put back while the mirrors catch up behind the fence",
        story=Story(
            seed="7",
            seconds=600.0,
            switchovers=(Switchover(begins=30.0),),
            acts=(Act(deed="want it put back", function="drain_mirrors", invocation=1, after=0.0),),
        ),
        executions=("stood-down",),
        active="east",
    ),
    Scenario(
        name="switchover-wish-too-late",
        happens="the same, once mirrors are reversed: it goes forward only",
        story=Story(
            seed="8",
            seconds=600.0,
            switchovers=(Switchover(begins=30.0),),
            acts=(Act(deed="want it put back", function="switch_routes", invocation=1, after=0.0),),
        ),
        executions=("succeeded",),
        active="west",
    ),
    Scenario(
        name="switchover-site-dies-behind-the-fence",
        happens="the active site dies while the mirrors catch up: it can't be put back; people, told hourly, supersede",
        story=Story(
            seed="9",
            seconds=1_800.0,
            redrives=False,
            switchovers=(Switchover(begins=30.0),),
            acts=(Act(deed="lose the active site", function="drain_mirrors", invocation=1, after=0.0),),
        ),
        executions=("superseded", "succeeded"),
        active="west",
    ),
    Scenario(
        name="switchover-site-dies-past-no-return",
        happens="the active site dies once mirrors are being reversed: what is not reversed is failed over",
        story=Story(
            seed="10",
            seconds=900.0,
            switchovers=(Switchover(begins=30.0),),
            acts=(Act(deed="lose the active site", function="reverse_mirrors", invocation=1, after=1.6),),
        ),
        executions=("succeeded",),
        active="west",
    ),
    Scenario(
        name="switchover-standby-dies-past-no-return",
        happens="the standby dies once mirrors are reversed: the switchover stops; people lead clients back, what was"
        " reversed is failed over on east",
        story=Story(
            seed="14",
            seconds=1_800.0,
            redrives=False,
            switchovers=(Switchover(begins=30.0),),
            acts=(
                Act(deed="lose the standby", function="switch_routes", invocation=1, after=0.3),
                Act(deed="lead clients back", function="switch_routes", invocation=1, after=310.0),
            ),
        ),
        executions=("superseded", "succeeded"),
        active="east",
    ),
    Scenario(
        name="restored-with-its-records-saved",
        happens="east comes back; people restore it, and what it held beyond is saved before it is truncated",
        story=Story(seed="11", seconds=24_000.0, outages=(_AGAIN,), restores=True, rescues=True),
        executions=("succeeded", "succeeded"),
        active="west",
    ),
    Scenario(
        name="restore-refused-for-a-group",
        happens="the same, but a consumer group has members on east: the restore refuses, and names it; people stop it,"
        " and restore",
        story=Story(
            seed="15",
            seconds=30_000.0,
            outages=(_AGAIN,),
            restores=True,
            rescues=True,
            acts=(Act(deed="have a group read on the standby", function="announce", invocation=1, after=30.0),),
        ),
        executions=("succeeded", "stood-down", "succeeded"),
        active="west",
    ),
    Scenario(
        name="restored-without-a-topic-deleted-meanwhile",
        happens="the same, but somebody has deleted a topic on east: the others are saved and restored, the report"
        " names it",
        story=Story(
            seed="16",
            seconds=24_000.0,
            outages=(_AGAIN,),
            restores=True,
            rescues=True,
            acts=(Act(deed="delete a topic of the standby", function="announce", invocation=1, after=30.0),),
        ),
        executions=("succeeded", "succeeded"),
        active="west",
    ),
    Scenario(
        name="two-controllers-there-and-back",
        happens="two controllers, whose clocks are four seconds apart; east is lost, comes back and is restored; a day"
        " later west is lost, and the controller in east's region acts",
        story=Story(
            seed="12",
            seconds=100_000.0,
            outages=(_AGAIN, replace(_AGAIN, site="west", begins=95_000.0, ends=98_000.0)),
            restores=True,
            clock_ahead_elsewhere=-4.0,
        ),
        executions=("succeeded", "succeeded", "succeeded"),
        active="east",
    ),
    Scenario(
        name="region-and-controller-lost",
        happens="the same, with clocks alike, and each region takes its controller and its vantage point with it",
        story=Story(
            seed="14",
            seconds=100_000.0,
            outages=(_AGAIN, replace(_AGAIN, site="west", begins=95_000.0, ends=98_000.0)),
            restores=True,
            clock_ahead_elsewhere=0.0,
            controller_lost_with_site=True,
        ),
        executions=("succeeded", "succeeded", "succeeded"),
        active="east",
    ),
    Scenario(
        name="holder-lost-with-its-region",
        happens="east's gateways are lost; west's region, with the execution in it, is lost until an hour later: the"
        " controller in east's region tells people within the minute; the execution goes on once its region is back",
        story=Story(
            seed="15",
            seconds=4_000.0,
            outages=(
                replace(_LOST, part="gateway"),
                replace(_LOST, site="west", begins=40.0, ends=3_000.0),
            ),
            clock_ahead_elsewhere=0.0,
            controller_lost_with_site=True,
        ),
        executions=("succeeded",),
        active="west",
    ),
    Scenario(
        name="started-at-the-wrong-controller",
        happens="people start a switchover at the controller in the region that they leave, then at the other",
        story=Story(
            seed="16",
            seconds=1_800.0,
            switchovers=(Switchover(begins=30.0), Switchover(begins=900.0)),
            clock_ahead_elsewhere=0.0,
            starts_elsewhere_first=True,
        ),
        executions=("stood-down", "succeeded"),
        active="west",
    ),
    Scenario(
        name="hook-that-breaks-at-first",
        happens="the plan's hook raises thrice at each of its turns; nothing goes on without it, and nothing stops",
        story=Story(seed="13", seconds=900.0, outages=(_LOST,), hooks="break at first"),
        executions=("succeeded",),
        active="west",
    ),
)


def as_markdown() -> str:
    """The table as the documentation shows it."""
    head = ["| scenario | what happens | executions | active site, name |", "|---|---|---|---|"]
    rows = [f"| `{row.name}` | {row.happens} | {', '.join(row.executions)} | {row.active} |" for row in SCENARIOS]
    return "\n".join([*head, *rows]) + "\n"


def main() -> None:
    """Play them all; print how each ended, and what promises it broke."""
    from simulation.life import Simulation

    simulation, played = Simulation(), dict[str, Any]()
    for row in SCENARIOS:
        outcome = simulation.live(row.story)
        broken = [str(promise) for promise in outcome.broken]
        played[row.name] = {"executions": outcome.endings, "active": outcome.active, "broken": broken}
    print(json.dumps(played))


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of a set of texts is drawn anew for each process, unless it is told not to.
        os.execve(sys.executable, [sys.executable, "-m", "simulation.scenarios"], os.environ | {"PYTHONHASHSEED": "0"})
    main()
