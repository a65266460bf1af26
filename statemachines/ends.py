"""The ends of every flow: concluded, stood down, told of, or stopped, and gone on with by a redrive."""

from __future__ import annotations

from typing import Any

from statemachines.blocks import (
    EXECUTION,
    PATIENCE_S,
    REDRIVES,
    State,
    States,
    attempt,
    call,
    catch,
    choice,
    jsonata,
    stop,
    stops_at,
)


def conclude(comment: str = "The standby is the active site now; report, release the lease.") -> States:
    """Whoever is stopped by hand in here and redriven may find what was proven changed by others: it goes on as if it
    had stopped here of itself. What is recorded by then stays."""
    redriven = f"{REDRIVES} > $concluding_after"
    outcome = {"outcome": "succeeded", "stopped_at": "BeginConclude", "redriven": jsonata(redriven)}
    states = _recorded("Conclude", outcome, comment)
    states["BeginConclude"]["Assign"] |= {"concluding_after": jsonata(REDRIVES)}
    states["Conclude"]["Next"] = "HasConcluded"
    return states | {
        "HasConcluded": {
            "Type": "Choice",
            "Choices": [choice("$exists($states.input.resume)", "LookAgain")],
            "Default": "BeginAnnounce",
        },
        "LookAgain": {"Type": "Pass", "Assign": {"stopped_at": "BeginConclude"}, "Next": "Resume"},
    }


def stand_down(**more: Any) -> States:
    """`more`: what else is said of why."""
    why = {"outcome": "stood-down", "why": jsonata("$exists($assessed.why) ? $assessed.why : ''"), **more}
    return _recorded("StandDown", why, "Say why in the ledger, release the lease.")


def _recorded(name: str, outcome: State, comment: str) -> States:
    """Have an outcome recorded, in a state of this name, and then told."""
    task = call(
        "Conclude",
        EXECUTION | outcome | {"redrives": jsonata(REDRIVES)},
        comment=comment,
        Assign={"ended": jsonata("$states.result.Payload.{'outcome': outcome, 'why': why}")},
        Catch=stops_at(f"Begin{name}"),
    )
    unanswered = stop(f"Begin{name}", "conclude")
    return attempt(name, task, within=PATIENCE_S, then="BeginAnnounce", late=unanswered)


def announce() -> States:
    """Telling changes no outcome: whatever comes of it, the execution ends as it was recorded."""
    task = call(
        "Announce",
        EXECUTION.copy(),
        comment="Tell people and other systems how it ended.",
        Catch=[catch("States.ALL", to="Concluded")],
    )
    untold = {"Type": "Pass", "Next": "Concluded"}
    return attempt("Announce", task, within=PATIENCE_S, then="Concluded", late=untold) | {
        "Concluded": {"Type": "Succeed", "Output": jsonata("$ended")},
    }


def stop_and_resume(resumed_at: dict[str, str]) -> States:
    """Record a failure, and fail in the very state that a redrive enters again; a Fail state would fail again
    (https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html)."""
    redriven = f"{REDRIVES} > $stopped_after"
    task = call(
        "Conclude",
        EXECUTION
        | {
            "outcome": "failed",
            "stopped_at": jsonata("$stopped_at"),
            "error": jsonata("$failure"),
            "redrives": jsonata(REDRIVES),
            "redriven": jsonata(redriven),
        },
        comment="Record where it stopped, tell, keep the lease, fail. Redriven, it goes on.",
        Catch=[catch("LeaseLost", to="LeaseLost")],
    )
    unrecorded = (
        "$error('FailoverStopped: ' & $execution.name & ' stopped at ' & $stopped_at & ': ' & $string($failure)"
        " & '. It could not be recorded: ' & $string($states.input.observed))"
    )
    states = attempt("Stopped", task, within=PATIENCE_S, then="Resume", late={})
    states["BeginStopped"]["Assign"] |= {"stopped_after": jsonata(REDRIVES)}
    states["StoppedUnanswered"]["Choices"].insert(0, choice(redriven, "Resume"))
    states["StoppedTooLate"] = {
        "Comment": "Fails, with what could not be recorded in its cause; redriven, it is looked at again, and goes on.",
        "Type": "Choice",
        "Choices": [choice(f"{redriven} ? true : {unrecorded}", "Resume")],
    }
    return states | {
        "Resume": {
            "Type": "Choice",
            "Choices": [choice(f"$stopped_at = '{name}'", state) for name, state in resumed_at.items()],
            "Default": "BeginStandDown",
        },
        "LeaseLost": {
            "Comment": "Another execution holds the plan; this one must not touch anything any more.",
            "Type": "Fail",
            "Error": "LeaseLost",
            "Cause": jsonata("$states.input.Cause"),
        },
    }
