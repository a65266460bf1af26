"""What is done every few seconds of a minute, the shortest period of a schedule: watch the sites, sample the lag."""

from __future__ import annotations

from statemachines.blocks import State, branch, call, catch, choice, jsonata, machine

_ROUND_S = "${RoundSeconds}"


def watch() -> State:
    """Look at the sites of a shard of plans every few seconds for a minute."""
    return _rounds("Watch: look at the sites of plans every few seconds for a minute.", "WatchSite", "plans")


def sample() -> State:
    """Keep the lag of a plan's mirrors every few seconds for a minute, as long as it is proven fresh."""
    return _rounds(
        "Sample: keep the lag of a plan's mirrors every few seconds for a minute, as long as it is proven fresh.",
        "SampleLag",
        "plan",
    )


def _rounds(comment: str, function: str, of: str) -> State:
    """The call runs beside the wait, so that rounds begin on time; one that fails says nothing, and the next comes."""
    task = call(function, {of: jsonata(f"${of}")}, Catch=[catch("States.ALL", to="Nothing")], Output={}, End=True)
    round_ = {
        "Type": "Parallel",
        "Branches": [
            branch(function, {function: task, "Nothing": {"Type": "Pass", "Output": {}, "End": True}}),
            branch("Interval", {"Interval": {"Type": "Wait", "Seconds": jsonata(_ROUND_S), "End": True}}),
        ],
        "Assign": {"rounds_left": jsonata("$rounds_left - 1")},
        "Output": {},
        "Next": "More",
    }
    begin = {of: jsonata(f"$states.input.{of}"), "rounds_left": jsonata(f"$floor(60 / {_ROUND_S})")}
    return machine(
        comment,
        "Begin",
        {
            "Begin": {"Type": "Pass", "Assign": begin, "Next": "Round"},
            "Round": round_,
            "More": {"Type": "Choice", "Choices": [choice("$rounds_left > 0", "Round")], "Default": "Over"},
            "Over": {"Type": "Succeed"},
        },
    )
