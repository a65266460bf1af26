"""Practice: a switchover and back, and the evidence of it. The switchovers are executions of their own, which hold the
plan's lease; this machine waits for them."""

from __future__ import annotations

from statemachines.blocks import DEADLINE_EXCEEDED, PATIENCE_S, State, call, catch, choice, jsonata, machine, step


def practice() -> State:
    """The whole machine."""
    context = "$states.context.Execution"
    run = call(
        "RunPractice",
        {"start": jsonata(f"{context}.Input"), "practice": jsonata(f"{context}.Name")},
        comment="Start what comes next, until the outcome is kept and told.",
        Catch=[catch("States.ALL", to="Failed")],
    )
    cause = "'run_practice gave no answer: ' & $string($states.input.observed)"
    late = jsonata(f"{{'Error': '{DEADLINE_EXCEEDED}', 'Cause': {cause}}}")
    return machine(
        "Practice: a switchover and back; what became of it is kept as evidence.",
        "BeginPractice",
        {
            **step(
                "Practice",
                run,
                deadline="${PracticeDeadlineSeconds}",
                then="Ended",
                late={"Type": "Pass", "Output": late, "Next": "Failed"},
                last_chance=True,
                patience=PATIENCE_S,
            ),
            "Ended": {
                "Type": "Choice",
                "Choices": [choice("$states.input.observed.outcome = 'failed'", "NotBack")],
                "Default": "Practised",
            },
            "Practised": {"Type": "Succeed", "Output": jsonata("$states.input.observed")},
            "NotBack": {
                "Comment": "Clients were not led back; people are told.",
                "Type": "Fail",
                "Error": "PracticeFailed",
                "Cause": jsonata("$states.input.observed.why"),
            },
            "Failed": {
                "Type": "Fail",
                "Error": jsonata("$states.input.Error"),
                "Cause": jsonata("$states.input.Cause"),
            },
        },
    )
