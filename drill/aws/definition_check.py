"""What CreateStateMachine refuses and moto lets pass: a transition to nowhere, a state nobody reaches, bad JSONata."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from drill.aws.jsonata_evaluation import EvaluationError, check

_TERMINAL = ("Succeed", "Fail")


def problems(definition: str) -> list[str]:
    """Every reason, in words, for which Step Functions would refuse the definition (JSON text)."""
    machine = json.loads(definition)
    reasons = list(_graph_problems(machine, "the state machine"))
    reasons += [f"JSONata {expression!r}: {why}" for expression, why in _jsonata_problems(machine)]
    return reasons


def _graph_problems(machine: dict[str, Any], where: str) -> Iterator[str]:
    states: dict[str, dict[str, Any]] = machine.get("States", {})
    reached = {machine.get("StartAt")}
    if machine.get("StartAt") not in states:
        yield f"StartAt {machine.get('StartAt')!r} of {where} is not a state of it"
    for name, state in states.items():
        targets = set(_targets(state))
        reached |= targets
        for target in sorted(targets - states.keys()):
            yield f"{name!r} of {where} goes to {target!r}, which is not a state of it"
        if state["Type"] not in (*_TERMINAL, "Choice") and ("Next" in state) == bool(state.get("End")):
            yield f"{name!r} of {where} needs one of Next and End"
        for inner, part in _inner_machines(state):
            yield from _graph_problems(part, f"{inner} of {name!r}")
    for name in states.keys() - reached:
        yield f"{name!r} of {where} is not reached by any transition"


def _targets(state: dict[str, Any]) -> Iterator[str]:
    for part in (state, *state.get("Choices", []), *state.get("Catch", [])):
        if "Next" in part:
            yield part["Next"]
    if "Default" in state:
        yield state["Default"]


def _inner_machines(state: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, branch in enumerate(state.get("Branches", []), 1):
        yield f"branch {number}", branch
    for key in ("ItemProcessor", "Iterator"):
        if key in state:
            yield key, state[key]


def _jsonata_problems(node: Any) -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        for child in node.values():
            yield from _jsonata_problems(child)
    elif isinstance(node, list):
        for child in node:
            yield from _jsonata_problems(child)
    elif isinstance(node, str) and node.startswith("{%") and node.endswith("%}"):
        expression = node[2:-2].strip()
        try:
            check(expression)
        except EvaluationError as error:
            yield expression, str(error)
