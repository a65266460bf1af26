"""JSONata for moto's Step Functions engine, which parses it but cannot evaluate it.

moto writes every variable into the text of the expression and evaluates that. Here the expression alone is parsed and
the variables are bound as values: a fifth of the time, and nothing to escape. What AWS refuses is refused: undefined
results, functions as results, and seconds that are no whole number.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import random
import uuid
from collections.abc import Mapping
from typing import Any

import jsonata
from moto.stepfunctions.parser.api import EvaluationFailedEventDetails, HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.component.common.string.string_expression import StringJSONata
from moto.stepfunctions.parser.asl.component.common.timeouts.timeout import TimeoutSecondsJSONata
from moto.stepfunctions.parser.asl.component.intrinsic.jsonata import get_intrinsic_functions_declarations
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.seconds import SecondsJSONata
from moto.stepfunctions.parser.asl.eval import states as engine_states
from moto.stepfunctions.parser.asl.eval import variable_store as engine_variables
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.jsonata import jsonata as engine_jsonata
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str

from drill.aws.jsonata_values import NOTHING, json_value

LONGEST_S = 99_999_999
"""The largest number of seconds in a state machine, for a wait as for a timeout."""


class EvaluationError(ValueError):
    """An expression threw an error, or gave what is no JSON."""


def check(expression: str) -> None:
    """Parse an expression.

    Raises:
        EvaluationError: if it is not JSONata, or uses `$`, `$$` or `$eval`, which Step Functions has not.
    """
    try:
        engine_jsonata.extract_jsonata_variable_references(expression)
        if "$eval(" in expression.replace(" ", ""):
            raise EvaluationError("$eval is not supported in Step Functions")
        jsonata.Jsonata(expression)
    except engine_jsonata.IllegalJSONataVariableReference as error:
        raise EvaluationError(f"{error.variable_reference!r} is not supported in Step Functions") from error
    except jsonata.JException as error:
        raise EvaluationError(str(error)) from error


def evaluate(expression: str, variables: Mapping[str, Any]) -> Any:
    """The JSON value of an expression; `NOTHING` if it is undefined.

    Raises:
        EvaluationError: if it throws, or gives a function.
    """
    try:
        program = jsonata.Jsonata(expression)
        program.set_output_convert_nulls(False)
        program.register_lambda("uuid", lambda: str(uuid.uuid4()))
        program.register_lambda("hash", _hash)
        program.register_lambda("random", lambda seed=None: random.Random(seed).random())
        return json_value(program.evaluate(None, dict(variables)))
    except Exception as error:  # the library raises what it likes
        raise EvaluationError(str(error)) from error


def install() -> None:
    """Take the place of the engine's evaluation."""
    StringJSONata._eval_body = _eval_expression  # type: ignore[method-assign]
    SecondsJSONata._get_wait_seconds = _wait_seconds  # type: ignore[method-assign]
    TimeoutSecondsJSONata._eval_seconds = _timeout_seconds  # type: ignore[method-assign]
    # JSONPath states and `$variable` samples still go through the text.
    engine_jsonata._eval_jsonata = _evaluate_text
    for module in (engine_jsonata, engine_states, engine_variables):
        module.encode_jsonata_variable_declarations = _encode  # type: ignore[attr-defined]


def _eval_expression(self: StringJSONata, env: Environment) -> None:
    expression = self.expression
    references = engine_jsonata.extract_jsonata_variable_references(expression) - {"$uuid", "$hash"}
    declared = get_intrinsic_functions_declarations(references)
    store: Any = env.variable_store
    states: Any = env.states
    variables = {**store._outer_scope, **store._inner_scope, "states": states._states_data}
    try:
        text = f"({declared}{expression})" if declared else expression
        result = evaluate(text, {name: _bound(value) for name, value in variables.items()})
    except EvaluationError as error:
        raise _failure(env, f"The JSONata expression '{expression}'{_field(env)} threw an error: {error}") from error
    if result is NOTHING:
        raise _failure(env, f"The JSONata expression '{expression}'{_field(env)} returned nothing (undefined).")
    env.stack.append(result)


def _wait_seconds(self: SecondsJSONata, env: Environment) -> int:
    self.string_jsonata.eval(env=env)
    return _whole_seconds(env, env.stack.pop(), self.string_jsonata.expression, at_least=0)


def _timeout_seconds(self: TimeoutSecondsJSONata, env: Environment) -> int:
    self.string_jsonata.eval(env=env)
    return _whole_seconds(env, env.stack.pop(), self.string_jsonata.expression, at_least=1)


def _whole_seconds(env: Environment, value: Any, expression: str, *, at_least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not at_least <= value <= LONGEST_S:
        expected = f"an integer from {at_least} to {LONGEST_S}"
        raise _failure(
            env, f"The JSONata expression '{expression}'{_field(env)} gave {value!r}, which is not {expected}."
        )
    return value


def _failure(env: Environment, cause: str) -> FailureEventException:
    error = StatesErrorName(typ=StatesErrorNameType.StatesQueryEvaluationError)
    details = EvaluationFailedEventDetails(cause=cause, error=error.error_name)
    failed: Any = {"evaluationFailedEventDetails": details}
    env.event_manager.add_event(
        context=env.event_history_context, event_type=HistoryEventType.EvaluationFailed, event_details=failed
    )
    return FailureEventException(
        failure_event=FailureEvent(
            env=env, error_name=error, event_type=HistoryEventType.EvaluationFailed, event_details=failed
        )
    )


def _field(env: Environment) -> str:
    return f" specified for the field '{env.next_field_name}'" if env.next_field_name else ""


def _bound(value: Any) -> Any:
    """A value as JSONata sees it: a copy, with times as text."""
    if isinstance(value, dict):
        return {name: _bound(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_bound(item) for item in value]
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value


def _hash(value: Any, algorithm: str) -> str:
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return hashlib.new(algorithm.replace("-", "").lower(), text.encode()).hexdigest()


def _evaluate_text(expression: str) -> Any:
    try:
        result = evaluate(expression, {})
    except EvaluationError as error:
        raise engine_jsonata.JSONataException("UNKNOWN", str(error)) from error
    return None if result is NOTHING else result


def _encode(bindings: dict[str, Any]) -> str:
    return "".join(f"{name}:={to_json_str(value)};" for name, value in bindings.items())
