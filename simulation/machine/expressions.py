"""JSONata as Step Functions has it: an expression alone is compiled, once, and the variables are bound as values."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from typing import Any

import jsonata
from jsonata import timebox

from simulation.scheduler import current

_VARIABLE = re.compile(r"\$([A-Za-z_]\w*)")


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


def _evaluated(expression: str, variables: Mapping[str, Any]) -> Any:
    program, used = _compiled(expression)
    # $millis() asks the program that was compiled last, not the one that is evaluated.
    jsonata.Jsonata.CURRENT.jsonata = program
    try:
        result = program.evaluate(None, {name: variables[name] for name in used if name in variables})
        if result is None:
            raise StateError("States.QueryEvaluationError", f"{expression} gives nothing")
        (value,) = json.loads(json.dumps(jsonata.utils.Utils.convert_nulls([result])))
    except StateError:
        raise
    except Exception as error:  # the library raises what it likes
        raise StateError("States.QueryEvaluationError", f"{expression}: {error}") from error
    return _plain(value)


def _plain(value: Any) -> Any:
    """JSON as JavaScript would write it: 3, not 3.0."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value
