"""JSONata as Step Functions has it: an expression alone is compiled, once, and the variables are bound as values."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

import jsonata
from jsonata import timebox

from drill.aws.jsonata_values import NOTHING, json_value
from simulation.scheduler import current

_VARIABLE = re.compile(r"\$([A-Za-z_]\w*)")
_PATH = re.compile(r"\$[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
"""A variable, or a field in it: half of all that is evaluated."""


class StateError(Exception):
    """What a state fails with: an error's name, and its cause."""

    def __init__(self, error: str, cause: str = "") -> None:
        super().__init__(error, cause)
        self.error = error
        self.cause = cause


def install() -> None:
    """Have `$millis()` and `$now()` tell the virtual time."""
    timebox.Timebox.current_milli_time = staticmethod(lambda: int(current().now * 1000))


def filled(value: Any, variables: Mapping[str, Any]) -> Any:
    """A field of a state with every expression in it evaluated.

    Raises:
        StateError: `States.QueryEvaluationError`, if one throws, or gives nothing.
    """
    if isinstance(value, str) and value.startswith("{%"):
        return _evaluated(value[2:-2].strip(), variables)
    if isinstance(value, dict):
        return {name: filled(each, variables) for name, each in value.items()}
    if isinstance(value, list):
        return [filled(each, variables) for each in value]
    return value


@functools.cache
def _compiled(expression: str) -> tuple[Any, frozenset[str]]:
    program = jsonata.Jsonata(expression)
    program.set_output_convert_nulls(False)
    return program, frozenset(_VARIABLE.findall(expression))


@functools.cache
def _path(expression: str) -> tuple[str, ...]:
    return tuple(expression[1:].split(".")) if _PATH.fullmatch(expression) else ()


def _looked_up(path: tuple[str, ...], variables: Mapping[str, Any]) -> Any:
    """What a path leads to through objects alone; None where the library has to say what it gives."""
    value: Any = variables
    for name in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value if isinstance(value, (str, bool, int, dict)) else None


def _evaluated(expression: str, variables: Mapping[str, Any]) -> Any:
    if (path := _path(expression)) and (value := _looked_up(path, variables)) is not None:
        return json_value(value)
    program, used = _compiled(expression)
    # $millis() asks the program that was compiled last, not the one that is evaluated.
    jsonata.Jsonata.CURRENT.jsonata = program
    try:
        value = json_value(program.evaluate(None, {name: variables[name] for name in used if name in variables}))
    except Exception as error:  # the library raises what it likes
        raise StateError("States.QueryEvaluationError", f"{expression}: {error}") from error
    if value is NOTHING:
        raise StateError("States.QueryEvaluationError", f"{expression} gives nothing")
    return value
