"""What is done every few seconds of a minute, the shortest period of a schedule: watch the sites, and sample the lag
beside, for a shard of plans."""

from __future__ import annotations

from statemachines.blocks import State, States, branch, call, catch, choice, jsonata, machine

_OF_ROUND = ("plans", "scheduled_at")


def watch() -> State:
    """Look at the sites."""
    return _minute("Watch: look at the sites of plans every few seconds for a minute.", _looks())


def watch_and_sample() -> State:
    """Look at the sites and keep the lag of the mirrors, each at its own pace; an execution is paid by its time."""
    return _minute(
        "Rounds: look at the sites of plans every few seconds for a minute; keep the lag of their mirrors beside.",
        _looks(),
        _samples(),
    )


def _looks() -> State:
    return _rounds("WatchSite", "looks_left", every="${LookEverySeconds}", within="${LookTimeoutSeconds}")


def _samples() -> State:
    """A call that takes longer than a round goes on, and the next begins beside it: no plan waits for another's."""
    return _rounds("SampleLag", "samples_left", every="${SampleEverySeconds}", within="${SampleEverySeconds}")


def _minute(comment: str, *rounds: State) -> State:
    begin = {name: jsonata(f"$states.input.{name}") for name in _OF_ROUND}
    return machine(
        comment,
        "Begin",
        {
            "Begin": {"Type": "Pass", "Assign": begin, "Next": "Minute"},
            "Minute": {"Type": "Parallel", "Branches": list(rounds), "Output": {}, "End": True},
        },
    )


def _rounds(function: str, counter: str, *, every: str, within: str) -> State:
    """The call runs beside the wait, so that rounds begin on time; one that fails says nothing, and the next comes."""
    payload = {name: jsonata(f"${name}") for name in _OF_ROUND}
    caught = [catch("States.ALL", to=f"{function}Failed")]
    task = call(function, payload, TimeoutSeconds=jsonata(within), Catch=caught, Output={}, End=True)
    failed: State = {"Type": "Pass", "Output": {}, "End": True}
    wait: State = {"Type": "Wait", "Seconds": jsonata(every), "End": True}
    first, round_, more = f"{function}Begin", f"{function}Round", f"{function}More"
    states: States = {
        first: {"Type": "Pass", "Assign": {counter: jsonata(f"$floor(60 / {every})")}, "Next": round_},
        round_: {
            "Type": "Parallel",
            "Branches": [
                branch(function, {function: task, f"{function}Failed": failed}),
                branch(f"{function}Interval", {f"{function}Interval": wait}),
            ],
            "Assign": {counter: jsonata(f"${counter} - 1")},
            "Output": {},
            "Next": more,
        },
        more: {"Type": "Choice", "Choices": [choice(f"${counter} > 0", round_)], "Default": f"{function}Over"},
        f"{function}Over": {"Type": "Succeed"},
    }
    return branch(first, states)
